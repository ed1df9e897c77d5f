package scimserver

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/scim"
)

func TestParsePrecondition(t *testing.T) {
	t.Parallel()
	const version = 7
	tests := []struct {
		values  []string
		matches bool
	}{
		{[]string{`W/"7"`}, true},
		{[]string{`"7"`}, true},
		{[]string{`7`}, true},
		{[]string{`*`}, true},
		{[]string{`"1", W/"7"`}, true},
		{[]string{`"1"`, `"7"`}, true},
		{[]string{`"1,7"`}, false},
		{[]string{`W/"8"`}, false},
		{[]string{`"*"`}, false}, // in quotes it is a tag like any other
		{[]string{`w/"7"`}, false},
		{[]string{`"7`}, false},
		{[]string{``}, false},
		{[]string{`,`}, false},
	}
	for _, tt := range tests {
		p := ParsePrecondition(tt.values)
		err := p.Check(scim.Meta{Version: version})
		if (err == nil) != tt.matches || p.IsZero() {
			t.Errorf("%q: %v, want match %v", tt.values, err, tt.matches)
		}
		if e, ok := scim.AsError(err); err != nil && (!ok || e.Status != 412) {
			t.Errorf("%q: %v is no 412", tt.values, err)
		}
	}
	if p := ParsePrecondition(nil); !p.IsZero() || p.Check(scim.Meta{Version: 1}) != nil {
		t.Error("no header demands something")
	}
}

// FuzzPrecondition holds that a condition is never lost, and that a resource's own
// tag among others matches.
func FuzzPrecondition(f *testing.F) {
	for _, s := range []string{`W/"1"`, `*`, `"a,b"`, `"`, `,,`, `W/`} {
		f.Add(s)
	}
	meta := scim.Meta{Version: 42}
	f.Fuzz(func(t *testing.T, s string) {
		p := ParsePrecondition([]string{s})
		if p.IsZero() {
			t.Fatal("the condition is lost")
		}
		if !strings.Contains(s, "42") && !strings.Contains(s, "*") && p.Check(meta) == nil {
			t.Fatalf("%q matches %s", s, meta.ETag())
		}
		if ParsePrecondition([]string{meta.ETag() + "," + s}).Check(meta) != nil {
			t.Fatalf("%s,%q does not match", meta.ETag(), s)
		}
	})
}

func TestParseParams(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want params
	}{
		{"", params{}},
		{"&&&", params{stray: true}},
		{"x=%zz&y;z", params{stray: true}},
		{"filter=a+b%2Bc%26d&", params{filter: "a b+c&d", stray: true}},
		{"filter=a=b", params{filter: "a=b"}},
		{"filter=a;b", params{filter: "a;b"}},
		{"Filter=a&STARTINDEX=2&Count=3", params{filter: "a", startIndex: "2", count: "3"}},
		{"attributes=a,b&excludedAttributes=c", params{attributes: "a,b", excluded: "c"}},
		{"filter=&filter=a", params{filter: "a"}},
		{"cursor", params{byCursor: true}},
		{"cursor=&count=2", params{byCursor: true, count: "2"}},
		{"count=2&Cursor=x&sortBy=a&sortorder=b", params{byCursor: true, cursor: "x", count: "2", sortBy: "a", sortOrder: "b"}},
	}
	for _, tt := range tests {
		got, err := parseParams(tt.raw)
		if err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.raw, got, err)
		}
	}
	for _, raw := range []string{"filter=%", "count=%x1", "filter=a&filter=b", "cursor&cursor=x", "filter=%ff", "attributes=%zz"} {
		if got, err := parseParams(raw); err == nil {
			t.Errorf("%q: %+v", raw, got)
		}
	}
}

// FuzzParams holds that a filter that was sent is either read or refused.
func FuzzParams(f *testing.F) {
	f.Add("filter=a&count=1")
	f.Add("&&filter=%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := parseParams(raw)
		if err == nil && strings.HasPrefix(raw, "filter=x") && !strings.HasPrefix(p.filter, "x") {
			t.Fatalf("%q: the filter is lost", raw)
		}
		if e, ok := scim.AsError(err); err != nil && (!ok || e.Status != 400) {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 0, "-3": -3, "+4": 4, "007": 7, "9223372036854775808": 1<<31 - 1, "-9223372036854775809": -(1<<31 - 1)} {
		if got, err := number("count", text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "1.0", "1e3", " 1", "0x1", "1_000"} {
		if got, err := number("count", text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
