package scim

import (
	"net/url"
	"strconv"
	"strings"
)

// value reads the value of an attribute. It is nil where the value is unassigned:
// null, "", [], {} or made of nothing but these.
func (c *decoder) value(a *Attribute, v any, at *place) (any, error) {
	if a.MultiValued {
		return c.list(a, v, at)
	}
	if list, ok := v.([]any); ok {
		switch {
		case len(list) == 0:
			return nil, nil
		case len(list) > 1 || !c.d.use(c.d.ListForSingle, FlagListForSingle):
			return nil, at.fault("must be a single value, not a list")
		}
		v = list[0]
	}
	return c.single(a, v, at)
}

func (c *decoder) list(a *Attribute, v any, at *place) (any, error) {
	list, ok := v.([]any)
	if !ok {
		if v == nil || v == "" {
			return nil, nil
		}
		if !c.d.use(c.d.SingleForList, FlagSingleForList) {
			return nil, at.fault("must be a list")
		}
		list = []any{v}
	}
	if err := fewEnough(a, len(list), at); err != nil {
		return nil, err
	}
	inner := *c
	inner.keepNil = false
	out := make([]any, 0, len(list))
	for i, e := range list {
		v, err := inner.single(a, e, &place{up: at, index: i})
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if m, _ := v.(map[string]any); a.format == formatTyped && m["type"] == nil && !c.d.MissingTypes {
			return nil, (&place{up: at, index: i}).sub("type").fault("is missing")
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return inner.tidy(a, out, at)
}

// MaxElements is how many values an attribute may have, members and groups aside:
// each is compared with others when it changes, and kept for look-ups.
const MaxElements = 1000

func fewEnough(a *Attribute, n int, at *place) error {
	if n > MaxElements && !a.keyed {
		return at.fault("has more than " + strconv.Itoa(MaxElements) + " values")
	}
	return nil
}

// single reads one value, or one element of a list.
func (c *decoder) single(a *Attribute, v any, at *place) (any, error) {
	if v == nil {
		return nil, nil
	}
	if a.Type == TypeComplex {
		return c.complexValue(a, v, at)
	}
	s, isText := v.(string)
	switch a.Type {
	case TypeBoolean:
		return c.boolean(v, at)
	case TypeInteger:
		if n, ok := v.(int64); ok {
			return n, nil
		}
		return nil, at.fault("must be an integer")
	case TypeDecimal:
		if f, ok := toFloat(v); ok {
			return f, nil
		}
		return nil, at.fault("must be a number")
	}
	if !isText {
		return nil, at.fault("must be a string")
	}
	if s == "" {
		return nil, nil
	}
	switch a.Type {
	case TypeDateTime:
		if _, ok := ParseDateTime(s); !ok {
			return nil, at.fault(`must be a dateTime such as "2026-01-31T08:00:00Z"`)
		}
	case TypeBinary:
		if !isBase64(s) {
			return nil, at.fault("must be base64")
		}
	case TypeReference:
		if _, err := url.Parse(s); err != nil {
			return nil, at.fault("must be a URI")
		}
	}
	return s, c.formatted(a, s, at)
}

func (c *decoder) boolean(v any, at *place) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	b, ok := stringBool(v)
	if (ok || v == "") && c.d.use(c.d.StringBooleans, FlagStringBooleans) {
		if !ok {
			return nil, nil
		}
		return b, nil
	}
	return nil, at.fault("must be a boolean")
}

// complexValue reads an object, or the bare value that stands for one.
func (c *decoder) complexValue(a *Attribute, v any, at *place) (any, error) {
	o, ok := v.(object)
	if !ok {
		if v == "" {
			return nil, nil
		}
		_, hasValue := a.SubAttribute("value")
		if _, text := v.(string); !text || !hasValue || !c.d.use(c.d.BareValues, FlagBareValues) {
			return nil, at.fault("must be an object")
		}
		o = object{{name: "value", value: v}}
	}
	out := make(map[string]any, len(o))
	for _, m := range o {
		sub, ok := a.SubAttribute(m.name)
		if !ok {
			if err := c.unknown(at.sub(m.name)); err != nil {
				return nil, err
			}
			continue
		}
		if sub.Mutability == ReadOnly || sub.computed {
			continue
		}
		v, err := c.value(sub, m.value, at.sub(sub.Name))
		if err != nil {
			return nil, err
		}
		if v != nil || c.keepNil {
			out[sub.Name] = v
		}
	}
	return c.complete(a, out, at)
}

// complete checks what a complex value must have.
func (c *decoder) complete(a *Attribute, out map[string]any, at *place) (any, error) {
	if len(out) == 0 && !a.keyed {
		return nil, nil
	}
	if c.keepNil {
		return out, nil
	}
	for _, sub := range a.Sub {
		needed := sub.Required && sub.Mutability != ReadOnly || a.keyed && sub.key == "value"
		if needed && out[sub.Name] == nil {
			return nil, at.sub(sub.Name).fault("is required")
		}
	}
	return out, nil
}

// isBase64 accepts both alphabets of RFC 4648, with or without padding.
func isBase64(s string) bool {
	body := strings.TrimRight(s, "=")
	if pad := len(s) - len(body); pad > 2 || pad > 0 && len(s)%4 != 0 || len(body)%4 == 1 {
		return false
	}
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '+' || c == '/' || c == '-' || c == '_':
		default:
			return false
		}
	}
	return true
}
