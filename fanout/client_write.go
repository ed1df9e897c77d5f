package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Create posts the account. Where the answer has no body the id comes from Location.
func (c *Client) Create(ctx context.Context, a model.Account) (RemoteUser, error) {
	a = c.profile.Canonical(a)
	ans, err := c.do(ctx, request{method: http.MethodPost, path: "/Users", body: document(a)})
	if err != nil {
		return RemoteUser{}, err
	}
	if ans.doc != nil && idOf(ans.doc) != "" {
		return userOf(ans.doc)
	}
	if id := idIn(ans.location, "Users"); id != "" {
		return RemoteUser{ID: id, UserName: a.UserName, Active: a.Active}, nil
	}
	return RemoteUser{}, noID(ans)
}

// idIn is the id in the address of a resource; empty where it holds none.
func idIn(location, collection string) string {
	u, err := url.Parse(location)
	if err != nil || !strings.Contains(u.Path, "/"+collection+"/") {
		return ""
	}
	if id := path.Base(u.Path); id != collection {
		return id
	}
	return ""
}

func noID(a answer) *ClientError {
	return &ClientError{Class: Garbage, Status: a.status, Detail: "the answer to a create names no id"}
}

// Update writes what differs. More than one request is sent only where the profile
// demands it: switching off goes first and alone, switching on last, unless the
// application changes only accounts that are on.
func (c *Client) Update(ctx context.Context, id string, before, after model.Account) (*RemoteUser, error) {
	before, after = c.profile.Canonical(before), c.profile.Canonical(after)
	e := editOf(before, after)
	if len(e.fields) == 0 {
		return nil, nil
	}
	if words := c.profile.refuses(before, after, e.fields); words != "" {
		return nil, &ClientError{Class: Invalid, Detail: words}
	}
	if before.Active && !after.Active && c.profile.Disable != disableByActive {
		u, err := c.SetActive(ctx, id, false)
		rest := slices.DeleteFunc(e.fields, func(f model.FieldDiff) bool { return f.Path == "active" })
		if err != nil || len(rest) == 0 || c.profile.Delete != model.DeleteDisables {
			return u, err // what DELETE took away has no attributes to write
		}
		e = e.of(rest)
	}
	if err := c.look(ctx, id, e); err != nil {
		return nil, err
	}
	return c.write(ctx, id, e)
}

const disableByActive = "active"

// refuses says in words why the application takes no such change; empty: it does.
func (p Profile) refuses(before, after model.Account, fields []model.FieldDiff) string {
	if p.UpdateWhenInactive != "yes" && !before.Active && !after.Active {
		return "an account that is switched off cannot be changed here"
	}
	for _, f := range fields {
		for _, path := range sortedPaths(p.Limits) {
			if p.Limits[path].Fixed && f.Before != nil && len(limited(path, f.Path, f.After, f.Before)) > 0 {
				return fmt.Sprintf("%s cannot be changed here once the account is made", f.Path)
			}
		}
	}
	return ""
}

// SetActive writes active alone, or deletes where that is how accounts are switched off.
func (c *Client) SetActive(ctx context.Context, id string, active bool) (*RemoteUser, error) {
	switch {
	case !active && c.profile.Disable == "forbidden":
		return nil, &ClientError{Class: Invalid, Detail: c.application() + " cannot switch accounts off"}
	case !active && c.profile.Disable == "delete":
		return nil, c.Delete(ctx, id)
	}
	return c.write(ctx, id, edit{fields: []model.FieldDiff{{Path: "active", Before: !active, After: active}}})
}

// Delete removes the account. An application whose profile forbids it is not asked.
func (c *Client) Delete(ctx context.Context, id string) error {
	if c.profile.Delete == model.DeleteForbidden {
		return &ClientError{Class: Invalid, Detail: c.application() + " cannot delete accounts"}
	}
	_, err := c.do(ctx, request{method: http.MethodDelete, path: "/Users/" + url.PathEscape(id)})
	return err
}

func (c *Client) write(ctx context.Context, id string, e edit) (*RemoteUser, error) {
	where := "/Users/" + url.PathEscape(id)
	if !c.profile.Patch.Supported {
		return c.replaceUser(ctx, id, e)
	}
	bodies, err := c.patches(e)
	if err != nil {
		return nil, err
	}
	var u *RemoteUser
	for _, body := range bodies {
		a, err := c.do(ctx, request{method: http.MethodPatch, path: where, body: body})
		if err != nil {
			return nil, err
		}
		if u, err = written(a, id); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// written is the account that a write is answered with; nil where none is shown.
func written(a answer, id string) (*RemoteUser, error) {
	if a.doc == nil {
		return nil, nil
	}
	u, err := userOf(a.doc)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(u.ID, id) {
		return nil, &ClientError{Class: Garbage, Status: a.status, Detail: "the target answers with another resource than the one written"}
	}
	return &u, nil
}

// patches are the bodies that write the fields, each within the profile's limits.
func (c *Client) patches(e edit) ([]map[string]any, error) {
	var out []map[string]any
	for _, stage := range c.stages(e) {
		for len(stage) > 0 {
			n := len(stage)
			body, err := c.patch(e.of(stage))
			for err == nil && !c.fits(body) && n > 1 {
				n = (n + 1) / 2
				body, err = c.patch(e.of(stage[:n]))
			}
			if err != nil {
				return nil, err
			}
			if !c.fits(body) {
				return nil, &ClientError{Class: Invalid, Detail: fmt.Sprintf("%s alone is larger than the %d bytes that %s takes", stage[0].Path, c.profile.Patch.MaxBody, c.application())}
			}
			e.wrote(stage[:n])
			out, stage = append(out, body), stage[n:]
		}
	}
	return out, nil
}

// stages orders the fields into what has to be sent one after the other. One stage
// holds everything where one request can.
func (c *Client) stages(e edit) [][]model.FieldDiff {
	fields := e.fields
	at := slices.IndexFunc(fields, func(f model.FieldDiff) bool { return f.Path == "active" })
	onlyOn := at >= 0 && fields[at].After == true && c.profile.UpdateWhenInactive == "no"
	if at < 0 || len(fields) == 1 {
		return [][]model.FieldDiff{fields}
	}
	if body, err := c.patch(e); !onlyOn && (err != nil || c.fits(body)) {
		return [][]model.FieldDiff{fields}
	}
	active, rest := fields[at], slices.Concat(fields[:at], fields[at+1:])
	switch {
	case active.After == false, onlyOn:
		return [][]model.FieldDiff{{active}, rest}
	case c.profile.UpdateWhenInactive == "with_reactivation":
		return [][]model.FieldDiff{slices.Insert(rest, 0, active)}
	}
	return [][]model.FieldDiff{rest, {active}}
}

// fits reports whether a PATCH is within the profile's limits.
func (c *Client) fits(body map[string]any) bool {
	p := c.profile.Patch
	ops, _ := body["Operations"].([]any)
	if p.MaxOps > 0 && len(ops) > p.MaxOps {
		return false
	}
	if p.MaxBody == 0 {
		return true
	}
	text, err := json.Marshal(body)
	return err == nil && len(text) <= p.MaxBody
}

// patch is a PatchOp with an operation per differing attribute (RFC 7644 §3.5.2), or
// with one that holds them all where the application reads no paths.
func (c *Client) patch(e edit) (map[string]any, error) {
	var ops []any
	whole, elements := map[string]any{}, made{}
	for _, f := range e.fields {
		p, err := parseAttr(f.Path)
		if err != nil {
			return nil, &ClientError{Class: Invalid, Err: err}
		}
		if c.profile.Patch.WithoutPath == "required" && f.After != nil && len(p.conds) == 0 {
			p.set(whole, c.patchValue(f.After))
			continue
		}
		if len(p.conds) > 0 && f.Before == nil && f.After != nil && !e.there[elementKey(f.Path)] {
			if op := c.element(elements, p, f); op != nil {
				ops = append(ops, op)
			}
			continue
		}
		ops = append(ops, c.operation(p, f, e))
	}
	if len(whole) > 0 {
		ops = append(ops, map[string]any{"op": c.op("replace"), "value": whole})
	}
	return patchOp(ops), nil
}

func patchOp(ops []any) map[string]any {
	return map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": ops}
}

// operation says one difference. An element of a list goes with the last part of it.
func (c *Client) operation(p attrPath, f model.FieldDiff, e edit) map[string]any {
	switch {
	case p.uri != "" && strings.EqualFold(p.sub, "value") && len(p.conds) == 0:
		return c.reference(p.uri+":"+p.attr, f)
	case f.After == nil && e.ends[f.Path]:
		return map[string]any{"op": c.op("remove"), "path": f.Path[:strings.LastIndex(f.Path, "]")+1]}
	case f.After == nil:
		return map[string]any{"op": c.op("remove"), "path": f.Path}
	case f.Before == nil && len(p.conds) > 0:
		return map[string]any{"op": c.op("add"), "path": f.Path, "value": c.patchValue(f.After)}
	}
	return map[string]any{"op": c.op("replace"), "path": f.Path, "value": c.patchValue(f.After)}
}

// reference says a difference in what holds a value and what the application says of
// it, such as the manager. It is named whole: some applications read no path that goes
// into an attribute of an extension.
func (c *Client) reference(path string, f model.FieldDiff) map[string]any {
	if f.After == nil {
		return map[string]any{"op": c.op("remove"), "path": path}
	}
	return map[string]any{"op": c.op("replace"), "path": path, "value": map[string]any{"value": c.patchValue(f.After)}}
}

// op is the name of an operation as the application spells it.
func (c *Client) op(name string) string {
	if c.profile.Patch.OpCase == "capital" {
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

// patchValue is a copy of a value as the application reads it in a PATCH.
func (c *Client) patchValue(v any) any {
	if v = copyValue(v); !c.profile.Patch.BoolAsString {
		return v
	}
	return boolsAsText(v)
}

func boolsAsText(v any) any {
	switch n := v.(type) {
	case bool:
		if n {
			return "True"
		}
		return "False"
	case []any:
		for i, e := range n {
			n[i] = boolsAsText(e)
		}
	case map[string]any:
		for k, e := range n {
			n[k] = boolsAsText(e)
		}
	}
	return v
}
