package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// reader turns nodes into values and collects what is wrong with them. A method
// that finds a fault notes it and returns the zero value, so that reading goes on
// and all faults come at once.
type reader struct {
	file     string
	faults   []Fault
	warnings []Fault
	hide     []hidden // literal secrets, for Redacted
	unshown  []hidden // what Shown hides beside them
}

func (r *reader) at(n *node, format string, args ...any) Fault {
	return Fault{File: r.file, Line: n.line, Column: n.col, Path: n.path, Message: fmt.Sprintf(format, args...)}
}

func (r *reader) fault(n *node, format string, args ...any) {
	r.faults = append(r.faults, r.at(n, format, args...))
}

func (r *reader) warn(n *node, message string) {
	r.warnings = append(r.warnings, r.at(n, "%s", message))
}

// fields reads a mapping with known keys, in the order of the text. Nothing at
// all counts as an empty mapping.
func (r *reader) fields(n *node, known map[string]func(*node)) {
	if n.kind == null {
		return
	}
	if n.kind != object {
		r.fault(n, "must be a mapping, not %s", n.kind)
		return
	}
	for _, e := range n.entries {
		read, ok := known[e.key]
		if !ok {
			names := make([]string, 0, len(known))
			for k := range known {
				names = append(names, k)
			}
			slices.Sort(names)
			at := &node{line: e.line, col: e.col, path: e.value.path}
			r.fault(at, "unknown key%s", Suggest(e.key, names))
			continue
		}
		read(e.value)
	}
}

// need reports required keys that a mapping lacks.
func (r *reader) need(n *node, keys ...string) {
	for _, k := range keys {
		if n.kind != object && n.kind != null || n.has(k) {
			continue
		}
		r.fault(n, "%s is required", k)
	}
}

func (n *node) has(key string) bool {
	return slices.ContainsFunc(n.entries, func(e entry) bool { return e.key == key })
}

// named reads a mapping whose keys are names that the user chose.
func (r *reader) named(n *node, read func(name string, v *node)) {
	if n.kind == null {
		return
	}
	if n.kind != object {
		r.fault(n, "must be a mapping of names, not %s", n.kind)
		return
	}
	for _, e := range n.entries {
		r.checkName(&node{line: e.line, col: e.col, path: e.value.path}, e.key)
		read(e.key, e.value)
	}
}

func (r *reader) checkName(n *node, name string) {
	if !namePattern.MatchString(name) {
		r.fault(n, "%q is not a name: use 1 to 63 of a-z, 0-9, _, . and -, beginning with a letter or digit", name)
	}
}

func (r *reader) each(n *node, read func(v *node)) {
	if n.kind == null {
		return
	}
	if n.kind != list {
		r.fault(n, "must be a list, not %s", n.kind)
		return
	}
	for _, v := range n.items {
		read(v)
	}
}

// text reads a text that is not empty.
func (r *reader) text(n *node) string {
	switch {
	case n.kind == number || n.kind == boolean:
		r.fault(n, "must be text, not %s; put it in quotes", n.kind)
	case n.kind != text:
		r.fault(n, "must be text, not %s", n.kind)
	case strings.TrimSpace(n.text) == "":
		r.fault(n, "must not be empty")
	default:
		return n.text
	}
	return ""
}

// checked reads a text and applies check to it; the message of an error follows the path.
func (r *reader) checked(n *node, check func(string) error) string {
	s := r.text(n)
	if s == "" {
		return ""
	}
	if err := check(s); err != nil {
		r.fault(n, "%v", err)
		return ""
	}
	return s
}

func (r *reader) texts(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.text(v)) })
	return out
}

func (r *reader) enum(n *node, words ...string) string {
	s := r.text(n)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	if len(words) == 1 {
		r.fault(n, "%q must be %s", s, words[0])
	} else {
		r.fault(n, "%q must be one of %s%s", s, strings.Join(words, ", "), Suggest(s, words))
	}
	return ""
}

func (r *reader) integer(n *node, low, high int) int {
	i, err := strconv.Atoi(n.text)
	if n.kind != number || err != nil || i < low || i > high {
		r.fault(n, "must be a whole number from %d to %d", low, high)
		return low
	}
	return i
}

func (r *reader) flag(n *node) bool {
	if n.kind != boolean {
		r.fault(n, "must be true or false")
	}
	return n.text == "true"
}

// quantity reads a figure with a unit. YAML makes a figure that lacks its unit a
// number; check then says what is missing.
func (r *reader) quantity(n *node, check func(string) error) {
	if n.kind == number {
		n = &node{kind: text, text: n.text, line: n.line, col: n.col, path: n.path}
	}
	r.checked(n, check)
}

func (r *reader) duration(n *node) (d time.Duration) {
	r.quantity(n, func(s string) (err error) { d, err = ParseDuration(s); return err })
	return d
}

func (r *reader) positive(n *node) time.Duration {
	before := len(r.faults)
	d := r.duration(n)
	if d <= 0 && len(r.faults) == before {
		r.fault(n, "must be longer than 0")
	}
	return d
}

func (r *reader) date(n *node) *time.Time {
	s := r.text(n)
	if s == "" {
		return nil
	}
	t, err := ParseDate(s)
	if err != nil {
		r.fault(n, "%v", err)
		return nil
	}
	return &t
}

func (r *reader) percent(n *node) (p float64) {
	r.quantity(n, func(s string) (err error) { p, err = parsePercent(s); return err })
	return p
}

func (r *reader) url(n *node) string { return r.checked(n, checkURL) }

func (r *reader) path(n *node) string {
	return r.checked(n, func(s string) error { return checkPath(s) })
}

func (r *reader) filter(n *node) string {
	return r.checked(n, func(s string) error {
		if _, err := scim.ParseFilter(s); err != nil {
			return fmt.Errorf("not a SCIM filter: %s", detail(err))
		}
		return nil
	})
}

func checkPath(s string) error {
	p, err := scim.ParsePath(s)
	if err != nil {
		return fmt.Errorf("not a SCIM attribute path: %s", detail(err))
	}
	if p.Attr == "" {
		return fmt.Errorf("%q names a whole schema, not an attribute", s)
	}
	return nil
}

// detail is the part of a SCIM error that says what is wrong with the text.
func detail(err error) string {
	if e, ok := scim.AsError(err); ok {
		return e.Detail
	}
	return err.Error()
}

// expression reads a CEL expression. YAML reads true, 5 and the like as values of
// its own; they are expressions all the same.
func (r *reader) expression(n *node) string {
	if n.kind == boolean || n.kind == number {
		return n.text
	}
	return strings.TrimSpace(r.text(n))
}

// secret reads a reference to a secret. A secret that stands in the text itself
// works, but is warned of, and Redacted keeps it out of everything stored.
func (r *reader) secret(n *node) model.Secret {
	s := r.text(n)
	if s == "" {
		return model.Secret{}
	}
	switch {
	case isReference(s):
		return model.NewSecret(s)
	case redacted(s):
		return model.NewSecret(s) // text that Redacted made: nothing is hidden in it
	case strings.HasPrefix(s, "${"):
		r.fault(n, "must be ${env:NAME} or ${file:PATH}")
		return model.Secret{}
	}
	r.warn(n, "the secret stands in the file; use ${env:NAME} or ${file:PATH}")
	r.hide = append(r.hide, hidden{node: n, with: literal(s)})
	return model.NewSecret(s)
}
