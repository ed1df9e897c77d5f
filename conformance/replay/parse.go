package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// Limits of a recording.
const (
	maxText   = 4 << 20 // bytes
	maxRepeat = 10_000
)

// Parse reads a recording. It is strict: what it does not understand, a name that
// nothing captures before it is used, and a step without an answer are faults. The
// error is a *SyntaxError.
func Parse(name string, text []byte) (*Conversation, error) {
	p := &parser{out: &Conversation{Name: name}, known: map[string]bool{"base": true}}
	if len(text) > maxText {
		return nil, p.fail(1, "the recording is larger than %d bytes", maxText)
	}
	if at, ok := invalidLine(text); !ok {
		return nil, p.fail(at, "the text is not UTF-8")
	}
	p.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if err := p.head(); err != nil {
		return nil, err
	}
	for p.at < len(p.lines) {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	if len(p.out.Steps) == 0 {
		return nil, p.fail(len(p.lines), "there is no step")
	}
	return p.out, nil
}

func invalidLine(text []byte) (line int, ok bool) {
	line = 1
	for l := range strings.SplitSeq(string(text), "\n") {
		if !utf8.ValidString(l) {
			return line, false
		}
		line++
	}
	return 0, true
}

type parser struct {
	out   *Conversation
	lines []string
	at    int             // index of the line to come
	known map[string]bool // names captured so far
}

func (p *parser) fail(line int, format string, args ...any) error {
	return &SyntaxError{Name: p.out.Name, Line: line, Text: fmt.Sprintf(format, args...)}
}

// blank says nothing: an empty line or a comment.
func blank(line string) bool {
	return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#")
}

// next is the next line that says something, with its number; "" at the end.
func (p *parser) next() (line string, number int) {
	for p.at < len(p.lines) {
		line = p.lines[p.at]
		p.at++
		if !blank(line) {
			return line, p.at
		}
	}
	return "", len(p.lines)
}

const stepMark = "== "

// head reads what stands before the first step.
func (p *parser) head() error {
	for {
		line, n := p.next()
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case line == "" || strings.HasPrefix(line, stepMark):
			if line != "" {
				p.at--
			}
			return p.complete(n)
		case rest == "":
			return p.fail(n, "%q needs a value", clip(word))
		case word == "title" && p.out.Title == "":
			p.out.Title = rest
		case word == "dialects" && p.out.Dialects == nil:
			p.out.Dialects = strings.Fields(rest)
		case word == "needs" && p.out.Needs == nil:
			p.out.Needs = strings.Fields(rest)
		case word == "header":
			f, err := p.field(rest, n)
			if err != nil {
				return err
			}
			if err := p.uses(f.Value, n); err != nil {
				return err
			}
			p.out.Header = append(p.out.Header, f)
		default:
			return p.fail(n, "expected title, dialects, needs (each once), header or a step, not %q", clip(line))
		}
	}
}

func (p *parser) complete(line int) error {
	if p.out.Title == "" || p.out.Dialects == nil {
		return p.fail(line, "title and dialects must come before the first step")
	}
	for i, d := range p.out.Dialects {
		if _, ok := scim.DialectNamed(d); !ok || slices.Contains(p.out.Dialects[:i], d) {
			return p.fail(line, "%q is not a dialect, or named twice", clip(d))
		}
	}
	flags := scim.Flags()
	for i, n := range p.out.Needs {
		known := slices.ContainsFunc(flags, func(f scim.FlagInfo) bool { return f.Name == n && !f.Demands })
		if !known || slices.Contains(p.out.Needs[:i], n) {
			return p.fail(line, "%q is not a tolerance, or named twice", clip(n))
		}
	}
	return nil
}

func (p *parser) field(text string, line int) (Field, error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok || !isToken(name) {
		return Field{}, p.fail(line, "expected a header field, \"Name: value\", not %q", clip(text))
	}
	value = strings.TrimSpace(value)
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return Field{}, p.fail(line, "header %s holds a control character", name)
	}
	return Field{name, value}, nil
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// step reads one step, if there is one more.
func (p *parser) step() error {
	line, n := p.next()
	if line == "" {
		return nil
	}
	title, ok := strings.CutPrefix(line, stepMark)
	if title = strings.TrimSpace(title); !ok || title == "" {
		return p.fail(n, "expected a step, \"== title\", not %q", clip(line))
	}
	s := Step{Line: n, Title: title, Repeat: 1}
	line, n = p.next()
	if count, ok := strings.CutPrefix(line, "repeat "); ok {
		var err error
		if s.Repeat, err = strconv.Atoi(strings.TrimSpace(count)); err != nil || s.Repeat < 1 || s.Repeat > maxRepeat {
			return p.fail(n, "repeat needs a number from 1 to %d", maxRepeat)
		}
		p.known["n"] = true
		defer delete(p.known, "n")
		line, n = p.next()
	}
	if err := p.request(&s, line, n); err != nil {
		return err
	}
	if err := p.answer(&s); err != nil {
		return err
	}
	p.out.Steps = append(p.out.Steps, s)
	return nil
}

func (p *parser) request(s *Step, line string, n int) error {
	method, target, _ := strings.Cut(line, " ")
	if !isToken(method) || strings.ToUpper(method) != method || target != "" && !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "?") {
		return p.fail(n, "expected a request, \"GET /Users\", not %q", clip(line))
	}
	if strings.ContainsFunc(strings.ReplaceAll(target, "{{not ", "{{"), func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return p.fail(n, "the target must be as it is on the wire, without spaces")
	}
	if err := p.uses(target, n); err != nil {
		return err
	}
	s.Method, s.Target = method, target
	var err error
	if s.Header, err = p.fields(p.uses); err != nil {
		return err
	}
	var first int
	s.Body, first = p.body()
	return p.uses(s.Body, first)
}

// fields reads header lines up to an empty line or the answer's mark; check looks
// at each value.
func (p *parser) fields(check func(text string, line int) error) ([]Field, error) {
	var out []Field
	for p.at < len(p.lines) {
		line, n := p.lines[p.at], p.at+1
		if strings.TrimSpace(line) == "" || line == noBody || strings.HasPrefix(line, answerMark) || strings.HasPrefix(line, stepMark) {
			break
		}
		p.at++
		if blank(line) {
			continue
		}
		f, err := p.field(line, n)
		if err != nil {
			return nil, err
		}
		if err := check(f.Value, n); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// body is the text up to the next mark, with the number of its first line. Only in
// front of it and behind it may be comments.
func (p *parser) body() (text string, first int) {
	for p.at < len(p.lines) && blank(p.lines[p.at]) {
		p.at++
	}
	from := p.at
	for p.at < len(p.lines) && !strings.HasPrefix(p.lines[p.at], answerMark) && !strings.HasPrefix(p.lines[p.at], stepMark) {
		p.at++
	}
	to := p.at
	for to > from && blank(p.lines[to-1]) {
		to--
	}
	return strings.Join(p.lines[from:to], "\n"), from + 1
}

const (
	answerMark = "-> "
	noBody     = "(empty)"
)

func (p *parser) answer(s *Step) (out error) {
	line, n := p.next()
	codes, ok := strings.CutPrefix(line, answerMark)
	if !ok {
		return p.fail(n, "expected the answer that is due, \"-> 200\", not %q", clip(line))
	}
	s.Want = Answer{Line: n}
	for code := range strings.SplitSeq(codes, " or ") {
		status, err := strconv.Atoi(strings.TrimSpace(code))
		if err != nil || status < 200 || status > 599 {
			return p.fail(n, "%q is no status", clip(code))
		}
		s.Want.Status = append(s.Want.Status, status)
	}
	var err error
	// Headers may name what the body gives: they are looked at after it.
	var later []func() error
	defer func() {
		for _, check := range later {
			if out == nil {
				out = check()
			}
		}
	}()
	if s.Want.Header, err = p.fields(func(text string, line int) error {
		later = append(later, func() error { return p.wants(text, line) })
		return nil
	}); err != nil {
		return err
	}
	text, first := p.body()
	switch text {
	case "":
	case noBody:
		s.Want.Empty = true
	default:
		if s.Want.Body, err = scim.ParseJSON([]byte(text)); err != nil {
			return p.fail(first, "the body that is due: %v", err)
		}
		if s.Want.Body == nil {
			return p.fail(first, "the body that is due cannot be null: leave it out, or say (empty)")
		}
		return p.pattern(s.Want.Body, first)
	}
	return nil
}
