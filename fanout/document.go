package fanout

import (
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// document is the account as a SCIM User. Paths that cannot be read are left
// out; the configuration refuses them before they come here.
func document(a model.Account) map[string]any {
	doc := map[string]any{"userName": a.UserName, "active": a.Active}
	for _, path := range sortedPaths(a.Attrs) {
		if p, err := parseAttr(path); err == nil {
			p.set(doc, copyValue(plain(a.Attrs[path])))
		}
	}
	addSchemas(doc, scim.URNUser)
	return doc
}

// addSchemas names the schemas of a resource's attributes, beside those that it names.
func addSchemas(doc map[string]any, core string) {
	v, _ := field(doc, "schemas")
	list, _ := v.([]any)
	list = slices.Clone(list)
	for _, uri := range append([]string{core}, sortedPaths(doc)...) {
		isOf := func(s any) bool { text, _ := s.(string); return strings.EqualFold(text, uri) }
		if strings.HasPrefix(strings.ToLower(uri), "urn:") && !slices.ContainsFunc(list, isOf) {
			list = append(list, uri)
		}
	}
	put(doc, "schemas", list)
}

func sortedPaths[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func copyValue(v any) any {
	switch n := v.(type) {
	case []any:
		out := make([]any, len(n))
		for i, e := range n {
			out[i] = copyValue(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(n))
		for k, e := range n {
			out[k] = copyValue(e)
		}
		return out
	}
	return v
}

// observe reads from a target's user the attributes that the hub owns, which are
// those of the accounts in like. Where the target shows all that was written, in
// whatever order and with additions of its own, the written value is returned,
// so that it compares as equal. Groups are read elsewhere. An absent active
// means active (RFC 7643 §4.1.1 leaves it to the service provider).
func observe(p Profile, u RemoteUser, like ...*model.Account) model.Account {
	out := model.Account{UserName: u.UserName, Active: u.Active}
	for _, l := range like {
		if l == nil {
			continue
		}
		if strings.EqualFold(out.UserName, l.UserName) {
			out.UserName = l.UserName // user names do not differ by case (RFC 7643 §4.1.1)
		}
		for path, written := range l.Attrs {
			if _, done := out.Attrs[path]; done {
				continue
			}
			a, err := parseAttr(path)
			if err != nil {
				continue
			}
			shown := a.get(u.Attrs)
			if shown == nil {
				continue
			}
			if w := plain(written); covers(shown, w) {
				shown = w
			}
			if out.Attrs == nil {
				out.Attrs = map[string]any{}
			}
			out.Attrs[path] = shown
		}
	}
	return p.Canonical(out)
}
