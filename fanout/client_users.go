package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

const maxPages = 100_000 // of one list; beyond it something goes in circles

// Lookup asks with a filter and believes only resources that carry the value: a
// target that ignores filters shows everybody, and is then read to the end.
func (c *Client) Lookup(ctx context.Context, attr, value string) (RemoteUser, bool, error) {
	p, err := parseAttr(attr)
	if err != nil {
		return RemoteUser{}, false, &ClientError{Class: Invalid, Err: err}
	}
	var found *RemoteUser
	for doc, err := range c.pages(ctx, "/Users", url.Values{"filter": {equals(attr, value)}}) {
		if err != nil {
			return RemoteUser{}, false, err
		}
		u, err := userOf(doc)
		if err != nil {
			return RemoteUser{}, false, err
		}
		if !carries(p.get(doc), value, caseExact(attr)) || (found != nil && found.ID == u.ID) {
			continue
		}
		if found != nil {
			return RemoteUser{}, false, &ClientError{Class: Conflict, Detail: fmt.Sprintf("more than one account has %s %q: %s and %s", attr, value, found.ID, u.ID)}
		}
		found = &u
	}
	if found == nil {
		return RemoteUser{}, false, nil
	}
	return *found, true, nil
}

func equals(attr, value string) string { return attr + " eq " + quoted(value) }

// quoted is a JSON string, as the filter grammar has it, without HTML escapes.
func quoted(s string) string { return string(canonicalJSON(s)) }

// caseExact tells the attributes in which case counts (RFC 7643 §3.1): a target that
// compares them loosely must not make two people one.
func caseExact(attr string) bool {
	return strings.EqualFold(attr, "externalId") || strings.EqualFold(attr, "id")
}

// carries reports whether a value, or one of a list (its `value`), is the text.
func carries(v any, text string, exact bool) bool {
	switch n := v.(type) {
	case []any:
		for _, e := range n {
			if carries(e, text, exact) {
				return true
			}
		}
		return false
	case map[string]any:
		inner, _ := field(n, "value")
		return inner != nil && carries(inner, text, exact)
	}
	if exact {
		return scalarText(plain(v)) == text
	}
	return looselyEqual(v, text)
}

// Get reads one account.
func (c *Client) Get(ctx context.Context, id string) (RemoteUser, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/Users/" + url.PathEscape(id)})
	if err != nil {
		return RemoteUser{}, err
	}
	if a.doc == nil {
		return RemoteUser{}, &ClientError{Class: Garbage, Status: a.status, Detail: "an empty answer to a read"}
	}
	u, err := userOf(a.doc)
	if err == nil && !strings.EqualFold(u.ID, id) {
		err = &ClientError{Class: Garbage, Status: a.status, Detail: "the target answers with another resource than the one asked for"}
	}
	return u, err
}

// List streams all accounts.
func (c *Client) List(ctx context.Context) iter.Seq2[RemoteUser, error] {
	return func(yield func(RemoteUser, error) bool) {
		for doc, err := range c.pages(ctx, "/Users", url.Values{}) {
			var u RemoteUser
			if err == nil {
				u, err = userOf(doc)
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Total asks for a page of one and reads totalResults.
func (c *Client) Total(ctx context.Context) (int, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/Users", query: url.Values{"startIndex": {"1"}, "count": {"1"}}})
	if err != nil {
		return 0, err
	}
	p, err := pageOf(a.doc)
	if err != nil {
		return 0, err
	}
	if !p.hasTotal {
		return 0, &ClientError{Class: Garbage, Detail: "the list has no totalResults"}
	}
	return p.total, nil
}

// pages reads a list to its end (RFC 7644 §3.4.2.4). It ends without an error
// only where everything the target says there is has come.
func (c *Client) pages(ctx context.Context, endpoint string, query url.Values) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		start, previous := 1, ""
		for range maxPages {
			query.Set("startIndex", strconv.Itoa(start))
			query.Set("count", strconv.Itoa(c.profile.PageMax))
			a, err := c.do(ctx, request{method: http.MethodGet, path: endpoint, query: query})
			var p listPage
			if err == nil {
				p, err = pageOf(a.doc)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			got := start - 1
			if len(p.resources) == 0 || (start > 1 && idOf(p.resources[0]) == previous) {
				// The end, or the same page again: a target that does not page.
				if p.hasTotal && got < p.total {
					yield(nil, &ClientError{Class: Garbage, Detail: fmt.Sprintf("the list ends after %d of %d", got, p.total)})
				}
				return
			}
			previous = idOf(p.resources[0])
			for _, r := range p.resources {
				if !yield(r, nil) {
					return
				}
			}
			start += len(p.resources)
			if p.hasTotal && start > p.total {
				return
			}
		}
		yield(nil, &ClientError{Class: Garbage, Detail: "the list does not end"})
	}
}

// Create posts the account. Where the answer has no body the id comes from Location.
func (c *Client) Create(ctx context.Context, a model.Account) (RemoteUser, error) {
	ans, err := c.do(ctx, request{method: http.MethodPost, path: "/Users", body: document(a)})
	if err != nil {
		return RemoteUser{}, err
	}
	if ans.doc != nil {
		return userOf(ans.doc)
	}
	if u, err := url.Parse(ans.location); err == nil {
		if id := path.Base(u.Path); strings.Contains(u.Path, "/Users/") && id != "Users" {
			return RemoteUser{ID: id, UserName: a.UserName, Active: a.Active}, nil
		}
	}
	return RemoteUser{}, &ClientError{Class: Garbage, Status: ans.status, Detail: "the answer to a create names no id"}
}

// Update writes what differs.
func (c *Client) Update(ctx context.Context, id string, before, after model.Account) (*RemoteUser, error) {
	fields := differences(before, after)
	if len(fields) == 0 {
		return nil, nil
	}
	return c.write(ctx, id, fields)
}

// SetActive writes active alone.
func (c *Client) SetActive(ctx context.Context, id string, active bool) (*RemoteUser, error) {
	return c.write(ctx, id, []model.FieldDiff{{Path: "active", Before: !active, After: active}})
}

func (c *Client) write(ctx context.Context, id string, fields []model.FieldDiff) (*RemoteUser, error) {
	r := request{method: http.MethodPatch, path: "/Users/" + url.PathEscape(id)}
	var err error
	if !c.profile.Patch.Supported {
		r.method = http.MethodPut
		r.body, err = c.merged(ctx, id, fields)
	} else {
		r.body, err = c.patch(fields)
	}
	if err != nil {
		return nil, err
	}
	a, err := c.do(ctx, r)
	if err != nil || a.doc == nil {
		return nil, err
	}
	u, err := userOf(a.doc)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// merged is the resource as it is with the fields changed, so that a PUT, which
// replaces everything, keeps what others own.
func (c *Client) merged(ctx context.Context, id string, fields []model.FieldDiff) (map[string]any, error) {
	u, err := c.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	doc, _ := copyValue(u.Attrs).(map[string]any)
	for _, f := range fields {
		p, err := parseAttr(f.Path)
		if err != nil {
			return nil, &ClientError{Class: Invalid, Err: err}
		}
		p.set(doc, copyValue(f.After))
	}
	for _, readOnly := range []string{"meta", "groups"} {
		put(doc, readOnly, nil)
	}
	return doc, nil
}

// patch is a PatchOp with an operation per differing attribute (RFC 7644 §3.5.2).
func (c *Client) patch(fields []model.FieldDiff) (map[string]any, error) {
	var ops []any
	whole := map[string]any{}
	for _, f := range fields {
		p, err := parseAttr(f.Path)
		if err != nil {
			return nil, &ClientError{Class: Invalid, Err: err}
		}
		if c.profile.Patch.WithoutPath == "required" && f.After != nil && len(p.conds) == 0 {
			p.set(whole, copyValue(f.After))
			continue
		}
		ops = append(ops, operation(p, f))
	}
	if len(whole) > 0 {
		ops = append(ops, map[string]any{"op": "replace", "value": whole})
	}
	return patchOp(ops), nil
}

func patchOp(ops []any) map[string]any {
	return map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": ops}
}

// operation says one difference. A value path needs its element to exist, so
// what was not there is added as a whole element, and what goes away goes whole.
func operation(p attrPath, f model.FieldDiff) map[string]any {
	list := p.attr
	if p.uri != "" {
		list = p.uri + ":" + p.attr
	}
	switch {
	case f.After == nil && len(p.conds) > 0 && (p.sub == "" || strings.EqualFold(p.sub, "value")):
		return map[string]any{"op": "remove", "path": f.Path[:strings.LastIndex(f.Path, "]")+1]}
	case f.After == nil:
		return map[string]any{"op": "remove", "path": f.Path}
	case f.Before == nil && len(p.conds) > 0:
		return map[string]any{"op": "add", "path": list, "value": []any{p.fresh(copyValue(f.After))}}
	}
	return map[string]any{"op": "replace", "path": f.Path, "value": f.After}
}

// Delete removes the account.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: "/Users/" + url.PathEscape(id)})
	return err
}
