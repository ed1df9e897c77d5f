package scim

import (
	"strings"
	"unicode/utf8"
)

// parser reads one filter or path by precedence climbing. Its recursion is
// bounded by MaxFilterDepth.
type parser struct {
	s     string
	pos   int
	depth int
	terms int
	elem  bool   // inside the brackets of a value path
	kind  string // scimType of errors
	d     *Dialect
}

// ParseFilter reads a filter in the grammar of RFC 7644 §3.4.2.2. Beyond it, a
// value path may be followed by a sub-attribute and a comparison or pr:
// emails[type eq "work"].value eq "x". The result is unbound. The error is an
// *Error 400 invalidFilter that says where and what was expected.
func ParseFilter(s string) (Filter, error) {
	return parseFilter(s, plainDialect())
}

func parseFilter(s string, d *Dialect) (Filter, error) {
	p := &parser{s: s, kind: InvalidFilter, d: d}
	if err := p.check("filter"); err != nil {
		return nil, err
	}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.s) {
		return nil, p.expected("and, or, or the end")
	}
	return f, nil
}

func (p *parser) check(what string) error {
	if len(p.s) > MaxFilterLength {
		return Errorf(400, p.kind, "the %s is longer than %d bytes", what, MaxFilterLength)
	}
	if !utf8.ValidString(p.s) {
		return Errorf(400, p.kind, "the %s is not UTF-8", what)
	}
	return nil
}

// expected is the error of finding something else at the present position.
func (p *parser) expected(what string) error {
	found := "the end"
	if p.pos < len(p.s) {
		end := p.pos + 1
		for end < len(p.s) && end < p.pos+24 && isWord(p.s[end-1]) && isWord(p.s[end]) {
			end++
		}
		for !utf8.ValidString(p.s[p.pos:end]) && end < len(p.s) {
			end++
		}
		found = `"` + p.s[p.pos:end] + `"`
	}
	return Errorf(400, p.kind, "at position %d: expected %s, found %s", p.pos+1, what, found)
}

func (p *parser) skip() {
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
}

// peek is the word at the position, empty if there is none.
func (p *parser) peek() string {
	end := p.pos
	for end < len(p.s) && isWord(p.s[end]) {
		end++
	}
	return p.s[p.pos:end]
}

func (p *parser) at(c byte) bool { return p.pos < len(p.s) && p.s[p.pos] == c }

// enter counts nesting; cost is 2 where String may need one level more than the
// source had.
func (p *parser) enter(cost int) error {
	p.depth += cost
	if p.depth > MaxFilterDepth {
		return Errorf(400, p.kind, "at position %d: nested deeper than %d levels", p.pos+1, MaxFilterDepth)
	}
	return nil
}

func (p *parser) or() (Filter, error) {
	return p.chain("or", (*parser).and, func(f Filter) ([]Filter, bool) {
		o, ok := f.(Or)
		return o.Terms, ok
	}, func(terms []Filter) Filter { return Or{terms} })
}

func (p *parser) and() (Filter, error) {
	return p.chain("and", (*parser).unary, func(f Filter) ([]Filter, bool) {
		a, ok := f.(And)
		return a.Terms, ok
	}, func(terms []Filter) Filter { return And{terms} })
}

// chain reads next (word next)*, flattening chains of the same word.
func (p *parser) chain(word string, next func(*parser) (Filter, error),
	split func(Filter) ([]Filter, bool), join func([]Filter) Filter) (Filter, error) {
	first, err := next(p)
	if err != nil {
		return nil, err
	}
	var terms []Filter
	for {
		p.skip()
		if !strings.EqualFold(p.peek(), word) {
			break
		}
		p.pos += len(word)
		f, err := next(p)
		if err != nil {
			return nil, err
		}
		if terms == nil {
			terms = flatten(nil, first, split)
		}
		terms = flatten(terms, f, split)
	}
	if terms == nil {
		return first, nil
	}
	return join(terms), nil
}

func flatten(terms []Filter, f Filter, split func(Filter) ([]Filter, bool)) []Filter {
	if parts, ok := split(f); ok {
		return append(terms, parts...)
	}
	return append(terms, f)
}

func (p *parser) unary() (Filter, error) {
	p.skip()
	if p.at('(') {
		return p.group()
	}
	word := p.peek()
	if strings.EqualFold(word, "not") {
		start := p.pos
		p.pos += len(word)
		if p.skip(); p.at('(') {
			f, err := p.group()
			if err != nil {
				return nil, err
			}
			return Not{f}, nil
		}
		p.pos = start
	}
	return p.term(word)
}

func (p *parser) group() (Filter, error) {
	if err := p.enter(1); err != nil {
		return nil, err
	}
	p.pos++
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.at(')') {
		return nil, p.expected("and, or, or )")
	}
	p.pos++
	p.depth--
	return f, nil
}

// term reads a comparison, a presence test or a value path.
func (p *parser) term(word string) (Filter, error) {
	if word == "" {
		return nil, p.expected("an attribute name, not or (")
	}
	if p.terms++; p.terms > MaxFilterTerms {
		return nil, Errorf(400, p.kind, "at position %d: more than %d comparisons", p.pos+1, MaxFilterTerms)
	}
	path, err := p.attrPath(word)
	if err != nil {
		return nil, err
	}
	if !p.at('[') {
		return p.comparison(path)
	}
	f, err := p.brackets(path)
	if err != nil {
		return nil, err
	}
	if !p.at('.') || !p.d.use(p.d.AfterBracket, FlagAfterBracket) {
		return ValuePath{Path: path, Term: f}, nil
	}
	sub, err := p.subAttribute()
	if err != nil {
		return nil, err
	}
	if p.terms++; p.terms > MaxFilterTerms {
		return nil, Errorf(400, p.kind, "at position %d: more than %d comparisons", p.pos+1, MaxFilterTerms)
	}
	test, err := p.comparison(Path{Attr: sub})
	if err != nil {
		return nil, err
	}
	if a, ok := f.(And); ok {
		return ValuePath{Path: path, Term: And{append(a.Terms, test)}}, nil
	}
	return ValuePath{Path: path, Term: And{[]Filter{f, test}}}, nil
}

// brackets reads [filter] behind the path of a multi-valued attribute.
func (p *parser) brackets(path Path) (Filter, error) {
	if p.elem {
		return nil, p.expected("no [ inside of [ ]")
	}
	if path.Sub != "" {
		return nil, p.expected("no [ behind a sub-attribute")
	}
	if err := p.enter(2); err != nil {
		return nil, err
	}
	p.pos++
	p.elem = true
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.at(']') {
		return nil, p.expected("and, or, or ]")
	}
	p.pos++
	p.elem = false
	p.depth -= 2
	return f, nil
}

// subAttribute reads .name behind a value path.
func (p *parser) subAttribute() (string, error) {
	p.pos++
	sub := p.peek()
	if !validName(sub) {
		return "", p.expected("a sub-attribute name")
	}
	p.pos += len(sub)
	return sub, nil
}

// comparison reads the operator and value behind path.
func (p *parser) comparison(path Path) (Filter, error) {
	if p.pos < len(p.s) && !isSpace(p.s[p.pos]) {
		return nil, p.expected("a space and an operator")
	}
	p.skip()
	word := p.peek()
	if strings.EqualFold(word, "pr") {
		p.pos += len(word)
		return Present{Path: path}, nil
	}
	op, ok := operator(word)
	if !ok {
		return nil, p.expected("an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr)")
	}
	p.pos += len(word)
	if !(p.pos < len(p.s) && isSpace(p.s[p.pos])) && !(p.at('"') && p.d.use(p.d.NoSpace, FlagNoSpace)) {
		return nil, p.expected("a space and a value")
	}
	p.skip()
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	return Compare{Path: path, Op: op, Value: value}, nil
}

// operator finds the constant of an operator without allocating.
func operator(word string) (Op, bool) {
	if len(word) != 2 {
		return "", false
	}
	switch [2]byte{word[0] | 0x20, word[1] | 0x20} {
	case [2]byte{'e', 'q'}:
		return Eq, true
	case [2]byte{'n', 'e'}:
		return Ne, true
	case [2]byte{'c', 'o'}:
		return Co, true
	case [2]byte{'s', 'w'}:
		return Sw, true
	case [2]byte{'e', 'w'}:
		return Ew, true
	case [2]byte{'g', 't'}:
		return Gt, true
	case [2]byte{'g', 'e'}:
		return Ge, true
	case [2]byte{'l', 't'}:
		return Lt, true
	case [2]byte{'l', 'e'}:
		return Le, true
	}
	return "", false
}

// value reads a JSON string, number, true, false or null.
func (p *parser) value() (any, error) {
	if p.at('"') {
		text, next, fault := scanString(p.s, p.pos)
		if fault != "" {
			return nil, Errorf(400, p.kind, "at position %d: expected a JSON string, found %s", next+1, fault)
		}
		p.pos = next
		if next < len(p.s) && isWord(p.s[next]) && !p.d.use(p.d.NoSpace, FlagNoSpace) {
			return nil, p.expected("a space")
		}
		return text, nil
	}
	word := p.peek()
	var value any
	switch {
	case word == "true":
		value = true
	case word == "false":
		value = false
	case word == "null":
	default:
		n, ok := number(word)
		switch {
		case ok:
			value = n
		case word != "" && p.d.use(p.d.UnquotedValues, FlagUnquotedValues):
			value = word
		default:
			return nil, p.expected("a value: a string in double quotes, a number, true, false or null")
		}
	}
	p.pos += len(word)
	return value, nil
}
