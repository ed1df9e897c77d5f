package scim

import (
	"strings"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Fold is the form in which strings that are not case exact are compared:
// full-width and half-width forms mapped to the usual ones, lower case rune by
// rune (ß stays ß, a final sigma stays one), then NFC. It is idempotent, and does
// not allocate for ASCII that is in lower case already.
func Fold(s string) string {
	if low, ok := foldASCII(s); ok {
		return low
	}
	return norm.NFC.String(strings.ToLower(width.Fold.String(s)))
}

// foldASCII is Fold and FoldName where the text is ASCII.
func foldASCII(s string) (string, bool) {
	lower := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80:
			return "", false
		case 'A' <= c && c <= 'Z':
			lower = false
		}
	}
	if lower {
		return s, true
	}
	return strings.ToLower(s), true
}

// FoldName is the form in which user names are compared and kept unique: that of
// the PRECIS profile UsernameCaseMapped (RFC 8265 §3.3, which replaces the RFC 7613
// that RFC 7644 §5 names), where the profile accepts the text, else Fold. PRECIS
// refuses what real user names hold: spaces, ligatures, some mixtures of writing
// directions. It is idempotent, and does not allocate for ASCII in lower case.
//
// The two differ where lower case takes more than one rune: the Turkish İ is
// i with a dot above it for PRECIS, and plain i for Fold. So İx is another user
// name than ix, although they are equal in attributes that Fold compares.
func FoldName(s string) string {
	if low, ok := foldASCII(s); ok {
		return low
	}
	if key, err := precis.UsernameCaseMapped.CompareKey(s); err == nil {
		return key
	}
	return Fold(s)
}

// PreparePassword is the form in which a password is hashed and compared: that of
// the PRECIS profile OpaqueString (RFC 8265 §4.2), where the profile accepts the
// text, else the text itself. Case stays; other spaces become the usual one, and
// what can be written composed or decomposed is one.
func PreparePassword(s string) string {
	if p, err := precis.OpaqueString.String(s); err == nil {
		return p
	}
	return s
}

// fold brings a string value of the attribute into the form in which it is compared.
func (a *Attribute) fold(s string) string {
	switch {
	case a.CaseExact:
		return s
	case a.userName:
		return FoldName(s)
	}
	return Fold(s)
}
