package scim

import (
	"strings"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Fold is the form in which strings that are not case exact are compared:
// full-width and half-width forms mapped to the usual ones, lower case rune by
// rune (ß stays ß, a final sigma stays one), then NFC. It is idempotent, and does
// not allocate for ASCII that is in lower case already.
func Fold(s string) string {
	ascii, lower := true, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80:
			ascii = false
		case 'A' <= c && c <= 'Z':
			lower = false
		}
	}
	switch {
	case ascii && lower:
		return s
	case ascii:
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.ToLower(width.Fold.String(s)))
}
