package scim

import (
	"fmt"
	"slices"
	"strings"
)

// SchemaFault is one thing that is wrong with a schema or resource type of the
// operator's own: where, and the rule. Line and Column (from 1, in bytes) are those
// in the file, 0 where it has none.
type SchemaFault struct {
	Where        string // "urn:…:2.0:Device: attribute slot.unit: type"
	Rule         string
	Line, Column int
}

// String is the fault as one line.
func (f SchemaFault) String() string {
	s := f.Where + ": " + f.Rule
	if f.Where == "" {
		s = f.Rule
	}
	if f.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", f.Line, f.Column, s)
	}
	return s
}

// SchemaFaults is everything that is wrong, as an error.
type SchemaFaults []SchemaFault

// Error lists the faults, one a line.
func (f SchemaFaults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// maxAttributes bounds the attributes of one schema, parts not counted.
const maxAttributes = 500

// ParseSchemas reads a file that holds one schema in the JSON of RFC 7643 §7, or a
// list of them. They are read strictly: no unknown or repeated keys, no values that
// do not fit together, and names that paths and filters can spell. The error is
// SchemaFaults with everything that is wrong. BuildRegistry does what is left to
// check between schemas.
func ParseSchemas(text []byte) ([]*Schema, error) {
	r := newFileReader(text)
	var out []*Schema
	for _, o := range r.objects("a schema") {
		if s := r.schema(o); s != nil {
			out = append(out, s)
		}
	}
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return out, nil
}

// fileReader reads objects of a file and keeps what is wrong with them.
type fileReader struct {
	text   string
	faults SchemaFaults
}

func newFileReader(text []byte) *fileReader { return &fileReader{text: trimBOM(string(text))} }

// fault notes a fault at a byte offset.
func (r *fileReader) fault(at int, where, rule string, args ...any) {
	if len(r.faults) >= 100 {
		return
	}
	before := r.text[:min(max(at, 0), len(r.text))]
	r.faults = append(r.faults, SchemaFault{
		Where: where, Rule: fmt.Sprintf(rule, args...),
		Line:   1 + strings.Count(before, "\n"),
		Column: len(before) - strings.LastIndexByte(before, '\n'),
	})
}

// objects reads the file: one object, or a list of them.
func (r *fileReader) objects(what string) []object {
	p := &jsonParser{s: r.text}
	v, err := p.document()
	if err != nil {
		rule := err.Error()
		if e, ok := AsError(err); ok {
			rule = e.Detail
		}
		r.fault(p.pos, "", "%s", rule)
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var out []object
	for i, e := range list {
		o, ok := e.(object)
		if !ok || len(o) == 0 {
			r.fault(0, "", "the file must hold %s as a JSON object, or a list of such objects; entry %d is neither", what, i+1)
			continue
		}
		out = append(out, o)
	}
	if len(list) == 0 {
		r.fault(0, "", "the file holds nothing")
	}
	return out
}

// keys refuses members that an object does not have.
func (r *fileReader) keys(o object, where string, known ...string) {
	for _, m := range o {
		if slices.Contains(known, m.name) {
			continue
		}
		hint := ""
		for _, k := range known {
			if strings.EqualFold(k, m.name) {
				hint = ", did you mean " + k + "?"
			}
		}
		r.fault(m.at, where, "%q is no key here%s", m.name, hint)
	}
}

func (o object) member(name string) (member, bool) {
	for _, m := range o {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// at is where an object begins, as far as that is known.
func (o object) at() int {
	if len(o) == 0 {
		return 0
	}
	return o[0].at
}

// str reads a string; needed makes it required.
func (r *fileReader) str(o object, where, name string, needed bool) string {
	m, ok := o.member(name)
	s, isText := m.value.(string)
	switch {
	case !ok && needed:
		r.fault(o.at(), where, "%s is required", name)
	case ok && !isText:
		r.fault(m.start, where+": "+name, "must be a string")
	case ok && needed && s == "":
		r.fault(m.start, where+": "+name, "must not be empty")
	}
	return s
}

func (r *fileReader) boolean(o object, where, name string) bool {
	m, ok := o.member(name)
	b, isBool := m.value.(bool)
	if ok && !isBool {
		r.fault(m.start, where+": "+name, "must be true or false")
	}
	return b
}

// word reads one of some words; the first is what holds where none is given.
func (r *fileReader) word(o object, where, name string, words ...string) string {
	m, ok := o.member(name)
	if !ok {
		return words[0]
	}
	s, _ := m.value.(string)
	if !slices.Contains(words, s) {
		r.fault(m.start, where+": "+name, "must be one of %s", strings.Join(words, ", "))
		return words[0]
	}
	return s
}

// strings reads a list of strings, none empty, none twice.
func (r *fileReader) strings(o object, where, name string) []string {
	m, ok := o.member(name)
	if !ok {
		return nil
	}
	list, isList := m.value.([]any)
	if !isList {
		r.fault(m.start, where+": "+name, "must be a list of strings")
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, _ := e.(string)
		switch {
		case s == "":
			r.fault(m.start, where+": "+name, "must be a list of strings that are not empty")
			return nil
		case slices.Contains(out, s):
			r.fault(m.start, where+": "+name, "%q is there twice", s)
		}
		out = append(out, s)
	}
	return out
}

// kind checks what "schemas" says an object of the file is, where it says so.
func (r *fileReader) kind(o object, where, urn string) {
	m, ok := o.member("schemas")
	if !ok {
		return
	}
	list, _ := m.value.([]any)
	if len(list) == 1 {
		if s, _ := list[0].(string); strings.EqualFold(s, urn) {
			return
		}
	}
	r.fault(m.start, where+": schemas", "must be [%q], or left out", urn)
}

// urn reads a schema URN.
func (r *fileReader) urn(o object, where, name string) string {
	had := len(r.faults)
	s := r.str(o, where, name, true)
	if len(r.faults) == had && !validURN(s) {
		m, _ := o.member(name)
		r.fault(m.start, where+": "+name, `%q is no URN, which begins with "urn:" and a namespace, as in urn:acme:params:scim:schemas:extension:employment:2.0:User`, s)
	}
	return s
}

// validURN checks the syntax of RFC 8141 §2, as far as paths and filters can spell
// it: without components behind ? and #, and without characters that end a word.
func validURN(s string) bool {
	parts := strings.Split(s, ":")
	if len(s) > 255 || len(parts) < 3 || !strings.EqualFold(parts[0], "urn") {
		return false
	}
	space := parts[1]
	for i := range len(space) {
		c := space[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && (c != '-' || i == 0 || i == len(space)-1) {
			return false
		}
	}
	for _, p := range parts[2:] {
		if p == "" {
			return false
		}
		for i := range len(p) {
			if c := p[i]; !isWord(c) || strings.IndexByte("?#&,;/%$", c) >= 0 {
				return false
			}
		}
	}
	return len(space) >= 2 && len(space) <= 32
}

// schema reads a schema; nil if it is not even named.
func (r *fileReader) schema(o object) *Schema {
	where := "schema"
	if id, _ := o.get("id"); id != nil {
		where = fmt.Sprint(id)
	}
	r.keys(o, where, "schemas", "id", "name", "description", "attributes", "meta")
	r.kind(o, where, URNSchema)
	s := &Schema{
		ID:          r.urn(o, where, "id"),
		Name:        r.str(o, where, "name", false),
		Description: r.str(o, where, "description", false),
	}
	m, ok := o.member("attributes")
	list, _ := m.value.([]any)
	switch {
	case !ok:
		r.fault(o.at(), where, "attributes is required")
	case len(list) == 0 || len(list) > maxAttributes:
		r.fault(m.start, where+": attributes", "must be a list of 1 to %d attributes", maxAttributes)
	default:
		s.Attributes = r.attributes(list, m.start, where, nil)
	}
	if s.ID == "" {
		return nil
	}
	return s
}
