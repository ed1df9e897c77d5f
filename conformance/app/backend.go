package app

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// habits gives a backend the deviations of a profile that do not concern HTTP.
type habits struct {
	scimserver.Backend
	profile Profile
}

var _ scimserver.Backend = habits{}

// Get returns a resource as the application shows it.
func (h habits) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	res, err := h.Backend.Get(ctx, t, id, want)
	return h.shown(res), err
}

// List refuses the filters that the application does not know.
func (h habits) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	if err := h.checkFilter(t, q.Filter); err != nil {
		return scim.Page{}, err
	}
	page, err := h.Backend.List(ctx, t, q)
	for i := range page.Resources {
		page.Resources[i] = h.shown(page.Resources[i])
	}
	return page, err
}

// Create refuses what the application's own rules forbid.
func (h habits) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	if err := h.checkAttributes(t, attrs); err != nil {
		return scim.Resource{}, err
	}
	res, err := h.Backend.Create(ctx, t, attrs)
	return h.shown(res), err
}

// Modify refuses what the application's own rules forbid.
func (h habits) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	err := h.checkPatch(t, c)
	if err == nil && c.Replace != nil {
		err = h.checkReplace(ctx, t, id, c.Replace)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	res, err := h.Backend.Modify(ctx, t, id, pre, c, want)
	return h.shown(res), err
}

// Delete removes, deactivates or refuses.
func (h habits) Delete(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	switch {
	case t.Name != "User":
	case h.profile.NoDelete:
		return scim.Errorf(http.StatusNotImplemented, "", "users cannot be deleted here; set active to false")
	case h.profile.DeleteDeactivates:
		off := scim.Change{Patch: scim.Patch{{Op: "replace", Path: &scim.Path{Attr: "active"}, Value: false}}}
		_, err := h.Backend.Modify(ctx, t, id, pre, off, scim.Fields{})
		return err
	}
	return h.Backend.Delete(ctx, t, id, pre)
}

// shown hides what the application does not show.
func (h habits) shown(r scim.Resource) scim.Resource {
	if !h.profile.NoMembersInGet || r.Type != "Group" || r.Attrs["members"] == nil {
		return r
	}
	r.Attrs = maps.Clone(r.Attrs)
	delete(r.Attrs, "members")
	return r
}

func (h habits) checkFilter(t *scim.ResourceType, f scim.Filter) error {
	if f == nil {
		return nil
	}
	if h.profile.UserNameFilterOnly && t.Name == "User" {
		c, ok := f.(scim.Compare)
		if !ok || c.Op != scim.Eq || c.Path.Attr != "userName" {
			return scim.Errorf(http.StatusBadRequest, scim.InvalidFilter, "users can be filtered by userName eq only")
		}
	}
	if h.profile.EqualityOnly && !equality(f) {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidFilter, "filters may use eq and and only")
	}
	return nil
}

func equality(f scim.Filter) bool {
	switch f := f.(type) {
	case scim.Compare:
		return f.Op == scim.Eq
	case scim.ValuePath:
		return equality(f.Term)
	case scim.And:
		for _, term := range f.Terms {
			if !equality(term) {
				return false
			}
		}
		return true
	}
	return false
}

// checkAttributes holds a whole resource against the application's rules.
func (h habits) checkAttributes(t *scim.ResourceType, attrs map[string]any) error {
	if n := length(attrs["members"]); h.profile.MaxMembersPerPatch > 0 && n > h.profile.MaxMembersPerPatch {
		return tooManyMembers(n, h.profile.MaxMembersPerPatch)
	}
	if t.Name != "User" {
		return nil
	}
	for _, path := range h.profile.Required {
		if !present(attrs, path) {
			return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s: is required here", path)
		}
	}
	name, _ := attrs["userName"].(string)
	if most := h.profile.UserNameMax; most > 0 && utf8.RuneCountInString(name) > most {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "userName: may have at most %d characters here", most)
	}
	for attribute, value := range attrs {
		if h.profile.SingleValues && attribute != "schemas" && length(value) > 1 {
			return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s: takes one value here", attribute)
		}
	}
	return nil
}

func (h habits) checkReplace(ctx context.Context, t *scim.ResourceType, id string, attrs map[string]any) error {
	if t.Name == "Group" && h.profile.NoGroupRename {
		old, err := h.Backend.Get(ctx, t, id, scim.Fields{})
		if err == nil && old.Attrs["displayName"] != attrs["displayName"] {
			return renameRefused()
		}
	}
	return h.checkAttributes(t, attrs)
}

func renameRefused() error {
	return scim.Errorf(http.StatusBadRequest, scim.Mutability, "displayName: groups cannot be renamed here")
}

func tooManyMembers(n, most int) error {
	return scim.Errorf(http.StatusBadRequest, scim.TooMany, "members: %d named, at most %d in one request", n, most)
}

// checkPatch holds a PATCH against the application's rules. Operations without a
// path have become one for each attribute by now.
func (h habits) checkPatch(t *scim.ResourceType, c scim.Change) error {
	if c.Patch == nil || t.Name != "Group" {
		return nil
	}
	named := 0
	for _, op := range c.Patch {
		switch {
		case op.Path == nil:
		case op.Path.Attr == "displayName" && h.profile.NoGroupRename:
			return renameRefused()
		case op.Path.Attr == "members":
			named += max(1, length(op.Value))
		}
	}
	if most := h.profile.MaxMembersPerPatch; most > 0 && named > most {
		return tooManyMembers(named, most)
	}
	if _, whole := c.MemberScope(); whole && h.profile.NoMembersReplace {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidSyntax, "members: can be added and removed by name only")
	}
	return nil
}

func length(v any) int {
	list, _ := v.([]any)
	return len(list)
}

func present(attrs map[string]any, path string) bool {
	name, sub, nested := strings.Cut(path, ".")
	if !nested {
		return attrs[name] != nil
	}
	inner, _ := attrs[name].(map[string]any)
	return inner[sub] != nil
}
