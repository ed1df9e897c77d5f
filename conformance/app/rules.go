package app

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// checkUser holds a user, as it would be stored, against the application's rules.
func (h habits) checkUser(attrs map[string]any) error {
	p := h.profile
	refuse := func(what, rule string, args ...any) error {
		h.counter.forbid(what)
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, rule, args...)
	}
	for _, name := range p.Refused {
		if attrs[name] != nil {
			return refuse(ForbiddenAttribute, "%s: unsupported attribute", name)
		}
	}
	for _, path := range p.Required {
		if valueAt(attrs, path) == nil {
			return refuse(ForbiddenMissing, "%s: is required here", path)
		}
	}
	for path, rule := range p.Texts {
		text, _ := valueAt(attrs, path).(string)
		if rule.Max > 0 && utf8.RuneCountInString(text) > rule.Max {
			return refuse(ForbiddenValue, "%s: may have at most %d characters here", path, rule.Max)
		}
		if strings.ContainsAny(text, rule.Refuse) {
			return refuse(ForbiddenValue, "%s: has a character that is not possible here", path)
		}
	}
	if !p.SingleValues {
		return nil
	}
	for attribute, value := range attrs {
		if attribute != "schemas" && attribute != "groups" && length(value) > 1 {
			return refuse(ForbiddenValue, "%s: takes one value here", attribute)
		}
	}
	return nil
}

// checkGroup holds what is to become a group against the application's rules.
func (h habits) checkGroup(attrs map[string]any) error {
	if n := length(attrs["members"]); h.profile.MaxMembersPerPatch > 0 && n > h.profile.MaxMembersPerPatch {
		return h.tooManyMembers(n)
	}
	return h.checkGroupName(attrs["displayName"])
}

func (h habits) checkGroupName(v any) error {
	name, _ := v.(string)
	if most := h.profile.GroupNameMax; most > 0 && utf8.RuneCountInString(name) > most {
		h.counter.forbid(ForbiddenValue)
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "displayName: may have at most %d characters here", most)
	}
	return nil
}

// checkGroupPatch holds a PATCH of a group against the application's rules.
// Operations without a path have become one for each attribute by now.
func (h habits) checkGroupPatch(c scim.Change) error {
	names := 0
	for _, op := range c.Patch {
		switch {
		case op.Path == nil:
		case op.Path.Attr == "displayName" && h.profile.NoGroupRename:
			return h.renameRefused()
		case op.Path.Attr == "displayName":
			if err := h.checkGroupName(op.Value); err != nil {
				return err
			}
		case op.Path.Attr == "members":
			names += max(1, length(op.Value))
		}
	}
	if most := h.profile.MaxMembersPerPatch; most > 0 && names > most {
		return h.tooManyMembers(names)
	}
	if _, whole := c.MemberScope(); whole && h.profile.NoMembersReplace {
		h.counter.forbid(ForbiddenReplaceMembers)
		return scim.Errorf(http.StatusBadRequest, scim.InvalidSyntax, "members: can be added and removed by name only")
	}
	return nil
}

func (h habits) renameRefused() error {
	h.counter.forbid(ForbiddenOperation)
	return scim.Errorf(http.StatusBadRequest, scim.Mutability, "displayName: groups cannot be renamed here")
}

func (h habits) tooManyMembers(n int) error {
	h.counter.forbid(ForbiddenMembers)
	return scim.Errorf(http.StatusBadRequest, scim.TooMany, "members: %d named, at most %d in one request", n, h.profile.MaxMembersPerPatch)
}

// cleared counts a PUT that empties what it leaves out.
func (h habits) cleared(before, after map[string]any) {
	for name := range before {
		if after[name] == nil && !slices.Contains([]string{"groups", "schemas", "password"}, name) {
			h.counter.forbid(ForbiddenPutCleared)
			return
		}
	}
}

func length(v any) int {
	list, _ := v.([]any)
	return len(list)
}

// valueAt is the value of attribute or attribute.sub; nil if there is none.
func valueAt(attrs map[string]any, path string) any {
	name, sub, nested := strings.Cut(path, ".")
	if !nested {
		return attrs[name]
	}
	inner, _ := attrs[name].(map[string]any)
	return inner[sub]
}

// emailsOf are the e-mail addresses of a user in lower case.
func emailsOf(attrs map[string]any) []string {
	var out []string
	list, _ := attrs["emails"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		if v, ok := m["value"].(string); ok {
			out = append(out, strings.ToLower(v))
		}
	}
	return out
}
