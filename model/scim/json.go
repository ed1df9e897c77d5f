package scim

import (
	"fmt"
	"strings"
)

// maxJSONDepth bounds the nesting of JSON bodies. SCIM needs about six levels.
const maxJSONDepth = 64

// object is a JSON object in the order in which it was written, so that faults
// are found in that order too.
type object []member

type member struct {
	name       string
	value      any
	at         int // byte offset of the name
	start, end int // of the value
}

// get finds a member by its name in any case.
func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if strings.EqualFold(m.name, name) {
			return m.value, true
		}
	}
	return nil, false
}

// ParseJSON reads one JSON value strictly: at most 64 levels deep, no data behind
// it, no two members of an object that differ only in case, no NUL and no invalid
// UTF-8 in strings. Values are nil, bool, string, int64 (numbers written as an
// integer that fits), float64, []any and map[string]any, as in Resource.Attrs.
// The error is an *Error 400 invalidSyntax, or invalidValue for text in strings.
func ParseJSON(body []byte) (any, error) {
	p := &jsonParser{s: string(body), plain: true}
	return p.document()
}

// parseBody reads a request body, which must be an object.
func parseBody(body []byte, d *Dialect) (object, error) {
	s := string(body)
	if rest := trimBOM(s); len(rest) < len(s) && d.use(d.BOM, FlagBOM) {
		s = rest
	}
	if strings.TrimSpace(s) == "" {
		return nil, Errorf(400, InvalidSyntax, "the body is empty, expected a JSON object")
	}
	p := &jsonParser{s: s}
	v, err := p.document()
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, Errorf(400, InvalidSyntax, "the body must be a JSON object")
	}
	return o, nil
}

func trimBOM(s string) string { return strings.TrimPrefix(s, "\ufeff") }

// jsonParser is a recursive descent parser of bounded depth. With plain it makes
// maps, else objects.
type jsonParser struct {
	s     string
	pos   int
	depth int
	plain bool
}

func (p *jsonParser) fail(format string, args ...any) error {
	return Errorf(400, InvalidSyntax, "not valid JSON at byte %d: %s", p.pos+1, fmt.Sprintf(format, args...))
}

func (p *jsonParser) document() (any, error) {
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.s) {
		return nil, p.fail("data after the end of the value")
	}
	return v, nil
}

func (p *jsonParser) skip() {
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
}

func (p *jsonParser) value() (any, error) {
	p.skip()
	if p.pos == len(p.s) {
		return nil, p.fail("unexpected end")
	}
	switch c := p.s[p.pos]; {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, err := p.str()
		// A copy, so that a short value does not keep the whole body alive.
		return strings.Clone(s), err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for _, lit := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.pos:], lit) {
			p.pos += len(lit)
			if lit == "null" {
				return nil, nil
			}
			return lit == "true", nil
		}
	}
	return nil, p.fail("unexpected character %q", p.s[p.pos])
}

func (p *jsonParser) number() (any, error) {
	end := p.pos
	for end < len(p.s) && (isWord(p.s[end]) && p.s[end] != ',') {
		end++
	}
	n, ok := number(p.s[p.pos:end])
	if !ok {
		return nil, p.fail("not a number, or too large")
	}
	p.pos = end
	return n, nil
}

func (p *jsonParser) str() (string, error) {
	s, next, fault := scanString(p.s, p.pos)
	switch fault {
	case "":
		p.pos = next
		return s, nil
	case badNUL, badUTF8:
		return "", Errorf(400, InvalidValue, "at byte %d: %s", next+1, fault)
	}
	p.pos = next
	return "", p.fail("%s", fault)
}

func (p *jsonParser) enter() error {
	if p.depth++; p.depth > maxJSONDepth {
		return p.fail("nested deeper than %d levels", maxJSONDepth)
	}
	p.pos++
	p.skip()
	return nil
}

// next goes past a comma or the closing bracket and says whether it closed.
func (p *jsonParser) next(closing byte) (done bool, err error) {
	p.skip()
	if p.pos == len(p.s) {
		return false, p.fail("unexpected end")
	}
	switch p.s[p.pos] {
	case closing:
		p.pos++
		p.depth--
		return true, nil
	case ',':
		p.pos++
		p.skip()
		return false, nil
	}
	return false, p.fail("expected , or %c", closing)
}

func (p *jsonParser) empty(closing byte) bool {
	if p.pos < len(p.s) && p.s[p.pos] == closing {
		p.pos++
		p.depth--
		return true
	}
	return false
}

func (p *jsonParser) array() (any, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	list := []any{}
	if p.empty(']') {
		return list, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if done, err := p.next(']'); done || err != nil {
			return list, err
		}
	}
}

func (p *jsonParser) object() (any, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	var o object
	var seen map[string]bool
	closed := p.empty('}')
	for !closed {
		m, err := p.member()
		if err != nil {
			return nil, err
		}
		if seen, err = p.distinct(o, seen, m.name); err != nil {
			return nil, err
		}
		o = append(o, m)
		if closed, err = p.next('}'); err != nil {
			return nil, err
		}
	}
	if !p.plain {
		return o, nil
	}
	out := make(map[string]any, len(o))
	for _, m := range o {
		out[strings.Clone(m.name)] = m.value
	}
	return out, nil
}

func (p *jsonParser) member() (member, error) {
	if p.pos == len(p.s) || p.s[p.pos] != '"' {
		return member{}, p.fail("expected a member name")
	}
	m := member{at: p.pos}
	name, err := p.str()
	if err != nil {
		return member{}, err
	}
	m.name = name
	p.skip()
	if p.pos == len(p.s) || p.s[p.pos] != ':' {
		return member{}, p.fail("expected :")
	}
	p.pos++
	p.skip()
	m.start = p.pos
	m.value, err = p.value()
	m.end = p.pos
	return m, err
}

// distinct refuses a name that the object has already. Small objects are
// searched, larger ones get a set.
func (p *jsonParser) distinct(o object, seen map[string]bool, name string) (map[string]bool, error) {
	dup := false
	if len(o) < 12 {
		_, dup = o.get(name)
	} else {
		if seen == nil {
			seen = make(map[string]bool, 2*len(o))
			for _, m := range o {
				seen[strings.ToLower(m.name)] = true
			}
		}
		key := strings.ToLower(name)
		dup = seen[key]
		seen[key] = true
	}
	if dup {
		return nil, Errorf(400, InvalidSyntax, "%s: appears twice in one object", name)
	}
	return seen, nil
}
