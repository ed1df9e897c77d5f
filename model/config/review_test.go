package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/config"
)

const reviewsText = `
database: sqlite:x.db
roles:
  engineer: {when: user.active, risk: high, owner: "role:security", grants: [{target: git}]}
  security: {when: user.active}
targets:
  git: {url: http://127.0.0.1:1, profile: generic}
reviews:
  bulk_keeps: 10
  on_move: {reviewer: manager, within: 7d, undecided: revoke}
  campaigns:
    - {name: quarterly, scope: {risk: high}, every: 90d, due: 21d, reviewer: owner, remind: 3d}
    - name: staged
      scope: {target: git, unused: 60d}
      every: 1y
      first: 2027-01-01
      stages: [{reviewers: [manager], within: 14d}, {reviewer: "role:security", within: 7d}]
      escalate: {after: 5d, to: ["role:security"]}
      undecided: escalate
`

func TestReviews(t *testing.T) {
	t.Parallel()
	d, faults := config.Parse("hub.yaml", []byte(reviewsText))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const day = 24 * time.Hour
	v := d.Reviews
	if v.BulkKeeps != 10 || v.Stale != 90*day || v.OnMove == nil || v.OnMove.Within != 7*day || v.OnMove.Undecided != "revoke" || len(v.Campaigns) != 2 {
		t.Fatalf("%+v", v)
	}
	if one := v.Campaigns[0]; len(one.Stages) != 1 || one.Stages[0].Within != 21*day || one.Stages[0].Reviewers[0] != "owner" || one.Undecided != "keep" || one.Scope.Risk != "high" {
		t.Errorf("%+v", one)
	}
	if two := v.Campaigns[1]; len(two.Stages) != 2 || two.Stages[1].Reviewers[0] != "role:security" || two.First == nil || two.Scope.UnusedFor != 60*day {
		t.Errorf("%+v", two)
	}
	if role, _ := d.Role("engineer"); role.Risk != "high" || role.Owner != "role:security" {
		t.Errorf("%+v", role)
	}
}

func TestReviewsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, want string }{
		{"risk: high, owner", "risk: hgih, owner", "risk"},
		{`owner: "role:security"`, `owner: manager`, "owner"},
		{`owner: "role:security"`, `owner: "role:nobody"`, `there is no role "nobody"`},
		{"scope: {risk: high}", "scope: {}", "needs at least one"},
		{"scope: {risk: high}", "scope: {role: engineers}", `did you mean "engineer"`},
		{"scope: {risk: high}", "scope: {group: x}", "need target"},
		{"reviewer: owner", "reviewer: boss", "must be manager, owner"},
		{"reviewer: owner", `reviewer: "role:boss"`, `there is no role "boss"`},
		{"every: 90d, ", "", "every is required"},
		{"name: staged", "name: quarterly", "already"},
		{`      escalate: {after: 5d, to: ["role:security"]}` + "\n", "", "needs escalate"},
		{"undecided: revoke", "undecided: escalate", "undecided"},
		{"reviewer: owner, remind", "stages: [], reviewer: owner, remind", "stage"},
	} {
		text := strings.Replace(reviewsText, c.from, c.to, 1)
		_, faults := config.Parse("hub.yaml", []byte(text))
		found := false
		for _, f := range faults {
			found = found || strings.Contains(f.Error(), c.want)
		}
		if text == reviewsText || !found {
			t.Errorf("%s: %v", c.to, faults)
		}
	}
}
