package scim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUniqueValues(t *testing.T) {
	t.Parallel()
	reg, err := NewRegistry(&ResourceType{Name: "Badge", Endpoint: "/Badges",
		Schema: &Schema{ID: "urn:acme:2.0:Badge", Attributes: []*Attribute{
			{Name: "number", Type: TypeInteger, Uniqueness: UniqueServer},
			{Name: "codes", Type: TypeString, MultiValued: true, Uniqueness: UniqueGlobal, CaseExact: true},
			{Name: "chips", Type: TypeComplex, MultiValued: true, Sub: []*Attribute{
				{Name: "serial", Type: TypeString, Uniqueness: UniqueServer}, {Name: "note", Type: TypeString}}},
			{Name: "note", Type: TypeString},
		}},
		Extensions: []Extension{{Schema: &Schema{ID: "urn:acme:ext:2.0:Badge", Attributes: []*Attribute{
			{Name: "door", Type: TypeComplex, Sub: []*Attribute{{Name: "key", Type: TypeString, Uniqueness: UniqueServer}}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	badge := reg.Types[0]
	got := badge.UniqueValues(Resource{Attrs: map[string]any{"number": int64(7), "codes": []any{"A", "a", "A"}, "note": "n",
		"chips":                  []any{map[string]any{"serial": "X"}, map[string]any{"note": "y"}, map[string]any{"serial": "x"}},
		"urn:acme:ext:2.0:Badge": map[string]any{"door": map[string]any{"key": "K"}}}})
	want := []UniqueValue{{Path: "number", Value: "7"}, {Path: "codes", Value: "A"}, {Path: "codes", Value: "a"},
		{Path: "chips.serial", Value: "x"}, {Path: "urn:acme:ext:2.0:Badge:door.key", Value: "k"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var paths []string
	for _, u := range badge.UniqueAttributes() {
		paths = append(paths, u.Path.String())
	}
	if d := cmp.Diff([]string{"number", "codes", "chips.serial", "urn:acme:ext:2.0:Badge:door.key"}, paths); d != "" {
		t.Error(d)
	}
	if got := badge.UniqueValues(Resource{}); got != nil {
		t.Errorf("nothing held: %v", got)
	}
}

func TestUniqueUserName(t *testing.T) {
	t.Parallel()
	u := userType(t).UniqueAttributes()
	if len(u) != 1 || u[0].Path.Attr != "userName" || !u[0].UserName {
		t.Errorf("a User is unique by %+v", u)
	}
	if g := groupType(t).UniqueAttributes(); len(g) != 0 {
		t.Errorf("a Group is unique by %+v", g)
	}
}

// Two user names are one for uniqueness exactly if a filter with one finds the other.
func TestUserNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, x, y string
		same       bool
	}{
		{"composed, and decomposed in capitals", "Jos\u00e9@x", "JOSE\u0301@x", true},
		{"full width", "\uff21lice", "alice", true},
		{"sharp s is not ss", "Stra\u00dfe", "STRASSE", false},
		{"case", "MIRA.K@corp.test", "mira.k@CORP.test", true},
		{"space", "Anna B", "anna b", true},
		{"space in full width", "anna\u3000b", "anna b", true},
		{"ligature", "\ufb01n", "fin", false},
		{"ligature and case", "\ufb01N", "\ufb01n", true},
		{"Kelvin sign", "\u212aurt", "kurt", true},
		{"final sigma", "\u039f\u03a3", "\u03bf\u03c2", false},
		{"dotted capital I", "\u0130x", "ix", false},
		{"dotted capital I is i with a dot", "\u0130x", "i\u0307x", true},
		{"writing directions", "a\u05d0B1", "a\u05d0b1", true},
		{"half width katakana", "\uff76\uff9e", "\u30ac", true},
		{"control character", "a\u0007B", "A\u0007b", true},
	}
	user := userType(t)
	for _, tt := range tests {
		x := user.UniqueValues(Resource{Attrs: map[string]any{"userName": tt.x}})
		y := user.UniqueValues(Resource{Attrs: map[string]any{"userName": tt.y}})
		if same := x[0] == y[0]; same != tt.same || !x[0].UserName {
			t.Errorf("%s: %q and %q: %v, keys %q %q", tt.name, tt.x, tt.y, same, x[0].Value, y[0].Value)
		}
		f, err := Bind(Compare{Path: Path{Attr: "userName"}, Op: Eq, Value: tt.x}, user)
		if err != nil {
			t.Fatal(err)
		}
		if found := f.Match(user.SearchDoc(Resource{Attrs: map[string]any{"userName": tt.y}})); found != tt.same {
			t.Errorf("%s: the filter %s finds %q: %v", tt.name, f, tt.y, found)
		}
	}
}

func FuzzFoldName(f *testing.F) {
	for _, s := range []string{"Jos\u00e9@x", "\uff21lice", "a b", "\ufb01", "\u0130", "\u212a", "i\u0307\u0323", "a\u05d0B", "\u1e9e", "\u0345"} {
		f.Add(s)
	}
	user := userType(f)
	f.Fuzz(func(t *testing.T, s string) {
		once := FoldName(s)
		if twice := FoldName(once); twice != once {
			t.Fatalf("%q gives %q gives %q", s, once, twice)
		}
		if s == "" {
			return
		}
		bound, err := Bind(Compare{Path: Path{Attr: "userName"}, Op: Eq, Value: s}, user)
		if err != nil {
			t.Fatal(err)
		}
		if !bound.Match(user.SearchDoc(Resource{Attrs: map[string]any{"userName": s}})) {
			t.Fatalf("%q does not find itself", s)
		}
	})
}
