package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// FindGroup finds a group by display name; only one that carries it counts.
func (c *Client) FindGroup(ctx context.Context, name string) (RemoteGroup, bool, error) {
	query := url.Values{"excludedAttributes": {"members"}}
	if term, can := c.profile.searchName(c.profile.Filters.Groups, attrPath{attr: "displayName"}); can {
		query.Set("filter", equals(term, name))
	} else if !c.profile.ListTrustworthy {
		return RemoteGroup{}, false, c.unsearchable("groups", "displayName")
	}
	var found *RemoteGroup
	for doc, err := range c.pages(ctx, "/Groups", query, "members") {
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

// ListGroups streams all groups. Members are not held, whatever the target sends.
func (c *Client) ListGroups(ctx context.Context) iter.Seq2[RemoteGroup, error] {
	return func(yield func(RemoteGroup, error) bool) {
		for doc, err := range c.pages(ctx, "/Groups", url.Values{"excludedAttributes": {"members"}}, "members") {
			var g RemoteGroup
			if err == nil {
				g, err = groupOf(doc)
			}
			if !yield(g, err) || err != nil {
				return
			}
		}
	}
}

// CreateGroup makes an empty group.
func (c *Client) CreateGroup(ctx context.Context, name string) (RemoteGroup, error) {
	if err := c.groupName(name); err != nil {
		return RemoteGroup{}, err
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "/Groups", body: map[string]any{
		"schemas": []any{scim.URNGroup}, "displayName": name,
	}})
	if err != nil {
		return RemoteGroup{}, err
	}
	if a.doc != nil && idOf(a.doc) != "" {
		return groupOf(a.doc)
	}
	if id := idIn(a.location, "Groups"); id != "" {
		return RemoteGroup{ID: id, Name: name}, nil
	}
	return RemoteGroup{}, noID(a)
}

// groupName refuses a name that is beyond the profile's limit for names of groups,
// which it states below the attribute's full name, users having one of the same name.
func (c *Client) groupName(name string) error {
	for _, path := range sortedPaths(c.profile.Limits) {
		l := c.profile.Limits[path]
		switch {
		case !strings.EqualFold(path, scim.URNGroup+":displayName"):
		case l.Len > 0 && utf8.RuneCountInString(name) > l.Len:
			return &ClientError{Class: Invalid, Detail: fmt.Sprintf("the group's name has %d characters, %s takes %d", utf8.RuneCountInString(name), c.application(), l.Len)}
		case l.Charset != "" && strings.ContainsAny(name, l.Charset):
			return &ClientError{Class: Invalid, Detail: fmt.Sprintf("the group's name holds one of %q, which %s refuses", l.Charset, c.application())}
		}
	}
	return nil
}

// RenameGroup gives a group another display name.
func (c *Client) RenameGroup(ctx context.Context, id, name string) error {
	if !c.profile.Rename.Group {
		return &ClientError{Class: Invalid, Detail: c.application() + " cannot rename groups"}
	}
	if err := c.groupName(name); err != nil {
		return err
	}
	return c.setGroup(ctx, id, "displayName", name)
}

// setGroup writes one attribute of a group in the way the application takes changes.
func (c *Client) setGroup(ctx context.Context, id, attr, value string) error {
	if !c.profile.Patch.Supported {
		return c.replaceGroup(ctx, id, func(doc map[string]any) { put(doc, attr, value) })
	}
	op := map[string]any{"op": c.op("replace"), "path": attr, "value": value}
	if c.profile.Patch.WithoutPath == "required" {
		op = map[string]any{"op": c.op("replace"), "value": map[string]any{attr: value}}
	}
	_, err := c.do(ctx, request{method: http.MethodPatch, path: "/Groups/" + url.PathEscape(id), body: patchOp([]any{op})})
	return err
}

// DeleteGroup removes a group. An application whose profile forbids it is not asked.
func (c *Client) DeleteGroup(ctx context.Context, id string) error {
	if c.profile.DeleteGroup == "forbidden" {
		return &ClientError{Class: Invalid, Detail: c.application() + " cannot delete groups"}
	}
	_, err := c.do(ctx, request{method: http.MethodDelete, path: "/Groups/" + url.PathEscape(id)})
	return err
}

// replaceGroup changes a group with PUT. Its members go with it, so they must have
// been readable: a group written back without them would lose them all.
func (c *Client) replaceGroup(ctx context.Context, id string, change func(map[string]any)) error {
	if !c.profile.MembersReadable {
		return &ClientError{Class: Unreadable, Detail: c.application() + " takes whole groups only and does not show their members: writing one would empty it"}
	}
	_, err := c.replace(ctx, "/Groups/"+url.PathEscape(id), id, groupBodyLimit, func(doc map[string]any) error {
		change(doc)
		for _, readOnly := range []string{"id", "meta"} {
			put(doc, readOnly, nil)
		}
		addSchemas(doc, scim.URNGroup)
		return nil
	})
	return err
}
