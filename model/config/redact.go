package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	referencePattern = regexp.MustCompile(`^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}\r\n]+)\}$`)
	literalPattern   = regexp.MustCompile(`^\$\{literal:[0-9a-f]{12}\}$`)
)

// hidden is a scalar that Redacted replaces.
type hidden struct {
	node *node
	with string
}

func isReference(s string) bool { return referencePattern.MatchString(s) }

func redacted(s string) bool { return literalPattern.MatchString(s) }

// literal stands for a secret in stored texts: enough to see that it changed,
// nothing to find it with.
func literal(secret string) string { return "${literal:" + fingerprint(secret) + "}" }

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:12]
}

// hideDatabasePassword gives the database URL without its password, in a form
// that is a URL still.
func hideDatabasePassword(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil {
		return s, false
	}
	changed := false
	if p, ok := u.User.Password(); ok && !strings.HasPrefix(p, "literal-") {
		u.User = url.UserPassword(u.User.Username(), "literal-"+fingerprint(p))
		changed = true
	}
	q := u.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if v := q.Get(key); v != "" && !strings.HasPrefix(v, "literal-") {
			q.Set(key, "literal-"+fingerprint(v))
			changed = true
		}
	}
	if !changed {
		return s, false
	}
	u.RawQuery = q.Encode()
	return u.String(), true
}

// Redacted is the text with every literal secret, and the password of the
// database, replaced by a short fingerprint: what may be stored and shown. It
// parses to the same document but for these values.
func (d *Document) Redacted() []byte { return slices.Clone(d.redacted) }

// Shown is the text as people may see it: Redacted, and of the addresses of webhooks the
// host alone, for the rest of many is as good as a password.
func (d *Document) Shown() []byte { return slices.Clone(d.shown) }

// Format names the document: what it holds is no text for logs and errors.
func (d Document) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("configuration " + d.Name)) }

// LogValue names the document.
func (d Document) LogValue() slog.Value { return slog.StringValue("configuration " + d.Name) }

// ShownText is Shown of a text that was stored. What cannot be read is not shown.
func ShownText(text string) string {
	if text == "" {
		return ""
	}
	d, _ := Parse("", []byte(text))
	if d.shown == nil {
		return ""
	}
	return string(d.shown)
}

// hideAddress keeps the scheme and the host of a URL, and a fingerprint of the rest.
func hideAddress(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery == "" && strings.Trim(u.Path, "/") == "" {
		return s, false
	}
	return u.Scheme + "://" + u.Host + "/literal-" + fingerprint(s), true
}

// conceal is redact for people's eyes. What stands in the text in a form that is not found
// where its node says is looked for in all of it.
func (r *reader) conceal(src []byte) []byte {
	text := string(r.redact(src, placed(src, slices.Concat(r.hide, r.unshown))))
	for _, h := range r.unshown {
		text = strings.ReplaceAll(text, h.node.text, h.with)
	}
	return []byte(text)
}

// placed are those whose place in the text is certain.
func placed(src []byte, list []hidden) []hidden {
	lines := strings.SplitAfter(string(src), "\n")
	return slices.DeleteFunc(slices.Clone(list), func(h hidden) bool {
		if h.node.line > len(lines) {
			return true
		}
		_, _, ok := span(lines[h.node.line-1], h.node)
		return !ok
	})
}

// redact replaces the hidden scalars in the text. A scalar whose place in the
// text is not certain is reported instead: better refused than stored.
func (r *reader) redact(src []byte, hide []hidden) []byte {
	if len(hide) == 0 {
		return src
	}
	lines := strings.SplitAfter(string(src), "\n")
	slices.SortFunc(hide, func(a, b hidden) int { // last first, so that columns stay true
		if a.node.line != b.node.line {
			return b.node.line - a.node.line
		}
		return b.node.col - a.node.col
	})
	for _, h := range hide {
		n := h.node
		if n.line > len(lines) {
			r.fault(n, "the secret must stand on one line")
			continue
		}
		line := lines[n.line-1]
		from, to, ok := span(line, n)
		if !ok {
			r.fault(n, "the secret must stand on one line")
			continue
		}
		lines[n.line-1] = line[:from] + strconv.Quote(h.with) + line[to:]
	}
	return []byte(strings.Join(lines, ""))
}

// span finds the bytes of a one-line scalar in its line.
func span(line string, n *node) (from, to int, ok bool) {
	from = byteOffset(line, n.col)
	if from < 0 {
		return 0, 0, false
	}
	rest := line[from:]
	switch n.style {
	case plain:
		return from, from + len(n.text), strings.HasPrefix(rest, n.text)
	case singleQuoted:
		raw := "'" + strings.ReplaceAll(n.text, "'", "''") + "'"
		return from, from + len(raw), strings.HasPrefix(rest, raw)
	case doubleQuoted:
		if !strings.HasPrefix(rest, `"`) {
			return 0, 0, false
		}
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return from, from + i + 1, true
			}
		}
	}
	return 0, 0, false
}

// byteOffset is where the character in a 1-based column begins, -1 beyond the end.
func byteOffset(line string, col int) int {
	for i := range line {
		if col--; col == 0 {
			return i
		}
	}
	return -1
}
