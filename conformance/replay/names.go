package replay

import "strings"

// uses checks that a text names only what is known.
func (p *parser) uses(text string, line int) error {
	for _, at := range places(text) {
		if !p.known[at.inner] {
			return p.fail(line, "{{%s}}: nothing before has captured this", clip(at.inner))
		}
	}
	return nil
}

// wants checks a text of an answer, which may also capture.
func (p *parser) wants(text string, line int) error {
	if text == wordAny || text == wordAbsent {
		return nil
	}
	if name, ok := captured(text); ok {
		if !isName(name) || name == "n" || name == "base" {
			return p.fail(line, "%q is no name to capture to", clip(name))
		}
		p.known[name] = true
		return nil
	}
	if name, ok := other(text); ok {
		text = "{{" + name + "}}"
	}
	return p.uses(text, line)
}

// pattern checks every text of a body that is due.
func (p *parser) pattern(v any, line int) error {
	switch v := v.(type) {
	case string:
		return p.wants(v, line)
	case []any:
		for i, e := range v {
			if i == 0 && (e == wordSome || e == wordOrdered) {
				continue
			}
			if err := p.pattern(e, line); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if k == wordOnly {
				if v[k] != true {
					return p.fail(line, "%s must be true", wordOnly)
				}
				continue
			}
			if err := p.uses(k, line); err != nil {
				return err
			}
			if err := p.pattern(v[k], line); err != nil {
				return err
			}
		}
	}
	return nil
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
