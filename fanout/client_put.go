package fanout

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

const putTries = 3 // of reading, merging and writing while somebody else writes too

// replaceUser writes the fields with PUT, which replaces everything: the resource is
// read, changed and written back as it was otherwise, so that what others own stays.
func (c *Client) replaceUser(ctx context.Context, id string, e edit) (*RemoteUser, error) {
	a, err := c.replace(ctx, "/Users/"+url.PathEscape(id), id, 0, func(doc map[string]any) error {
		for _, f := range e.fields {
			p, err := parseAttr(f.Path)
			if err != nil {
				return &ClientError{Class: Invalid, Err: err}
			}
			if f.After == nil && p.sub != "" && e.stays[elementKey(f.Path)] {
				p.clear(doc)
				continue
			}
			p.set(doc, copyValue(f.After))
			if f.After == nil && !c.profile.Put.ClearsMissing {
				p.empty(doc)
			}
		}
		c.sendable(doc)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return written(a, id)
}

// clear takes a part out of an element that stays.
func (p attrPath) clear(doc map[string]any) {
	if p.uri != "" {
		doc = child(doc, p.uri)
	}
	v, _ := field(doc, p.attr)
	if el, _ := p.element(v); el != nil {
		put(el, p.sub, nil)
	}
}

// empty says that there is no value, where leaving it out would say nothing.
func (p attrPath) empty(doc map[string]any) {
	if p.uri != "" {
		doc = child(doc, p.uri)
	}
	if v, shown := field(doc, p.attr); shown {
		if m, ok := v.(map[string]any); ok && p.sub != "" && len(p.conds) == 0 {
			m[p.sub] = nil
		}
		return
	}
	doc[p.attr] = nil
	if len(p.conds) > 0 {
		doc[p.attr] = []any{}
	}
}

// sendable leaves out of a user what the application shows and does not take.
func (c *Client) sendable(doc map[string]any) {
	for _, readOnly := range []string{"id", "meta", "groups", "memberOf", "password"} {
		put(doc, readOnly, nil)
	}
	for _, name := range sortedPaths(doc) {
		if c.profile.drops(name) || !c.profile.takes(name) {
			put(doc, name, nil)
		}
	}
	addSchemas(doc, scim.URNUser)
}

// takes reports whether a top-level attribute of a user may be sent, wholly or in part.
func (p Profile) takes(name string) bool {
	return p.SendUnknown || slices.ContainsFunc(append([]string{"schemas", "userName", "active"}, p.KnownAttrs...), func(known string) bool {
		base, _, _ := cutPath(known)
		return known == "*" || strings.EqualFold(base, name) || (strings.HasPrefix(strings.ToLower(name), "urn:") && strings.HasPrefix(strings.ToLower(known), strings.ToLower(name)+":"))
	})
}

// replace reads a resource, lets change change it and puts it back. Where the
// application has versions it is told which one was read, and reading begins again
// when somebody was faster.
func (c *Client) replace(ctx context.Context, where, id string, limit int64, change func(map[string]any) error) (answer, error) {
	if !c.profile.Put.Supported {
		return answer{}, &ClientError{Class: Invalid, Detail: c.application() + " takes neither PATCH nor PUT"}
	}
	for try := 1; ; try++ {
		got, err := c.do(ctx, request{method: http.MethodGet, path: where, limit: limit})
		switch {
		case err != nil:
			return answer{}, err
		case got.doc == nil:
			return answer{}, &ClientError{Class: Garbage, Status: got.status, Detail: "an empty answer to a read"}
		case !strings.EqualFold(idOf(got.doc), id):
			return answer{}, &ClientError{Class: Garbage, Status: got.status, Detail: "the target answers with another resource than the one asked for"}
		}
		doc := maps.Clone(got.doc)
		if err := change(doc); err != nil {
			return answer{}, err
		}
		r := request{method: http.MethodPut, path: where, body: doc, limit: limit}
		if c.profile.ETag {
			r.ifMatch = got.version
		}
		a, err := c.do(ctx, r)
		if e := asClientError(err); err == nil || e.Status != http.StatusPreconditionFailed || try == putTries {
			return a, err
		}
	}
}
