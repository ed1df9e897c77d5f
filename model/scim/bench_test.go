package scim

import (
	"fmt"
	"strings"
	"testing"
)

// go test -run xxx -bench . ./model/scim

func BenchmarkParseFilterEq(b *testing.B) { benchParse(b, `userName eq "mira.k@corp.test"`) }

func BenchmarkParseFilterFour(b *testing.B) {
	benchParse(b, `userName eq "x" and (active eq true or emails[type eq "work" and value co "@x"])`)
}

func benchParse(b *testing.B, s string) {
	user := userType(b)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseFilter(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse+bind", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := ParseFilter(s)
			if err == nil {
				_, err = Bind(f, user)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	user := userType(b)
	doc := user.SearchDoc(testUser())
	f, err := dialect(b, "rfc").ParseFilter(`userName eq "x" or emails[type eq "work" and value co "@z"]`, user)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f.Match(doc)
	}
}

func BenchmarkSearchDoc(b *testing.B) {
	user, r := userType(b), testUser()
	b.ReportAllocs()
	for b.Loop() {
		user.SearchDoc(r)
	}
}

func BenchmarkDecode(b *testing.B) {
	user := userType(b)
	body := []byte(userHead + `"active":true,"externalId":"e","displayName":"Mira Kos","name":{"givenName":"Mira","familyName":"Kos"},
		"emails":[{"value":"m@x.test","type":"work","primary":true}],"` + URNEnterprise + `":{"department":"R&D","manager":{"value":"m"}}}`)
	d := dialect(b, "rfc")
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := user.Decode(body, d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	user, r := userType(b), testUser()
	some, err := ParseFields("userName,name.givenName,emails.value", "")
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]Fields{"all": {}, "some": some} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				user.Render(r, "https://h/scim/v2", f)
			}
		})
	}
}

func BenchmarkParsePatch(b *testing.B) {
	user := userType(b)
	for name, ops := range map[string]string{
		"simple":     `{"op":"replace","path":"active","value":false}`,
		"value path": `{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`,
	} {
		body, d := patchBody(ops), dialect(b, "rfc")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParsePatch(body, user, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkApplyPatch: one attribute of a user; 1000 members added to 10,000 in
// one operation and in 1000, and 1000 removed by filter.
func BenchmarkApplyPatch(b *testing.B) {
	members := make([]any, 10_000)
	for i := range members {
		members[i] = map[string]any{"value": fmt.Sprint("u", i)}
	}
	big := Resource{Attrs: map[string]any{"displayName": "g", "members": members}}
	var list, adds, removes []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf(`{"value":"n%d"}`, i))
		adds = append(adds, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"n%d"}]}`, i))
		removes = append(removes, fmt.Sprintf(`{"op":"remove","path":"members[value eq \"u%d\"]"}`, i*7))
	}
	for _, bb := range []struct {
		name string
		t    *ResourceType
		r    Resource
		ops  string
	}{
		{"active", userType(b), testUser(), `{"op":"replace","path":"active","value":false}`},
		{"add 1000 at once", groupType(b), big, `{"op":"add","path":"members","value":[` + strings.Join(list, ",") + `]}`},
		{"add 1000 one by one", groupType(b), big, strings.Join(adds, ",")},
		{"remove 1000 by filter", groupType(b), big, strings.Join(removes, ",")},
	} {
		p, err := ParsePatch(patchBody(bb.ops), bb.t, dialect(b, "rfc"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, changed, err := (Change{Patch: p}).Apply(bb.t, bb.r); err != nil || !changed {
					b.Fatal(changed, err)
				}
			}
		})
	}
}
