package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// call is a request as the profile's habits that concern HTTP look at it.
type call struct {
	kind  string
	body  []byte
	patch patchBody // of a PATCH that can be read
}

type patchBody struct {
	Operations []struct {
		Op    string
		Path  string
		Value json.RawMessage
	}
}

// added counts the memberships that a PATCH adds.
func (c *call) added() int {
	n := 0
	for _, op := range c.patch.Operations {
		if strings.EqualFold(op.Op, scim.OpRemove) {
			continue
		}
		value := op.Value
		var whole struct{ Members json.RawMessage }
		if json.Unmarshal(value, &whole) == nil && whole.Members != nil {
			value = whole.Members
		} else if !strings.EqualFold(op.Path, "members") {
			continue
		}
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			n += len(list)
		}
	}
	return n
}

// read looks at a request and leaves its body as it was.
func read(r *http.Request) *call {
	c := &call{kind: kindOf(r)}
	if r.Body == nil || r.Method == http.MethodGet || r.Method == http.MethodDelete {
		return c
	}
	// An error is left to those who come after.
	c.body, _ = io.ReadAll(io.LimitReader(r.Body, scimserver.DefaultMaxBody+1))
	r.Body = &rest{io.MultiReader(bytes.NewReader(c.body), r.Body), r.Body}
	if r.Method == http.MethodPatch {
		_ = json.Unmarshal(c.body, &c.patch) // as with the error
	}
	return c
}

// rest is a body part of which has been read.
type rest struct {
	io.Reader
	io.Closer
}

// manners lays the profile's habits that concern HTTP over the SCIM endpoints.
func (a *App) manners(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := read(r)
		if a.throttled(w, c) {
			return
		}
		if what, fault := a.unmannerly(r, c); fault != nil {
			a.counter.forbid(what)
			scimserver.WriteError(w, fault)
			return
		}
		if a.profile.EmptyOnBadFilter && a.unreadableFilter(r) {
			a.counter.forbid(ForbiddenFilter)
			writeEmptyList(w)
			return
		}
		if a.profile.NestedMembers && r.Method == http.MethodPatch {
			unnest(r, c)
		}
		if a.profile.SyntheticList && strings.HasSuffix(r.URL.Path, "/"+syntheticID) {
			writeError(w, http.StatusNotFound, "there is no such resource", 0) // it is made up
			return
		}
		path, offered := a.discovery(r.URL.Path)
		if !offered {
			a.counter.forbid(ForbiddenEndpoint)
			writeError(w, http.StatusNotFound, "there is nothing here", 0)
			return
		}
		if path != r.URL.Path {
			r = r.Clone(r.Context())
			r.URL.Path = path
		}
		if !a.profile.NoETag {
			next.ServeHTTP(w, r)
			return
		}
		r.Header.Del("If-Match")
		r.Header.Del("If-None-Match")
		answer := &keptResponse{header: http.Header{}}
		next.ServeHTTP(answer, r)
		answer.untag()
		answer.send(w)
	})
}

// unmannerly says what is wrong with a request before anybody looks into it.
func (a *App) unmannerly(r *http.Request, c *call) (what string, fault *scim.Error) {
	p := a.profile
	accept := r.Header.Get("Accept")
	switch {
	case p.RequireUserAgent && r.UserAgent() == "":
		return ForbiddenUserAgent, scim.Errorf(http.StatusForbidden, "", "requests need a User-Agent header")
	case p.RequireAccept && accept != "" && !strings.Contains(accept, "application/scim+json") && !strings.Contains(accept, "*/*"):
		return ForbiddenAccept, scim.Errorf(http.StatusNotAcceptable, "", "Accept must name application/scim+json")
	case p.NoGroups && strings.HasPrefix(c.kind, "group."):
		return ForbiddenEndpoint, scim.Errorf(http.StatusNotFound, "", "there are no groups here")
	case p.NoPut && r.Method == http.MethodPut:
		return ForbiddenOperation, scim.Errorf(http.StatusNotImplemented, "", "PUT is not offered here; use PATCH")
	case p.MaxGroupBody > 0 && c.kind == "group.update" && len(c.body) > p.MaxGroupBody:
		return ForbiddenBody, scim.Errorf(http.StatusRequestEntityTooLarge, "", "the body may have at most %d bytes", p.MaxGroupBody)
	case p.MaxGroupBody > 0 && p.MaxMembersPerPatch > 0 && c.kind == "group.update" && c.added() > p.MaxMembersPerPatch:
		return ForbiddenMembers, scim.Errorf(http.StatusRequestEntityTooLarge, "", "a request may have at most %d members", p.MaxMembersPerPatch)
	case p.OneAttributePerOp && c.manyAttributesPerOp():
		return ForbiddenOneAttribute, scim.Errorf(http.StatusBadRequest, scim.InvalidSyntax, "an operation without path may name one attribute")
	}
	return "", nil
}

// manyAttributesPerOp reports whether a PATCH holds an operation without path that
// names several attributes.
func (c *call) manyAttributesPerOp() bool {
	for _, op := range c.patch.Operations {
		var attributes map[string]json.RawMessage
		if op.Path == "" && json.Unmarshal(op.Value, &attributes) == nil && len(attributes) > 1 {
			return true
		}
	}
	return false
}

// discovery is where a path leads; false means nowhere.
func (a *App) discovery(path string) (string, bool) {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, Prefix), "/"), "/")
	switch first {
	case "ServiceProviderConfigs":
		return strings.Replace(path, first, "ServiceProviderConfig", 1), a.profile.PluralConfig
	case "ServiceProviderConfig":
		return path, !a.profile.PluralConfig && !a.profile.NoDiscovery
	case "ResourceTypes", "Schemas":
		return path, !a.profile.NoDiscovery
	}
	return path, true
}

// unreadableFilter reports whether a list is asked for with a filter that nobody can
// read.
func (a *App) unreadableFilter(r *http.Request) bool {
	q := r.URL.Query()
	if !q.Has("filter") || r.Method != http.MethodGet {
		return false
	}
	f, err := scim.ParseFilter(q.Get("filter"))
	if err != nil {
		return true
	}
	name := "User"
	if kindOf(r) == "group.list" {
		name = "Group"
	}
	t, ok := a.registry.Type(name)
	if ok {
		_, err = scim.Bind(f, t)
	}
	return err != nil
}

func writeEmptyList(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/scim+json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may have gone
		"schemas": []string{scim.URNListResponse}, "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []any{},
	})
}

// unnest brings members that stand inside the value of the path members into the
// usual form.
func unnest(r *http.Request, c *call) {
	var body map[string]any
	if json.Unmarshal(c.body, &body) != nil {
		return
	}
	ops, _ := body["Operations"].([]any)
	changed := false
	for _, op := range ops {
		o, _ := op.(map[string]any)
		path, _ := o["path"].(string)
		value, _ := o["value"].(map[string]any)
		if strings.EqualFold(path, "members") && value["members"] != nil {
			o["value"], changed = value["members"], true
		}
	}
	if !changed {
		return
	}
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
}
