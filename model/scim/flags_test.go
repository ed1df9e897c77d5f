package scim

import (
	"reflect"
	"slices"
	"testing"
)

func TestFlagsAreComplete(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[Dialect]()
	seen := map[string]bool{}
	bools := 0
	for i := range typ.NumField() {
		if typ.Field(i).Type.Kind() != reflect.Bool {
			continue
		}
		bools++
		var d Dialect
		reflect.ValueOf(&d).Elem().Field(i).SetBool(true)
		on := d.On()
		if len(on) != 1 || seen[on[0]] {
			t.Errorf("%s: the table calls it %v", typ.Field(i).Name, on)
			continue
		}
		seen[on[0]] = true
	}
	list := Flags()
	if len(list) != bools {
		t.Errorf("%d flags are listed, the struct has %d", len(list), bools)
	}
	for _, f := range list {
		if !seen[f.Name] || len(f.Meaning) < 12 {
			t.Errorf("%+v is no flag, or has no meaning", f)
		}
	}
}

// The strict dialects have none of the tolerances for clients that break the RFC.
func TestStrictDialects(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"interop": {FlagReplaceWhole, FlagOneTarget, FlagMissingTypes},
		"rfc": {FlagOpCase, FlagPathlessPatch, FlagDottedKeys, FlagUnknownAttributes, FlagMissingTypes, FlagUnderscoreLocale,
			FlagAnyCountry, FlagAnyCertificate, FlagUnresolved, FlagAfterBracket, FlagComplexValue, FlagPlainJSON,
			FlagStrayQuery, FlagTrailingSlash},
	}
	for name, flags := range want {
		if got := dialect(t, name).On(); !slices.Equal(got, flags) {
			t.Errorf("%s: %v, want %v", name, got, flags)
		}
	}
	lenient := dialect(t, "lenient")
	for _, f := range Flags() {
		if on := slices.Contains(lenient.On(), f.Name); on == f.Demands {
			t.Errorf("lenient: %s is %v", f.Name, on)
		}
	}
}

// anyFormat accepts nothing that breaks the protocol, but any text where the RFC
// names a format.
func anyFormat() Dialect {
	return Dialect{MissingTypes: true, UnderscoreLocale: true, AnyCountry: true, AnyCertificate: true}
}
