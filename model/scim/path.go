package scim

import (
	"strings"
)

// ParsePath reads an attribute path as in attributes, sortBy or the path of a
// PATCH operation (RFC 7644 §3.10, §3.5.2): userName, name.givenName,
// emails[type eq "work"].value, urn:…:User:department, or the URN of an extension
// alone. The result is unbound. The error is an *Error 400 invalidPath, or
// invalidFilter for what stands in brackets.
func ParsePath(s string) (Path, error) {
	return parsePath(s, &Dialect{})
}

func parsePath(s string, d *Dialect) (Path, error) {
	p := &parser{s: s, kind: InvalidPath, d: d}
	if err := p.check("path"); err != nil {
		return Path{}, err
	}
	p.skip()
	word := p.peek()
	if word == "" {
		return Path{}, p.expected("an attribute name")
	}
	path, err := p.attrPath(word)
	if err != nil {
		return Path{}, err
	}
	if p.at('[') {
		p.kind = InvalidFilter
		if path.Filter, err = p.brackets(path); err != nil {
			return Path{}, err
		}
		p.kind = InvalidPath
		if p.at('.') {
			if path.Sub, err = p.subAttribute(); err != nil {
				return Path{}, err
			}
		}
	}
	if p.skip(); p.pos < len(p.s) {
		return Path{}, p.expected("the end of the path")
	}
	return path, nil
}

// attrPath reads [URI:]name[.sub], which is the word at the position. The URI
// ends at the last colon; it may hold dots, so only what follows is cut at one.
func (p *parser) attrPath(word string) (Path, error) {
	var path Path
	name := word
	start := p.pos
	if i := strings.LastIndexByte(word, ':'); i >= 0 {
		path.URI, name = word[:i], word[i+1:]
		p.pos += i + 1
	}
	if path.URI == "" && name != word {
		return Path{}, p.expected("a URN before the colon")
	}
	path.Attr = name
	if i := strings.IndexByte(name, '.'); i >= 0 {
		path.Attr, path.Sub = name[:i], name[i+1:]
		// urn:…:User.manager.value: a dot where a colon belongs.
		if j := strings.IndexByte(path.Sub, '.'); j >= 0 && path.URI != "" && p.d.use(p.d.URNDot, FlagURNDot) {
			path.URI += ":" + path.Attr
			path.Attr, path.Sub = path.Sub[:j], path.Sub[j+1:]
		}
	}
	dotted := path.Attr != name
	if !validName(path.Attr) || dotted && !validName(path.Sub) {
		if !validURN(word) {
			return Path{}, p.expected("an attribute name")
		}
		path = Path{URI: word} // urn:…:2.0: what follows the last colon is no name, so it is a URN alone
	}
	p.pos = start + len(word)
	return path, nil
}

// Resolve finds the attribute that an unbound or bound path names and returns the
// path bound: names in the schema's case, URI empty for core and common
// attributes, the filter bound. The attribute is the sub-attribute where the path
// has one, and nil where it names a whole extension. The error is an *Error 400
// invalidPath, or invalidFilter for the filter.
func (t *ResourceType) Resolve(p Path) (Path, *Attribute, error) {
	return t.resolve(p, &Dialect{})
}

func (t *ResourceType) resolve(p Path, d *Dialect) (Path, *Attribute, error) {
	f, problem := t.find(p, d)
	if problem != "" {
		return Path{}, nil, Errorf(400, InvalidPath, "%s", problem)
	}
	out := f.path
	if p.Filter != nil {
		if f.attr == nil || !f.attr.MultiValued {
			return Path{}, nil, Errorf(400, InvalidPath, "%s: [ ] selects among the values of a multi-valued attribute", p.name())
		}
		term, err := (&binder{t: t, d: d, elem: f.attr}).bind(p.Filter)
		if err != nil {
			return Path{}, nil, err
		}
		out.Filter = term
	}
	return out, f.last(), nil
}

// found is what a path names: the bound path without filter, the attribute and
// the sub-attribute. attr is nil for a whole extension.
type found struct {
	path      Path
	attr, sub *Attribute
	ext       *Schema
}

func (f found) last() *Attribute {
	if f.sub != nil {
		return f.sub
	}
	return f.attr
}

// find resolves names. The problem, for people, names the path and the rule.
func (t *ResourceType) find(p Path, d *Dialect) (found, string) {
	f, ok := t.findAttr(p, d)
	switch {
	case !ok && p.URI != "":
		return found{}, p.name() + ": there is no such attribute in the schemas of " + t.Name
	case !ok:
		return found{}, p.name() + ": " + t.Name + " has no such attribute"
	case f.attr == nil || f.path.Sub == "":
		return f, ""
	case f.attr.Type != TypeComplex:
		return found{}, p.name() + ": " + f.attr.Name + " has no sub-attributes"
	}
	sub, ok := f.attr.SubAttribute(f.path.Sub)
	if !ok {
		return found{}, p.name() + ": " + f.attr.Name + " has no such sub-attribute"
	}
	f.sub, f.path.Sub = sub, sub.Name
	return f, ""
}

// findAttr resolves URI and Attr and leaves Sub as it is written.
func (t *ResourceType) findAttr(p Path, d *Dialect) (found, bool) {
	if p.URI == "" {
		a, ok := t.Attribute(p.Attr)
		if !ok {
			return found{}, false
		}
		return found{path: Path{Attr: a.Name, Sub: p.Sub}, attr: a}, true
	}
	if p.Attr == "" {
		s, ok := t.extension(p.URI)
		if !ok {
			return found{}, false
		}
		return found{path: Path{URI: s.ID}, ext: s}, p.Sub == ""
	}
	if strings.EqualFold(p.URI, t.Schema.ID) {
		return t.findAttr(Path{Attr: p.Attr, Sub: p.Sub}, d)
	}
	if s, ok := t.extension(p.URI); ok {
		a, ok := s.Attribute(p.Attr)
		if !ok {
			return found{}, false
		}
		return found{path: Path{URI: s.ID, Attr: a.Name, Sub: p.Sub}, attr: a, ext: s}, true
	}
	return t.findWhole(p, d)
}

// findWhole resolves a URN whose last part was read as an attribute: that of an
// extension alone, or one followed by a dot and the attribute.
func (t *ResourceType) findWhole(p Path, d *Dialect) (found, bool) {
	urn := p.URI + ":" + p.Attr
	s, ok := t.schemaByURN(urn)
	switch {
	case !ok && p.Sub != "" && p.Filter == nil: // a URN with a dot in its last part
		if s, ok = t.extension(urn + "." + p.Sub); !ok {
			return found{}, false
		}
		return found{path: Path{URI: s.ID}, ext: s}, true
	case !ok:
		return found{}, false
	case p.Sub == "" && s != t.Schema && p.Filter == nil:
		return found{path: Path{URI: s.ID}, ext: s}, true
	case p.Sub != "" && d.use(d.URNDot, FlagURNDot):
		return t.findAttr(Path{URI: s.ID, Attr: p.Sub}, d)
	}
	return found{}, false
}
