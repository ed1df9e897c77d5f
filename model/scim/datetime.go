package scim

import (
	"strings"
	"time"
)

// ParseDateTime reads an xsd:dateTime with date and time (RFC 7643 §2.3.5). One
// without a time zone is taken as UTC.
func ParseDateTime(s string) (time.Time, bool) {
	// time.Parse forgives a one-digit hour and a decimal comma; the type does not.
	if len(s) < 19 || s[10] != 'T' || s[13] != ':' || s[16] != ':' || strings.ContainsRune(s, ',') {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	return t.UTC(), err == nil
}
