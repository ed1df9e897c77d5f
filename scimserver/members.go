package scimserver

import (
	"maps"
	"net/url"

	"github.com/scimhub/scimhub/model/scim"
)

// memberList is the members of a group that are shown as they are. They are encoded
// from the backend's own values: to render each of ten thousand members first took
// most of the time of reading a group.
type memberList struct {
	list []any // objects with a value each
	base string
}

// memberKeys are the sub-attributes of members in the order in which they are
// written. $ref is made of type and value.
func memberKeys() [3]string { return [3]string{"display", "type", "value"} }

// shownMembers returns the members of a group and the group without them, if they
// are to be shown whole.
func shownMembers(t *scim.ResourceType, res scim.Resource, base string, f scim.Fields) (memberList, scim.Resource, bool) {
	list, _ := res.Attrs["members"].([]any)
	if len(list) == 0 || t.Name != "Group" || len(f.Include)+len(f.Exclude) > 0 || !plainMembers(t) {
		return memberList{}, res, false
	}
	for _, e := range list {
		m, _ := e.(map[string]any)
		if id, _ := m["value"].(string); id == "" {
			return memberList{}, res, false
		}
	}
	res.Attrs = maps.Clone(res.Attrs)
	delete(res.Attrs, "members")
	return memberList{list, base}, res, true
}

// plainMembers reports whether members are defined as in RFC 7643 §4.2.
func plainMembers(t *scim.ResourceType) bool {
	a, ok := t.Schema.Attribute("members")
	if !ok {
		return false
	}
	for _, sub := range a.Sub {
		known := sub.Name == "$ref"
		for _, key := range memberKeys() {
			known = known || sub.Name == key
		}
		if !known || sub.Returned != scim.ReturnedDefault || sub.Mutability == scim.WriteOnly {
			return false
		}
	}
	return true
}

// groupBody is a group with its members, which come last.
type groupBody struct {
	rest    any // an object, never empty: it has the id
	members memberList
}

// spill may take away what is encoded already; see output.spill.
type spill func(out []byte) ([]byte, error)

// appendGroup writes one object of the two parts.
func appendGroup(out []byte, g groupBody, away spill) ([]byte, error) {
	out, err := appendJSON(out, g.rest)
	if err != nil {
		return out, err
	}
	out = append(out[:len(out)-1], `,"members":`...)
	if out, err = appendMembers(out, g.members, away); err != nil {
		return out, err
	}
	return append(out, '}'), nil
}

// appendMembers writes what ResourceType.Render shows of the members.
func appendMembers(out []byte, l memberList, away spill) ([]byte, error) {
	user, err := appendString(nil, l.base+"/Users/")
	if err != nil {
		return out, err
	}
	group, err := appendString(nil, l.base+"/Groups/")
	if err != nil {
		return out, err
	}
	out = append(out, '[')
	for i, e := range l.list {
		m, _ := e.(map[string]any)
		id, _ := m["value"].(string)
		start := user
		if m["type"] == "Group" {
			start = group
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, `{"$ref":`...), start[:len(start)-1]...)
		out = append(append(out, escaped(id)...), '"')
		for _, key := range memberKeys() {
			v := m[key]
			if v == nil {
				continue
			}
			out = append(append(append(out, `,"`...), key...), `":`...)
			if out, err = appendJSON(out, v); err != nil {
				return out, err
			}
		}
		out = append(out, '}')
		if away != nil {
			if out, err = away(out); err != nil {
				return out, err
			}
		}
	}
	return append(out, ']'), nil
}

// escaped is an id in a URL; percent-encoding leaves nothing that JSON would escape.
func escaped(id string) string {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return url.PathEscape(id)
		}
	}
	return id
}
