package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

func parse(t *testing.T, text string) *config.Document {
	t.Helper()
	d, faults := config.Parse("hub.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatalf("faults:\n%s", lines(faults))
	}
	return d
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "sources:\nroles:\ntargets:\n"} {
		d := parse(t, text)
		if d.Listen != "127.0.0.1:8080" || d.PublicURL != "http://127.0.0.1:8080" || databaseOf(d) != "sqlite:scimhub.db" {
			t.Errorf("%q: %q %q %q", text, d.Listen, d.PublicURL, databaseOf(d))
		}
		if len(d.Sources)+len(d.Roles)+len(d.Targets)+len(d.Warnings) != 0 || d.Identity.Match[0] != "userName" {
			t.Errorf("%q: %+v", text, d)
		}
	}
	d := parse(t, "listen: :9090\nsources: {hr: {}}\ntargets: {t: {url: http://t}}\n")
	if d.PublicURL != "http://127.0.0.1:9090" {
		t.Errorf("public URL %q", d.PublicURL)
	}
	guard := model.Guard{Percent: 10, Floor: 5, Window: time.Hour}
	if diff := cmp.Diff([]config.Source{{Name: "hr", Dialect: "rfc", Guard: guard}}, d.Sources); diff != "" {
		t.Error(diff)
	}
	want := []model.Target{{
		Name: "t", URL: "http://t", Profile: "generic", Mode: model.ModeEnforce, Match: []string{"externalId", "userName"}, Adopt: "auto",
		Leaver: model.LeaverPolicy{First: "disable", Successor: "manager", Goal: 5 * time.Minute}, Guard: guard, Groups: model.GroupPolicy{Adopt: "auto", Remove: "keep", Nested: "flatten"},
		Drift: model.DriftPolicy{Every: 6 * time.Hour, Changed: "revert", Missing: "recreate", Unknown: "report", Sightings: 2},
	}}
	if diff := cmp.Diff(want, d.Targets, cmp.Comparer(func(a, b model.Secret) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestLookUp(t *testing.T) {
	t.Parallel()
	d := parse(t, "sources: {b: {}, a: {dialect: okta}}\nroles: {r: {when: user.active}}\ntargets: {t: {url: http://t}}\n")
	if diff := cmp.Diff([]string{"b", "a"}, d.SourceNames()); diff != "" {
		t.Error(diff)
	}
	s, okS := d.Source("a")
	r, okR := d.Role("r")
	x, okT := d.Target("t")
	if !okS || !okR || !okT || s.Dialect != "okta" || r.When != "user.active" || x.URL != "http://t" {
		t.Error(s, r, x)
	}
	_, okS = d.Source("none")
	_, okR = d.Role("none")
	_, okT = d.Target("none")
	if okS || okR || okT {
		t.Error("found what is not there")
	}
}

// TestDialects: every dialect that the configuration allows is one that the
// protocol layer knows.
func TestDialects(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rfc", "interop", "entra", "okta", "onelogin", "lenient"} {
		d := parse(t, "sources: {a: {dialect: "+name+"}}\n")
		if _, ok := scim.DialectNamed(d.Sources[0].Dialect); !ok {
			t.Errorf("%s is unknown to package scim", name)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	good := map[string]time.Duration{
		"0": 0, "0s": 0, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "30d": 30 * day, "2w": 14 * day, "7y": 7 * 365 * day,
		"1w2d3h": 9*day + 3*time.Hour, "0.5d": 12 * time.Hour, "10ms": 10 * time.Millisecond,
	}
	for text, want := range good {
		if got, err := config.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "d", "-1d", "+1d", "1 d", "1d ", "1mo", "1d2", "300y", "200y200y", "1e3d", "..d", "1.2.3d", "99999999999999999999d", "∞d"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	want := time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"2027-06-30", "2027-06-30T02:00:00+02:00"} {
		if got, err := config.ParseDate(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2027-02-30", "30.06.2027", "2027-06-30 10:00"} {
		if _, err := config.ParseDate(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestRedacted: a literal secret is replaced where it stands, however it is
// written, nothing else changes, and the outcome is a text of its own right.
func TestRedacted(t *testing.T) {
	t.Parallel()
	const text = `database: postgres://hub:p%40ss@db.example.com:5432/hub?sslmode=require # db
admin:
  tokens: [{name: é, secret: plain-secret, role: admin}, {name: b, secret: 'it''s', role: auditor}] # two
sources:
  hr:
    tokens:
      - {name: main, secret: "dou\"ble\u0041"}
      - name: other
        secret: plain secret with words
targets:
  t:
    url: http://t
    auth: {header: {name: X-Key, value: "${env:KEY}"}}
`
	src := strings.Replace(text, "name: é", "name: a", 1)
	d := parse(t, src)
	got := string(d.Redacted())
	for _, secret := range []string{"p%40ss", "p@ss", "plain-secret", "it''s", "dou", "plain secret", "ubleA"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is still there:\n%s", secret, got)
		}
	}
	for _, kept := range []string{"# db", "# two", "${env:KEY}", "sslmode=require", "postgres://hub:literal-", "name: b, secret: \"${literal:"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is gone:\n%s", kept, got)
		}
	}
	if len(d.Warnings) != 4 {
		t.Errorf("warnings:\n%s", lines(d.Warnings))
	}
	if v, err := d.Sources[0].Tokens[0].Secret.Reveal(); v != `dou"bleA` || err != nil {
		t.Errorf("revealed %q, %v", v, err)
	}
	again := parse(t, got)
	if len(again.Warnings) != 0 || string(again.Redacted()) != got {
		t.Errorf("redacting twice changes more:\n%s\n%s", again.Redacted(), lines(again.Warnings))
	}
	if strings.Contains(fmt.Sprintf("%+v %v", d.Admin, d.Sources), "plain-secret") {
		t.Error("printing shows a secret")
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"sqlite:x.db", "'sqlite::memory:'", "postgres:///hub?host=/run/pg", `"${file:/run/db}"`, "postgresql://u@h/d"} {
		parse(t, "database: "+text+"\n")
	}
	for _, text := range []string{"sqlite:", "mysql://h/d", "x.db", "postgres://u:p@s@h:x/d", "postgres:", `"${env:}"`} {
		_, faults := config.Parse("hub.yaml", []byte("database: "+text+"\n"))
		if len(faults) != 1 || strings.Contains(faults[0].Message, "p@s") {
			t.Errorf("%s: %v", text, faults)
		}
	}
	if d := parse(t, "database: postgres://h/hub?password=hunter2\n"); strings.Contains(string(d.Redacted()), "hunter2") {
		t.Errorf("%s", d.Redacted())
	}
	d := parse(t, "database: sqlite:x.db\n")
	if got, err := d.DatabaseURL(); got != "sqlite:x.db" || err != nil {
		t.Error(got, err)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	a, b := parse(t, "listen: :1\n"), parse(t, "listen: :2\n")
	if a.Digest() == b.Digest() || a.Digest() != parse(t, "listen: :1\n").Digest() || len(a.Digest()) != 64 {
		t.Error(a.Digest(), b.Digest())
	}
}

func TestFaultPlaces(t *testing.T) {
	t.Parallel()
	d := parse(t, `roles:
  a.b:
    when: user.active
  b: {when: 'user.title == "x"'}
  c: {when: "user.title == \"x\""}
  d:
    when: |
      user.active &&
        user.title == "x"
  e:
    when: >
      user.active &&
      user.title
  f:
    when: user.active &&
      user.title
`)
	when := func(role string) string { return config.Join("roles", role, "when") }
	tests := []struct {
		path         string
		line, column int
		want         string
	}{
		{when("a.b"), 1, 5, "3:16"},
		{when("b"), 1, 5, "4:19"},
		{when("c"), 1, 5, "5:13"}, // escapes: the start
		{when("d"), 1, 5, "8:12"},
		{when("d"), 2, 7, "9:14"},
		{when("d"), 9, 9, "7:11"},
		{when("e"), 1, 3, "11:11"},
		{when("f"), 1, 3, "15:11"},
		{when("none"), 1, 0, "1:1"},
		{"", 1, 0, "1:1"},
		{"roles.b.none[3]", 1, 0, "4:3"},
	}
	for _, tt := range tests {
		f := d.FaultIn(tt.path, tt.line, tt.column, "m")
		if got := fmt.Sprintf("%d:%d", f.Line, f.Column); got != tt.want || f.Path != tt.path {
			t.Errorf("%s %d:%d is at %s, want %s", tt.path, tt.line, tt.column, got, tt.want)
		}
	}
	if got := d.Fault(when("a.b"), "no").Error(); got != "hub.yaml:3:11: roles['a.b'].when: no" {
		t.Error(got)
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	if got := config.Join("targets", "git", "user", `emails[type eq "work"].value`, 2, "it's"); got != `targets.git.user['emails[type eq "work"].value'][2]['it''s']` {
		t.Error(got)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	tests := []struct{ word, want string }{
		{"gti", `; did you mean "git"?`}, {"Git", `; did you mean "git"?`}, {"enterpise", `; did you mean "enterprise"?`}, {"zzz", ""}, {"", ""},
		{strings.Repeat("git", 100), ""},
	}
	for _, tt := range tests {
		if got := config.Suggest(tt.word, []string{"git", "chat", "enterprise"}); got != tt.want {
			t.Errorf("%s: %s", tt.word, got)
		}
	}
}

// TestLimits: texts that would cost much are refused quickly, and never end the process.
func TestLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"size":         strings.Repeat("# comment\n", config.MaxSize/10+1),
		"flow depth":   "a: " + strings.Repeat("[", 100_000),
		"map depth":    "a: " + strings.Repeat("{a: ", 100_000),
		"block depth":  strings.Repeat("- ", 100_000) + "x",
		"indent depth": nested(100),
		"keys":         manyKeys(20_000),
		"tokens":       "a: [" + strings.Repeat("x,", 300_000) + "]",
		"NUL":          "a: \x00\n",
		"not UTF-8":    "a: \xff\n",
		"old Mac":      "a: 1\rb: 2\r",
		"tab":          "\ta: 1\n",
		"deep tags":    "a: " + strings.Repeat("!x ", 10_000) + "y",
		"aliases":      "a: &a [1]\nb: [*a, *a]\n",
		"unclosed":     "a: \"" + strings.Repeat("x\n", 1000),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, faults := config.Parse("hub.yaml", []byte(text))
			if len(faults) == 0 || d == nil {
				t.Fatal("accepted")
			}
			if len(faults[0].Message) > 300 {
				t.Errorf("a message of %d bytes", len(faults[0].Message))
			}
		})
	}
}

func nested(depth int) string {
	var b strings.Builder
	for n := range depth {
		b.WriteString(strings.Repeat(" ", n) + "a:\n")
	}
	return b.String()
}

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString("roles:\n")
	for k := range n {
		fmt.Fprintf(&b, "  r%d: {}\n", k)
	}
	return b.String()
}

// TestLargeConfiguration: what a large organisation has is within the limits.
func TestLargeConfiguration(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("targets: {t: {url: http://t}}\nroles:\n  r0: {}\n")
	for n := 1; n < 5000; n++ {
		fmt.Fprintf(&b, "  r%d:\n    when: user.title == \"T%d\"\n    inherits: [r%d]\n    grants:\n      - {target: t, group: g%d}\n", n, n, n-1, n)
	}
	if d := parse(t, b.String()); len(d.Roles) != 5000 {
		t.Errorf("%d roles", len(d.Roles))
	}
}

func databaseOf(d *config.Document) string {
	address, _ := d.DatabaseURL()
	return address
}
