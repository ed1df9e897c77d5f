package scimserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// breakCircle creates the first resource of those that wait for one another without
// the references that are not known yet; false if none is to be created.
func (j *job) breakCircle() bool {
	for _, t := range j.tasks {
		if t.done || t.made != nil || t.Method != http.MethodPost {
			continue
		}
		op := t.Resolve(j.ids)
		kept, held, err := split(op.Data, t.waits)
		if err != nil {
			j.fail(t, err)
			return true
		}
		op.Data = kept
		out, err := j.apply(op)
		if err != nil {
			j.fail(t, inCircle(err))
			return true
		}
		t.made, t.held = &out, held
		j.ids[t.BulkID] = out.id
		return true
	}
	return false
}

// inCircle says that a resource could not be created without its references.
func inCircle(err error) error {
	if e, ok := scim.AsError(err); ok && e.Status == http.StatusBadRequest {
		return &scim.Error{Status: http.StatusConflict, Type: e.Type, Err: err,
			Detail: "the operation is part of a circle of references and cannot go first: " + e.Detail}
	}
	return err
}

// link gives a resource the references that it was created without.
func (j *job) link(t *task) {
	value := scim.BulkOperation{Data: t.held}.Resolve(j.ids).Data
	body := append(append([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":[{"op":"add","value":`), value...), "}]}"...)
	endpoint, _ := t.Target()
	kind := j.types[endpoint]
	d := j.x.client.Dialect
	d.PathlessPatch, d.IgnoreReadOnly, d.Seen = true, true, nil // our own request, not the client's
	var res scim.Resource
	err := guard(func() error {
		ops, err := scim.ParsePatch(body, kind, d)
		if err == nil {
			res, err = j.x.Backend.Modify(j.ctx, kind, t.made.id, Precondition{}, scim.Change{Patch: ops, Dialect: d}, onlyID())
		}
		return err
	})
	if err != nil {
		j.undo(t, err)
		return
	}
	t.made.version = res.Meta.ETag()
	j.succeed(t, *t.made)
}

// undo takes back a creation whose references turned out to stand for nothing.
func (j *job) undo(t *task, cause error) {
	endpoint, _ := t.Target()
	err := guard(func() error {
		return j.x.Backend.Delete(j.ctx, j.types[endpoint], t.made.id, Precondition{})
	})
	if e, ok := scim.AsError(err); err != nil && (!ok || e.Status != http.StatusNotFound) {
		j.x.report(err, http.StatusInternalServerError)
	}
	delete(j.ids, t.BulkID)
	j.fail(t, cause)
}

// split parts the attributes of a resource into those that can be stored now and
// those that name one of the bulkIds. Of a list only the elements that do so are
// held back; an extension is split like the resource.
func split(data []byte, bulkIDs []string) (kept, held []byte, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, nil, &scim.Error{Status: http.StatusBadRequest, Type: scim.InvalidSyntax, Detail: "data: is no JSON object", Err: err}
	}
	names := make(map[string]bool, len(bulkIDs))
	for _, id := range bulkIDs {
		names[id] = true
	}
	later := splitObject(all, names)
	if kept, err = json.Marshal(all); err == nil {
		held, err = json.Marshal(later)
	}
	return kept, held, err
}

// splitObject takes out of m what names a bulkId and returns it.
func splitObject(m map[string]any, bulkIDs map[string]bool) map[string]any {
	held := map[string]any{}
	for name, v := range m {
		if !mentions(v, bulkIDs) {
			continue
		}
		switch v := v.(type) {
		case []any:
			later := slices.DeleteFunc(slices.Clone(v), func(e any) bool { return !mentions(e, bulkIDs) })
			m[name] = slices.DeleteFunc(v, func(e any) bool { return mentions(e, bulkIDs) })
			held[name] = later
			continue
		case map[string]any:
			if strings.Contains(name, ":") {
				held[name] = splitObject(v, bulkIDs)
				continue
			}
		}
		held[name] = v
		delete(m, name)
	}
	return held
}

// mentions reports whether a value is, or has in it, a reference to a bulkId.
func mentions(v any, bulkIDs map[string]bool) bool {
	switch v := v.(type) {
	case string:
		name, ok := strings.CutPrefix(v, "bulkId:")
		return ok && bulkIDs[name]
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return mentions(e, bulkIDs) })
	case map[string]any:
		for _, e := range v {
			if mentions(e, bulkIDs) {
				return true
			}
		}
	}
	return false
}
