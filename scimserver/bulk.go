package scimserver

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// Defaults of the Handler's limits on bulk requests.
const (
	DefaultMaxBulkBody       = 4 << 20 // bytes
	DefaultMaxBulkOperations = 1000
)

// bulkBody is the BulkResponse of RFC 7644 §3.7.3.
type bulkBody struct {
	Schemas    []string      `json:"schemas"`
	Operations []*bulkResult `json:"Operations"`
}

// bulkResult is what became of one operation.
type bulkResult struct {
	Method   string     `json:"method,omitempty"`
	BulkID   string     `json:"bulkId,omitempty"`
	Version  string     `json:"version,omitempty"`
	Location string     `json:"location,omitempty"`
	Status   string     `json:"status"`
	Response *errorBody `json:"response,omitempty"` // only of a failure
}

// bulk serves POST /Bulk (RFC 7644 §3.7). Every operation is a transaction of its
// own; what follows a failed one goes on, up to failOnErrors.
func bulk(reg *scim.Registry) action {
	return func(x *exchange) (reply, error) {
		body, err := x.readBody(x.MaxBulkBody)
		if err != nil {
			return reply{}, err
		}
		req, err := scim.ParseBulk(body, x.client.Dialect)
		if e, ok := scim.AsError(err); ok && e.Status == http.StatusRequestEntityTooLarge || len(req.Operations) > x.MaxBulkOperations {
			return reply{}, scim.Errorf(http.StatusRequestEntityTooLarge, "",
				"Operations: more than the %d operations this service accepts in one request", x.MaxBulkOperations)
		}
		if err != nil {
			return reply{}, err
		}
		j := newJob(x, reg, req)
		if err := j.run(); err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusOK, body: bulkBody{[]string{scim.URNBulkResponse}, j.results()}}, nil
	}
}

// outcome is what a carried out operation leaves behind.
type outcome struct {
	status   int
	id       string
	version  string // empty after DELETE
	location string
}

// apply carries out one operation whose references are resolved. There is no way
// from here to /Bulk itself, nor to anything else but resources.
func (j *job) apply(op scim.BulkOperation) (out outcome, err error) {
	endpoint, id := op.Target()
	t, ok := j.types[endpoint]
	if !ok {
		return out, scim.Errorf(http.StatusNotFound, "", "path: there are no resources at %q", clip(op.Path))
	}
	if op.Method != http.MethodPost && !plausible(id) {
		return out, NotFound(t, strings.ToValidUTF8(id, "?"))
	}
	err = guard(func() error {
		res, status, err := j.write(t, id, op)
		if err != nil {
			return err
		}
		out = outcome{status: status, id: res.ID, location: t.Location(j.x.base, res.ID)}
		if status != http.StatusNoContent {
			out.version = res.Meta.ETag()
		}
		return nil
	})
	return out, err
}

func (j *job) write(t *scim.ResourceType, id string, op scim.BulkOperation) (res scim.Resource, status int, err error) {
	var pre Precondition
	if op.Version != "" {
		pre = ParsePrecondition([]string{op.Version})
	}
	change := scim.Change{Dialect: j.x.client.Dialect}
	switch op.Method {
	case http.MethodDelete:
		return scim.Resource{ID: id}, http.StatusNoContent, j.x.Backend.Delete(j.ctx, t, id, pre)
	case http.MethodPatch:
		if j.x.NoPatch {
			return res, 0, scim.Errorf(http.StatusNotImplemented, "", "this service does not offer PATCH")
		}
		change.Patch, err = scim.ParsePatch(op.Data, t, change.Dialect)
	default:
		change.Replace, err = t.Decode(op.Data, change.Dialect)
	}
	if err != nil {
		return res, 0, err
	}
	if op.Method == http.MethodPost {
		res, err = j.x.Backend.Create(j.ctx, t, change.Replace)
		return res, http.StatusCreated, err
	}
	res, err = j.x.Backend.Modify(j.ctx, t, id, pre, change, onlyID())
	return res, http.StatusOK, err
}

// onlyID spares the backend what nobody looks at, such as a group's members.
func onlyID() scim.Fields { return scim.Fields{Include: []scim.Path{{Attr: "id"}}} }

// succeed keeps the result of an operation that was carried out.
func (j *job) succeed(t *task, out outcome) {
	t.done = true
	if t.BulkID != "" && out.status != http.StatusNoContent {
		j.ids[t.BulkID] = out.id
	}
	t.result = &bulkResult{Method: t.Method, BulkID: t.BulkID, Version: out.version,
		Location: out.location, Status: strconv.Itoa(out.status)}
}

// fail keeps the result of an operation that was not. What it did not make has no
// location (RFC 7644 §3.7.3).
func (j *job) fail(t *task, err error) {
	t.done = true
	j.failures++
	rep := j.x.failure(err)
	body, _ := rep.body.(errorBody)
	t.result = &bulkResult{Method: boundedWord(t.Method), BulkID: t.BulkID, Status: body.Status, Response: &body}
	endpoint, id := t.Target()
	if t.Method != http.MethodPost && id != "" {
		t.result.Location = j.x.base + endpoint + "/" + url.PathEscape(id)
	}
	resource := "Bulk"
	if kind, ok := j.types[endpoint]; ok {
		resource = kind.Name
	}
	j.x.refused(t.Method, resource, t.Path, rep.status, body)
}

// boundedWord keeps an answer short whatever was sent as a method.
func boundedWord(s string) string {
	if len(s) > len("PROPPATCH") {
		return ""
	}
	return s
}

// results are those of the operations that were processed, in the order of the
// request.
func (j *job) results() []*bulkResult {
	out := make([]*bulkResult, 0, len(j.tasks))
	for _, t := range j.tasks {
		if t.result != nil {
			out = append(out, t.result)
		}
	}
	return out
}
