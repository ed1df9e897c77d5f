package scim

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// isSpace knows the white space of JSON, which filters may use too.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isWord knows the bytes of names, operators, URNs, numbers and literals.
func isWord(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '.', ':', '_', '-', '$', '/', '%', '+', '~', '@', '#', '=', '*', '!', '&', ';', ',', '?':
		return true
	}
	return false
}

// faults of JSON strings, told apart because they have different scimTypes.
const (
	badString  = "a string that is not JSON"
	badUTF8    = "text that is not UTF-8"
	badNUL     = "a NUL character"
	openString = "a string without its closing quote"
)

// scanString reads the JSON string that begins with the quote at s[i]. It
// returns the text, the index behind the closing quote, and what is wrong with it
// (empty: nothing). A string without escapes is a part of s, not a copy.
func scanString(s string, i int) (text string, next int, fault string) {
	start := i + 1
	for j := start; j < len(s); j++ {
		c := s[j]
		switch {
		case c == '"':
			text = s[start:j]
			if !utf8.ValidString(text) {
				return "", j, badUTF8
			}
			return text, j + 1, ""
		case c == '\\':
			return scanEscaped(s, start, j)
		case c == 0:
			return "", j, badNUL
		case c < 0x20:
			return "", j, badString
		}
	}
	return "", len(s), openString
}

// scanEscaped goes on with a string from its first backslash at s[j].
func scanEscaped(s string, start, j int) (text string, next int, fault string) {
	b := make([]byte, 0, j-start+32)
	b = append(b, s[start:j]...)
	for j < len(s) {
		c := s[j]
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return "", j, badUTF8
			}
			return string(b), j + 1, ""
		case c == 0:
			return "", j, badNUL
		case c < 0x20:
			return "", j, badString
		case c != '\\':
			b = append(b, c)
			j++
		default:
			r, n, fault := unescape(s[j:])
			if fault != "" {
				return "", j, fault
			}
			b = utf8.AppendRune(b, r)
			j += n
		}
	}
	return "", len(s), openString
}

// unescape reads one escape sequence (two for a surrogate pair) and its length.
func unescape(s string) (r rune, n int, fault string) {
	if len(s) < 2 {
		return 0, 0, openString
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2, ""
	}
	r, ok := hex4(s)
	switch {
	case !ok:
		return 0, 0, badString
	case r == 0:
		return 0, 0, badNUL
	case !utf16.IsSurrogate(r):
		return r, 6, ""
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0, badUTF8
	}
	return r, 12, ""
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads a JSON number that is the whole of s: int64 if it is written as
// an integer and fits, else float64.
func number(s string) (any, bool) {
	if !isNumber(s) {
		return nil, false
	}
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// isNumber checks the number grammar of RFC 8259 §6.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, s := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if strings.HasPrefix(s, ".") {
		var frac string
		if frac, s = digits(s[1:]); frac == "" {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		var exp string
		if exp, s = digits(s); exp == "" {
			return false
		}
	}
	return s == ""
}

func digits(s string) (run, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}
