package fanout

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// attrPath is an owned attribute's path taken apart, so that it can be read from
// and written into a SCIM resource without a schema: a target may have extensions
// the hub has never seen.
type attrPath struct {
	text  string
	uri   string // extension URN, empty for core attributes
	attr  string
	conds []cond // and-joined; select one element of a multi-valued attribute
	sub   string
}

// cond is `attr eq value` inside a value path.
type cond struct {
	attr  string
	value any
}

// parseAttr reads a path. Value paths may hold only and-joined `eq` conditions,
// because anything else does not say which element to make.
func parseAttr(text string) (attrPath, error) {
	p, err := scim.ParsePath(text)
	if err != nil {
		return attrPath{}, fmt.Errorf("attribute path %q: %w", text, err)
	}
	out := attrPath{text: text, uri: p.URI, attr: p.Attr, sub: p.Sub}
	if strings.EqualFold(out.uri, scim.URNUser) {
		out.uri = ""
	}
	if out.attr == "" {
		return attrPath{}, fmt.Errorf("attribute path %q names no attribute", text)
	}
	if p.Filter != nil {
		if out.conds, err = conditions(p.Filter); err != nil {
			return attrPath{}, fmt.Errorf("attribute path %q: %w", text, err)
		}
	}
	return out, nil
}

func conditions(f scim.Filter) ([]cond, error) {
	switch n := f.(type) {
	case scim.And:
		return joined(n.Terms)
	case *scim.And:
		return joined(n.Terms)
	case scim.Compare:
		return equality(n)
	case *scim.Compare:
		return equality(*n)
	}
	return nil, fmt.Errorf("only `eq` conditions joined by `and` can be written to")
}

func joined(terms []scim.Filter) ([]cond, error) {
	var out []cond
	for _, t := range terms {
		c, err := conditions(t)
		if err != nil {
			return nil, err
		}
		out = append(out, c...)
	}
	return out, nil
}

func equality(c scim.Compare) ([]cond, error) {
	if c.Op != scim.Eq || c.Path.Attr == "" {
		return nil, fmt.Errorf("only `eq` conditions joined by `and` can be written to")
	}
	return []cond{{attr: c.Path.Attr, value: c.Value}}, nil
}

// field finds a key whatever its case: targets disagree about it.
func field(m map[string]any, name string) (any, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// get reads the value; nil where it is unassigned.
func (p attrPath) get(doc map[string]any) any {
	if p.uri != "" {
		v, _ := field(doc, p.uri)
		ext, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		doc = ext
	}
	v, _ := field(doc, p.attr)
	if len(p.conds) > 0 {
		el, _ := p.element(v)
		if el == nil {
			return nil
		}
		if p.sub == "" {
			return plain(el)
		}
		v = el
	}
	if p.sub == "" {
		return plain(v)
	}
	m, ok := v.(map[string]any)
	if !ok {
		// manager as a bare string stands for manager.value; so do some targets.
		if s, isText := v.(string); isText && strings.EqualFold(p.sub, "value") {
			return plain(s)
		}
		return nil
	}
	sub, _ := field(m, p.sub)
	return plain(sub)
}

// element finds the first element that satisfies the conditions.
func (p attrPath) element(v any) (el map[string]any, index int) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for i, e := range list {
		m, ok := e.(map[string]any)
		if ok && p.selects(m) {
			return m, i
		}
	}
	return nil, -1
}

func (p attrPath) selects(m map[string]any) bool {
	for _, c := range p.conds {
		v, _ := field(m, c.attr)
		if !looselyEqual(v, c.value) {
			return false
		}
	}
	return true
}

// set writes the value into doc, making what is missing on the way; nil removes.
func (p attrPath) set(doc map[string]any, v any) {
	if p.uri != "" {
		doc = child(doc, p.uri)
	}
	switch {
	case len(p.conds) > 0:
		p.setElement(doc, v)
	case p.sub == "":
		put(doc, p.attr, v)
	default:
		put(child(doc, p.attr), p.sub, v)
		if m, _ := field(doc, p.attr); len(m.(map[string]any)) == 0 {
			put(doc, p.attr, nil)
		}
	}
}

func (p attrPath) setElement(doc map[string]any, v any) {
	raw, _ := field(doc, p.attr)
	list, _ := raw.([]any)
	el, i := p.element(raw)
	switch {
	case v == nil && el == nil:
		return
	case v == nil && (p.sub == "" || strings.EqualFold(p.sub, "value")):
		list = append(append([]any{}, list[:i]...), list[i+1:]...)
		if len(list) == 0 {
			put(doc, p.attr, nil)
			return
		}
		put(doc, p.attr, list)
		return
	case el == nil:
		el = map[string]any{}
		for _, c := range p.conds {
			el[c.attr] = c.value
		}
		put(doc, p.attr, append(append([]any{}, list...), el))
	}
	if p.sub != "" {
		put(el, p.sub, v)
		return
	}
	if m, ok := v.(map[string]any); ok {
		for k, e := range m {
			put(el, k, e)
		}
	}
}

func child(doc map[string]any, name string) map[string]any {
	if v, ok := field(doc, name); ok {
		if m, ok := v.(map[string]any); ok {
			return m
		}
	}
	m := map[string]any{}
	put(doc, name, m)
	return m
}

// put writes under the key that is there already, whatever its case.
func put(m map[string]any, name string, v any) {
	for k := range m {
		if strings.EqualFold(k, name) {
			name = k
			break
		}
	}
	if v == nil {
		delete(m, name)
		return
	}
	m[name] = v
}
