package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// values are what has been captured so far.
type values map[string]string

// fill puts captured values into a text.
func (v values) fill(text string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	pairs := make([]string, 0, 2*len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		pairs = append(pairs, "{{"+name+"}}", v[name])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// matcher compares an answer with a pattern and captures from it.
type matcher struct {
	values values
	faults []string
}

func (m *matcher) fault(path, format string, args ...any) {
	if path == "" {
		path = "the body"
	}
	m.faults = append(m.faults, path+": "+fmt.Sprintf(format, args...))
}

// match compares one value; there says whether it is in the answer at all.
func (m *matcher) match(path string, want, got any, there bool) {
	if s, ok := want.(string); ok {
		m.text(path, s, got, there)
		return
	}
	if !there {
		m.fault(path, "missing, due is %s", shown(want))
		return
	}
	switch want := want.(type) {
	case map[string]any:
		m.object(path, want, got)
	case []any:
		m.list(path, want, got)
	default:
		if want != got {
			m.fault(path, "%s, due is %s", shown(got), shown(want))
		}
	}
}

func (m *matcher) text(path, want string, got any, there bool) {
	if want == wordAbsent {
		if list, ok := got.([]any); there && got != nil && (!ok || len(list) > 0) {
			m.fault(path, "%s, due is nothing", shown(got))
		}
		return
	}
	if !there {
		m.fault(path, "missing, due is %s", shown(m.values.fill(want)))
		return
	}
	if want == wordAny {
		if got == nil || got == "" {
			m.fault(path, "%s, due is something", shown(got))
		}
		return
	}
	text := plainText(got)
	if name, ok := captured(want); ok {
		if text == "" {
			m.fault(path, "%s cannot be captured as %s", shown(got), name)
			return
		}
		m.values[name] = text
		return
	}
	if name, ok := other(want); ok {
		if text == m.values[name] {
			m.fault(path, "%s, as it was before", shown(got))
		}
		return
	}
	due := m.values.fill(want)
	_, isText := got.(string)
	// A captured number stands in a pattern as a text.
	if text != due || !isText && due == want {
		m.fault(path, "%s, due is %s", shown(got), shown(due))
	}
}

// plainText is a scalar as text; "" for anything else.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil, map[string]any, []any:
		return ""
	}
	return fmt.Sprint(v)
}

func (m *matcher) object(path string, want map[string]any, got any) {
	o, ok := got.(map[string]any)
	if !ok {
		m.fault(path, "%s, due is an object", shown(got))
		return
	}
	named := map[string]bool{}
	for _, k := range sortedKeys(want) {
		if k == wordOnly {
			continue
		}
		name := m.values.fill(k)
		named[name] = true
		v, there := o[name]
		m.match(below(path, name), want[k], v, there)
	}
	if want[wordOnly] != true {
		return
	}
	for _, k := range sortedKeys(o) {
		if !named[k] {
			m.fault(below(path, k), "%s, due is nothing", shown(o[k]))
		}
	}
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (m *matcher) list(path string, want []any, got any) {
	list, ok := got.([]any)
	if !ok {
		m.fault(path, "%s, due is a list", shown(got))
		return
	}
	some, ordered := false, false
	if len(want) > 0 {
		some, ordered = want[0] == wordSome, want[0] == wordOrdered
	}
	if some || ordered {
		want = want[1:]
	}
	if !some && len(want) != len(list) {
		m.fault(path, "%d elements, due are %d: %s", len(list), len(want), shown(got))
		return
	}
	left := slices.Clone(list)
	for i, w := range want {
		from := left
		if ordered {
			from = left[:1]
		}
		at := slices.IndexFunc(from, func(e any) bool { return m.fits(w, e) })
		if at < 0 {
			m.fault(fmt.Sprintf("%s[%d]", path, i), "nothing fits %s in %s", m.values.fill(shown(w)), shown(from))
			if ordered {
				left = left[1:]
			}
			continue
		}
		m.match("", w, left[at], true) // captures
		left = slices.Delete(left, at, at+1)
	}
}

// fits tries an element without capturing from it.
func (m *matcher) fits(want, got any) bool {
	try := &matcher{values: maps.Clone(m.values)}
	try.match("", want, got, true)
	return len(try.faults) == 0
}

// shown is a value for a message.
func shown(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf("%T", v)
	}
	const most = 600
	s := strings.TrimSpace(b.String())
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// Match compares a body with a pattern as recordings have it and returns what is
// not as it is due. What the pattern captures is added to known, which may be nil.
// The error says that the pattern itself cannot be read.
func Match(pattern string, body []byte, known map[string]string) ([]string, error) {
	want, err := scim.ParseJSON([]byte(pattern))
	if err != nil {
		return nil, fmt.Errorf("the pattern: %w", err)
	}
	got, err := scim.ParseJSON(bytes.TrimSpace(body))
	if err != nil {
		return []string{fmt.Sprintf("%v: %s", err, clip(string(body)))}, nil
	}
	m := &matcher{values: values(known)}
	if m.values == nil {
		m.values = values{}
	}
	m.match("", want, got, true)
	return m.faults, nil
}
