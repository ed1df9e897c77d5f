package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/policy"
)

// approved is a request in force, decided by who is named.
func approved(id, role, origin string, until *time.Time, by ...string) model.Request {
	q := model.Request{ID: id, Identity: "i1", Role: role, Origin: origin, State: model.RequestApproved, Until: until}
	for _, name := range by {
		q.Steps = append(q.Steps, model.Step{Decisions: []model.Approval{{Actor: name, Approve: true}}})
	}
	return q
}

// outcome is a result in short: role, how it stands, until when, by whom, why.
func outcome(r policy.Result) string {
	var b strings.Builder
	write := func(kind string, list []model.Grant) {
		for _, g := range list {
			fmt.Fprintf(&b, "%s %s", kind, g.Role)
			if g.Until != nil {
				fmt.Fprintf(&b, " until %s", g.Until.Format(time.DateOnly))
			}
			if g.ApprovedBy != "" {
				fmt.Fprintf(&b, " by %s", g.ApprovedBy)
			}
			for _, reason := range g.Because {
				from := "rule of " + reason.Role
				if reason.Request != "" {
					from = reason.Request
				}
				fmt.Fprintf(&b, "; %s", strings.Join(append([]string{from}, reason.Via...), ">"))
			}
			b.WriteString("\n")
		}
	}
	write("held", r.Grants)
	write("wanted", r.Wanted)
	for _, d := range r.Denied {
		b.WriteString("denied " + d.Role + "\n")
	}
	for _, u := range r.Undecided {
		b.WriteString("undecided " + u + "\n")
	}
	for _, u := range r.Unsettled {
		b.WriteString("unsettled " + u + "\n")
	}
	return b.String()
}

func day(n int) *time.Time {
	t := today.AddDate(0, 0, n)
	return &t
}

func TestEvaluateRequests(t *testing.T) {
	t.Parallel()
	const asked, ruled = model.OriginAsked, model.OriginRule
	const always = `approval: always, request: {approve: [manager]}`
	const fails = `'user.emails[0].value == "x"'`
	tests := map[string]struct {
		roles string
		asked []model.Request
		want  string
	}{
		"a request gives its role and what it inherits, until its end": {
			roles: `{a: {inherits: [b]}, b: {inherits: [c]}, c: {}}`,
			asked: []model.Request{approved("q1", "a", asked, day(3), "ann", "bob")},
			want: `held a until 2027-03-04 by ann, bob; q1
held b until 2027-03-04 by ann, bob; q1>b
held c until 2027-03-04 by ann, bob; q1>b>c
`},
		"the longest of several; a rule has no end": {
			roles: `{a: {inherits: [c, d]}, b: {inherits: [c]}, c: {}, d: {when: user.active}}`,
			asked: []model.Request{approved("q2", "b", asked, day(9), "bob"), approved("q1", "a", asked, day(3), "ann"), approved("q3", "a", asked, day(5), "ann")},
			want: `held a until 2027-03-06 by ann; q1; q3
held b until 2027-03-10 by bob; q2
held c until 2027-03-10 by ann, bob; q1>c; q3>c; q2>c
held d by ann; rule of d; q1>d; q3>d
`},
		"one without an end": {
			roles: `{a: {}}`,
			asked: []model.Request{approved("q1", "a", asked, day(3)), approved("q2", "a", asked, nil)},
			want:  "held a; q1; q2\n"},
		"deny beats a request, and nothing follows": {
			roles: `{a: {deny: user.active, inherits: [b]}, b: {}}`,
			asked: []model.Request{approved("q1", "a", asked, nil)},
			want:  "denied a\n"},
		"a failing deny leaves it undecided": {
			roles: `{a: {deny: ` + fails + `}}`,
			asked: []model.Request{approved("q1", "a", asked, nil)},
			want:  "undecided a\n"},
		"a failing rule beside a request": {
			roles: `{a: {when: ` + fails + `}}`,
			asked: []model.Request{approved("q1", "a", asked, day(1))},
			want:  "held a until 2027-03-02; q1\n"},
		"a role that is not there": {roles: `{a: {}}`, asked: []model.Request{approved("q1", "none", asked, nil)}},
		"of a rule that does not match": {
			roles: `{a: {when: '!user.active'}}`,
			asked: []model.Request{approved("q1", "a", ruled, nil)}},
		"always: wanted, and nothing follows": {
			roles: `{a: {when: user.active, ` + always + `, inherits: [b]}, b: {}}`,
			want:  "wanted a; rule of a\n"},
		"always: approved": {
			roles: `{a: {when: user.active, ` + always + `, inherits: [b]}, b: {}}`,
			asked: []model.Request{approved("q1", "a", ruled, day(2), "ann")},
			want: `held a until 2027-03-03 by ann; q1; rule of a
held b until 2027-03-03 by ann; q1>b; rule of a>b
`},
		"always: approved, the rule no longer matches": {
			roles: `{a: {when: '!user.active', ` + always + `}}`,
			asked: []model.Request{approved("q1", "a", ruled, nil, "ann")}},
		"always: asked for, whatever the rule says": {
			roles: `{a: {when: '!user.active', ` + always + `}}`,
			asked: []model.Request{approved("q1", "a", asked, day(1), "ann")},
			want:  "held a until 2027-03-02 by ann; q1\n"},
		"always: asked for is approval enough for the rule": {
			roles: `{a: {when: user.active, ` + always + `}}`,
			asked: []model.Request{approved("q1", "a", asked, day(1), "ann")},
			want:  "held a until 2027-03-02 by ann; q1; rule of a\n"},
		"always: an approval without an end": {
			roles: `{a: {when: user.active, ` + always + `}}`,
			asked: []model.Request{approved("q1", "a", asked, day(1), "ann"), approved("q2", "a", ruled, nil, "bob")},
			want:  "held a by ann, bob; q1; q2; rule of a\n"},
		"always: inheritance does not get around it": {
			roles: `{heir: {when: user.active, inherits: [a, c]}, a: {when: '!user.active', ` + always + `, inherits: [b]}, b: {}, c: {}}`,
			want: `held c; rule of heir>c
held heir; rule of heir
wanted a; rule of heir>a
`},
		"always: inherited and approved": {
			roles: `{heir: {when: user.active, inherits: [a]}, a: {when: '!user.active', ` + always + `, inherits: [b]}, b: {}}`,
			asked: []model.Request{approved("q1", "a", ruled, nil, "ann")},
			want: `held a by ann; q1; rule of heir>a
held b by ann; q1>b; rule of heir>a>b
held heir; rule of heir
`},
		"always: through a role asked for": {
			roles: `{heir: {inherits: [a]}, a: {when: '!user.active', ` + always + `}}`,
			asked: []model.Request{approved("q1", "heir", asked, day(1), "ann")},
			want:  "held heir until 2027-03-02 by ann; q1\nwanted a; q1>a\n"},
		"always: a failing rule keeps who holds it and asks nobody": {
			roles: `{a: {when: ` + fails + `, ` + always + `}}`,
			asked: []model.Request{approved("q1", "a", ruled, nil, "ann")},
			want:  "undecided a\n"},
		"always: a failing rule nobody approved": {roles: `{a: {when: ` + fails + `, ` + always + `, inherits: [b]}, b: {}}`, want: "unsettled a\n"},
		"always: denied is not wanted":           {roles: `{a: {when: user.active, deny: user.active, ` + always + `}}`},
		"always: a failing deny":                 {roles: `{a: {when: user.active, deny: ` + fails + `, ` + always + `}}`, want: "unsettled a\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := compile(t, "roles: "+tt.roles).Evaluate(person(attrs{}), tt.asked, today)
			if diff := cmp.Diff(tt.want, outcome(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRequestsGiveAndNeverTake: a request more, and nobody holds less or shorter.
func TestRequestsGiveAndNeverTake(t *testing.T) {
	t.Parallel()
	e := compile(t, `
roles:
  a: {when: 'user.title == "A"', inherits: [b, c]}
  b: {when: user.active, approval: always, request: {approve: [manager]}, inherits: [d]}
  c: {deny: 'user.title == "B"', inherits: [d, e]}
  d: {when: '"g" in user.groups', approval: always, request: {approve: [manager]}}
  e: {inherits: [f]}
  f: {when: 'user.title == "C"'}
`)
	rapid.Check(t, func(t *rapid.T) {
		var groups []string
		if rapid.Bool().Draw(t, "in g") {
			groups = []string{"g"}
		}
		i := person(attrs{"title": rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "title")}, groups...)
		var asked []model.Request
		for n := range rapid.IntRange(1, 5).Draw(t, "requests") {
			var until *time.Time
			if n := rapid.IntRange(0, 4).Draw(t, "until"); n > 0 {
				until = day(n)
			}
			asked = append(asked, approved(fmt.Sprint("q", n), rapid.SampledFrom(e.Roles()).Draw(t, "role"),
				rapid.SampledFrom([]string{model.OriginAsked, model.OriginRule}).Draw(t, "origin"), until))
		}
		more, fewer := e.Evaluate(i, asked, today), e.Evaluate(i, asked[1:], today)
		for _, was := range fewer.Grants {
			at := slices.IndexFunc(more.Grants, func(g model.Grant) bool { return g.Role == was.Role })
			if at < 0 {
				t.Fatalf("%s is lost by a request more\n%s\n%s", was.Role, outcome(fewer), outcome(more))
			}
			if is := more.Grants[at].Until; is != nil && (was.Until == nil || was.Until.After(*is)) {
				t.Fatalf("%s ends sooner by a request more\n%s\n%s", was.Role, outcome(fewer), outcome(more))
			}
		}
		for _, g := range more.Grants {
			if len(g.Because) == 0 {
				t.Fatalf("%s is held for no reason", g.Role)
			}
		}
	})
}
