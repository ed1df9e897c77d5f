package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// FindGroup finds a group by display name; only one that carries it counts.
func (c *Client) FindGroup(ctx context.Context, name string) (RemoteGroup, bool, error) {
	query := url.Values{"excludedAttributes": {"members"}}
	if c.profile.GroupFilterable("displayName") {
		query.Set("filter", equals("displayName", name))
	}
	var found *RemoteGroup
	for doc, err := range c.pages(ctx, "/Groups", query) {
		var g RemoteGroup
		if err == nil {
			g, err = groupOf(doc)
		}
		if err != nil {
			return RemoteGroup{}, false, err
		}
		if !strings.EqualFold(g.Name, name) || (found != nil && found.ID == g.ID) {
			continue
		}
		if found != nil {
			return RemoteGroup{}, false, &ClientError{Class: Conflict, Detail: fmt.Sprintf("more than one group is called %q: %s and %s", name, found.ID, g.ID)}
		}
		found = &RemoteGroup{ID: g.ID, Name: g.Name}
	}
	if found == nil {
		return RemoteGroup{}, false, nil
	}
	return *found, true, nil
}

// Group reads a group with its members.
func (c *Client) Group(ctx context.Context, id string) (RemoteGroup, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/Groups/" + url.PathEscape(id), limit: groupBodyLimit})
	if err != nil {
		return RemoteGroup{}, err
	}
	if a.doc == nil {
		return RemoteGroup{}, &ClientError{Class: Garbage, Status: a.status, Detail: "an empty answer to a read"}
	}
	g, err := groupOf(a.doc)
	if err == nil && !strings.EqualFold(g.ID, id) {
		err = &ClientError{Class: Garbage, Status: a.status, Detail: "the target answers with another resource than the one asked for"}
	}
	return g, err
}

// CreateGroup makes an empty group.
func (c *Client) CreateGroup(ctx context.Context, name string) (RemoteGroup, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, path: "/Groups", body: map[string]any{
		"schemas": []any{scim.URNGroup}, "displayName": name,
	}})
	if err != nil {
		return RemoteGroup{}, err
	}
	if a.doc == nil {
		return RemoteGroup{}, &ClientError{Class: Garbage, Status: a.status, Detail: "the answer to a create names no id"}
	}
	return groupOf(a.doc)
}

// PatchMembers adds in one operation and removes by value path, one operation a
// member: the form that every target reads alike.
func (c *Client) PatchMembers(ctx context.Context, groupID string, add, remove []string) error {
	var ops []any
	if len(add) > 0 {
		values := make([]any, len(add))
		for i, id := range add {
			values[i] = map[string]any{"value": id}
		}
		ops = append(ops, map[string]any{"op": "add", "path": "members", "value": values})
	}
	for _, id := range remove {
		ops = append(ops, map[string]any{"op": "remove", "path": "members[value eq " + quoted(id) + "]"})
	}
	if len(ops) == 0 {
		return nil
	}
	_, err := c.do(ctx, request{method: http.MethodPatch, path: "/Groups/" + url.PathEscape(groupID), body: patchOp(ops)})
	return err
}

// ListGroups streams all groups.
func (c *Client) ListGroups(ctx context.Context) iter.Seq2[RemoteGroup, error] {
	return func(yield func(RemoteGroup, error) bool) {
		for doc, err := range c.pages(ctx, "/Groups", url.Values{"excludedAttributes": {"members"}}) {
			var g RemoteGroup
			if err == nil {
				g, err = groupOf(doc)
			}
			if !yield(RemoteGroup{ID: g.ID, Name: g.Name}, err) || err != nil {
				return
			}
		}
	}
}

// Members streams the ids of a group's members.
func (c *Client) Members(ctx context.Context, groupID string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !c.profile.MembersReadable {
			yield("", &ClientError{Class: Unreadable, Detail: c.profile.Name + " never shows the members of a group"})
			return
		}
		g, err := c.Group(ctx, groupID)
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range g.Members {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// RenameGroup gives a group another display name.
func (c *Client) RenameGroup(ctx context.Context, id, name string) error {
	if !c.profile.Rename.Group {
		return &ClientError{Class: Invalid, Detail: c.profile.Name + " cannot rename groups"}
	}
	_, err := c.do(ctx, request{method: http.MethodPatch, path: "/Groups/" + url.PathEscape(id), body: patchOp([]any{
		map[string]any{"op": "replace", "path": "displayName", "value": name},
	})})
	return err
}

// DeleteGroup removes a group.
func (c *Client) DeleteGroup(ctx context.Context, id string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: "/Groups/" + url.PathEscape(id)})
	return err
}
