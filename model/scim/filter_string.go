package scim

import (
	"strconv"
	"strings"
	"time"
)

// String renders the terms joined by and.
func (f And) String() string { return joined(f.Terms, andWord) }

// String renders the terms joined by or.
func (f Or) String() string { return joined(f.Terms, " or ") }

const andWord = " and "

func joined(terms []Filter, word string) string {
	var b strings.Builder
	for i, t := range terms {
		if i > 0 {
			b.WriteString(word)
		}
		if _, or := t.(Or); or && word == andWord {
			b.WriteString("(" + t.String() + ")")
		} else {
			b.WriteString(t.String())
		}
	}
	return b.String()
}

// String renders the term as not (…).
func (f Not) String() string { return "not (" + f.Term.String() + ")" }

// String renders path, operator and value; a bound dateTime as RFC 3339.
func (f Compare) String() string {
	b := append([]byte(f.Path.String()), ' ')
	b = append(b, f.Op...)
	b = append(b, ' ')
	switch v := f.Value.(type) {
	case string:
		b = appendQuoted(b, v)
	case bool:
		b = strconv.AppendBool(b, v)
	case int64:
		if f.Attr != nil && f.Attr.Type == TypeDateTime {
			b = appendQuoted(b, time.UnixMicro(v).UTC().Format(time.RFC3339Nano))
		} else {
			b = strconv.AppendInt(b, v, 10)
		}
	case float64:
		n := len(b)
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
		if !strings.ContainsAny(string(b[n:]), ".e") {
			b = append(b, ".0"...)
		}
	default:
		b = append(b, "null"...)
	}
	return string(b)
}

// String renders the path and pr.
func (f Present) String() string { return f.Path.String() + " pr" }

// String renders a filter that holds for nothing: every resource has an id.
func (None) String() string { return "not (id pr)" }

// String renders the path with the term in brackets.
func (f ValuePath) String() string { return f.Path.String() + "[" + f.Term.String() + "]" }

// String renders the path in the RFC's grammar: [URI:]Attr[Filter].Sub.
func (p Path) String() string {
	if p.Filter == nil {
		return p.name()
	}
	s := Path{URI: p.URI, Attr: p.Attr}.name() + "[" + p.Filter.String() + "]"
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

// name is the path without its filter.
func (p Path) name() string {
	s := p.Attr
	if p.URI != "" {
		s = p.URI
		if p.Attr != "" {
			s += ":" + p.Attr
		}
	}
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

// DocPath is the chain of keys that leads to the path's value in a search
// document: the extension's URN, the attribute, the sub-attribute, all in lower
// case, as far as the path has them.
func (p Path) DocPath() []string {
	keys := make([]string, 0, 3)
	for _, k := range []string{p.URI, p.Attr, p.Sub} {
		if k != "" {
			keys = append(keys, strings.ToLower(k))
		}
	}
	return keys
}

// appendQuoted appends s as a JSON string that reads back the same.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
