package scim

import (
	"encoding/base64"
	"slices"
	"strings"
)

// format is a form that RFC 7643 §4.1 gives to values of one attribute beyond its
// type. Clients often have another one, so each has a flag that lets any pass.
type format int

const (
	formatNone        format = iota
	formatLanguage           // locale, preferredLanguage: a language tag
	formatCountry            // addresses.country: ISO 3166-1 alpha-2
	formatCertificate        // x509Certificates.value: one certificate in DER
	formatTyped              // emails: elements with a type
)

// formatOf knows the attributes of the core User schema that have a format.
func formatOf(a *Attribute, parent *Attribute) format {
	if parent == nil {
		switch a.key {
		case "locale", "preferredlanguage":
			return formatLanguage
		case "emails":
			return formatTyped
		}
		return formatNone
	}
	switch parent.key + "." + a.key {
	case "addresses.country":
		return formatCountry
	case "x509certificates.value":
		return formatCertificate
	}
	return formatNone
}

// formatted checks a string against the format and the closed set of values of its
// attribute.
func (c *decoder) formatted(a *Attribute, s string, at *place) error {
	switch {
	case a.format == formatLanguage && posixLocale(s) && !c.d.use(c.d.UnderscoreLocale, FlagUnderscoreLocale):
		return at.fault(`must be a language tag such as "en-US", with a hyphen`)
	case a.format == formatCountry && !alpha2(s) && !c.d.use(c.d.AnyCountry, FlagAnyCountry):
		return at.fault(`must be an ISO 3166-1 code of two letters such as "BE"`)
	case a.format == formatCertificate && !oneDER(s) && !c.d.use(c.d.AnyCertificate, FlagAnyCertificate):
		return at.fault("must be exactly one certificate in DER, in base64")
	case a.closed && len(a.CanonicalValues) > 0 && !canonical(a, s):
		return at.fault("must be one of " + strings.Join(a.CanonicalValues, ", "))
	}
	return nil
}

func canonical(a *Attribute, s string) bool {
	if slices.Contains(a.CanonicalValues, s) {
		return true
	}
	return !a.CaseExact && slices.ContainsFunc(a.CanonicalValues, func(v string) bool { return Fold(v) == Fold(s) })
}

// posixLocale knows en_US and en_US.UTF-8 from a language tag.
func posixLocale(s string) bool {
	lang, rest, ok := strings.Cut(s, "_")
	return ok && (len(lang) == 2 || len(lang) == 3) && letters(lang) && len(rest) >= 2 && letters(rest[:2])
}

func alpha2(s string) bool { return len(s) == 2 && letters(s) }

func letters(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// oneDER reports whether base64 text holds one DER sequence and nothing else, from
// its header alone.
func oneDER(s string) bool {
	body := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	total := len(body) * 6 / 8
	var head [6]byte
	n, err := base64.RawStdEncoding.Decode(head[:], []byte(body[:min(len(body), 8)]))
	if err != nil || n < 6 || head[0] != 0x30 {
		return false
	}
	length, size := int(head[1]), 2
	if length >= 0x80 {
		k := length & 0x7f
		if k == 0 || k > 4 {
			return false
		}
		length = 0
		for _, b := range head[2 : 2+k] {
			length = length<<8 | int(b)
		}
		size = 2 + k
	}
	return size+length == total
}
