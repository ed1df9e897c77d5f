package scim

import (
	"net/url"
	"strings"
)

// isLink reports whether a path names meta.location or the $ref of members and
// groups, given what standIn made of it: the id, or the value, that it ends in.
func isLink(written Path, stand *Attribute) bool {
	if stand == nil {
		return false
	}
	last := written.Sub
	if last == "" {
		last = written.Attr
	}
	switch {
	case strings.EqualFold(last, "location"):
		return stand.key == "id" && stand.urnKey == commonURN
	case strings.EqualFold(last, "$ref"):
		return stand.key == "value" && stand.parent != nil && stand.parent.keyed
	}
	return false
}

// standIn is the attribute that is stored for one that is made up when it is shown.
func standIn(path Path, attr *Attribute) (Path, *Attribute) {
	name := "id"
	find := common().Attribute
	if attr.key == "$ref" {
		name, find = "value", attr.parent.SubAttribute
	}
	stored, ok := find(name)
	if !ok {
		return path, attr
	}
	switch {
	case name == "id":
		return Path{Attr: stored.Name}, stored
	case path.Sub == "": // inside of brackets
		path.Attr = stored.Name
	default:
		path.Sub = stored.Name
	}
	return path, stored
}

// link compares the id in a URL, whatever the URL begins with: the service does not
// know all names under which it is reached.
func (b *binder) link(f Compare, path Path, stored *Attribute) (Filter, error) {
	if f.Op != Eq && f.Op != Ne {
		return nil, Errorf(400, InvalidFilter, "%s: can only be compared with eq and ne", f.Path)
	}
	s, ok := f.Value.(string)
	if !ok {
		return nil, Errorf(400, InvalidFilter, "%s: must be compared with a string", f.Path)
	}
	endpoints := []string{b.t.Endpoint}
	if stored.parent != nil {
		endpoints = []string{"/Users", "/Groups"}
	}
	for _, e := range endpoints {
		i := strings.LastIndexByte(s, '/')
		if i < 0 || !strings.HasSuffix(s[:i], e) {
			continue
		}
		if id, err := url.PathUnescape(s[i+1:]); err == nil && id != "" {
			return Compare{Path: path, Op: f.Op, Value: stored.fold(id), Attr: stored}, nil
		}
	}
	return withoutValue(f), nil
}
