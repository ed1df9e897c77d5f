package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

const mirroring = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  engineer: {when: user.active, grants: [{target: git, group: Team-A}]}
targets:
  git:
    url: http://127.0.0.1:2
    groups: {mirror: ['displayName sw "team-" and not (externalId eq "secret")', 'id eq "g9"']}
  direct:
    url: http://127.0.0.1:3
    groups: {mirror: ['displayName pr'], nested: direct}
`

func mirrorEngine(t *testing.T) (*policy.Engine, *config.Document) {
	t.Helper()
	doc, _ := config.Parse("hub.yaml", []byte(mirroring))
	e, faults := policy.Compile(1, doc)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return e, doc
}

func TestMirrors(t *testing.T) {
	t.Parallel()
	e, _ := mirrorEngine(t)
	for _, c := range []struct {
		name string
		m    model.Membership
		want bool
	}{
		{"by name, without regard to case", model.Membership{GroupID: "g1", Display: "TEAM-a"}, true},
		{"another name", model.Membership{GroupID: "g1", Display: "other"}, false},
		{"by externalId", model.Membership{GroupID: "g1", Display: "team-x", ExternalID: "secret"}, false},
		{"externalId is case exact", model.Membership{GroupID: "g1", Display: "team-x", ExternalID: "SECRET"}, true},
		{"by id", model.Membership{GroupID: "g9", Display: "whatever"}, true},
		{"without a name", model.Membership{GroupID: "g9"}, false},
	} {
		if got := e.Mirrors("git", c.m); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if e.Mirrors("nowhere", model.Membership{GroupID: "g1", Display: "team-a"}) {
		t.Error("a target without filters mirrors")
	}
}

func TestDesireMirrored(t *testing.T) {
	t.Parallel()
	e, doc := mirrorEngine(t)
	person := model.Identity{ID: "i1", User: map[string]any{"userName": "ada", "active": true}, Links: []model.Link{{Source: "hr"}}, Groups: []model.Membership{
		{Source: "hr", GroupID: "g1", Display: "team-a"},
		{Source: "hr", GroupID: "g2", Display: "team-b", Via: []string{"team-a", "middle", "team-b"}},
		{Source: "hr", GroupID: "g3", Display: "other"},
	}}
	grants := e.Evaluate(person, nil, time.Now()).Grants
	target := func(name string) model.Target { found, _ := doc.Target(name); return found }
	got, err := e.Desire(target("git"), person, grants, model.Active)
	if err != nil {
		t.Fatal(err)
	}
	// The role's group and the mirrored one are one group, by the role's name.
	if diff := cmp.Diff([]string{"Team-A", "team-b"}, got.Account.Groups); diff != "" {
		t.Errorf("groups:\n%s", diff)
	}
	if n := len(got.Because["Team-A"]); n != 2 {
		t.Errorf("%d reasons for the group that a role and a mirror give, want 2", n)
	}
	if diff := cmp.Diff([]model.Reason{{Group: "team-b", Via: []string{"team-a", "middle", "team-b"}, Sources: map[string]string{"groups": "hr"}, Version: 1}}, got.Because["team-b"]); diff != "" {
		t.Errorf("reasons:\n%s", diff)
	}
	if text := policy.ReasonText(got.Because["team-b"][0]); text != "member of group team-b by way of team-a, middle" {
		t.Error(text)
	}
	got, err = e.Desire(target("direct"), person, grants, model.Active)
	if err != nil || !slices.Equal(got.Account.Groups, []string{"other", "team-a"}) {
		t.Errorf("nested: direct: %v, %v", got.Account, err)
	}
}

// A filter over what is not known of a group where people are decided about would match
// nobody, and so take everybody's access: it is a fault of the configuration.
func TestMirrorFaults(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{`members.value eq "x"`, `meta.created gt "2026-01-01T00:00:00Z"`, `displayName sw "a" or nonsense eq "b"`} {
		doc, _ := config.Parse("hub.yaml", []byte(strings.Replace(mirroring, `'id eq "g9"'`, `'`+filter+`'`, 1)))
		e, faults := policy.Compile(1, doc)
		if e != nil || len(faults) != 1 || faults[0].Line != 9 || !strings.Contains(faults[0].Message, filter) {
			t.Errorf("%s: %v", filter, faults)
		}
	}
}

func TestWayIsCut(t *testing.T) {
	t.Parallel()
	via := strings.Split("abcdefghijklmnopq", "")
	if got := policy.Way(via); got != "a, b, c, d, e, 6 more, l, m, n, o, p" {
		t.Error(got)
	}
	if got := policy.Way([]string{"only"}); got != "" {
		t.Error(got)
	}
}
