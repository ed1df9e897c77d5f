package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func (w *world) wantRoles(identity string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(append([]string(nil), want...), w.state(identity).roles); diff != "" {
		w.t.Errorf("roles (-want +got):\n%s", diff)
	}
}

func TestJoinerMoverLeaverRehire(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "title", "Engineer")
		id := w.identityOf(u.ID)
		nudged := map[string]int{}
		w.Nudge = func(target string) { nudged[target]++ }
		w.evaluate()
		w.wantRoles(id, "employee", "engineer")
		s := w.state(id)
		if a := s.accounts["git"]; a.Desired == nil || !slices.Equal(a.Desired.Groups, []string{"engineers"}) || !a.Due || a.Leaver {
			w.t.Errorf("account at git: %+v", a)
		}
		if a, ok := s.accounts["wiki"]; ok {
			w.t.Errorf("an account nobody is due: %+v", a)
		}
		if diff := cmp.Diff(map[string]int{"chat": 1, "git": 2}, nudged); diff != "" {
			w.t.Errorf("targets told:\n%s", diff)
		}
		// Two rules give employee: both are reasons.
		var rules []string
		for _, r := range s.because["employee"] {
			rules = append(rules, r.Role+": "+r.Rule)
		}
		if diff := cmp.Diff([]string{"employee: user.active", `engineer: user.title == "Engineer"`}, rules); diff != "" {
			w.t.Errorf("reasons:\n%s", diff)
		}
		w.clock.Add(time.Hour)
		w.patch(w.user, u.ID, `[{"op":"replace","path":"title","value":"Painter"}]`)
		w.evaluate()
		w.wantRoles(id, "employee")
		if a := w.state(id).accounts["git"]; a.Desired != nil || a.Leaver {
			w.t.Errorf("a mover's account: %+v", a)
		}
		w.clock.Add(time.Hour)
		w.patch(w.user, u.ID, `[{"op":"replace","path":"active","value":false}]`)
		if n := w.db.Int(w.t, `SELECT count(*) FROM marks WHERE CAST(urgent AS integer) = 1`); n != 1 {
			w.t.Error("a leaver's mark is not urgent")
		}
		leftAt := w.clock.Now()
		w.clock.Add(time.Second)
		w.evaluate()
		w.wantRoles(id)
		s = w.state(id)
		if a := s.accounts["chat"]; a.Desired != nil || !a.Leaver || a.LeaverHeld || a.LeaverAt == nil || !a.LeaverAt.Equal(leftAt) {
			w.t.Errorf("a leaver's account: %+v", a)
		}
		if s.row.Stage != model.Leaver || s.row.LeftAt == nil || s.row.LeftSource != "hr" {
			w.t.Errorf("%+v", s.row)
		}
		w.patch(w.user, u.ID, `[{"op":"replace","path":"active","value":true}]`)
		w.evaluate()
		w.wantRoles(id, "employee")
		if a := w.state(id).accounts["chat"]; a.Desired == nil || a.Leaver || a.LeaverAt != nil {
			w.t.Errorf("after rehire: %+v", a)
		}
		if diff := cmp.Diff([]string{"identity.joiner", "identity.mover", "identity.leaver", "identity.rehire"}, w.events(id)); diff != "" {
			w.t.Errorf("events:\n%s", diff)
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM grants WHERE identity_id = ?`, id); n != 3 {
			w.t.Errorf("%d rows of grants, want employee twice and engineer", n)
		}
		if n, _, err := w.Store.Marks(ctxOf(w)); n != 0 || err != nil {
			w.t.Errorf("%d marks left: %v", n, err)
		}
		if _, faults, err := w.Store.VerifyAudit(ctxOf(w)); len(faults) > 0 || err != nil {
			w.t.Errorf("audit: %v %v", faults, err)
		}
	})
}

// TestEvaluatingAgainChangesNothing: what is decided twice is stored once, whatever
// types the facts and attributes have.
func TestEvaluatingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "chat: {url: http://127.0.0.1:1, profile: generic}",
		"chat: {url: http://127.0.0.1:1, profile: generic, user: {userName: user.userName, title: 'string(size(user.emails))', 'emails': user.emails}}", 1)
	configuration = strings.Replace(configuration, "when: user.active,", "when: 'user.active && size(user.emails) > 0 && user.emails.exists(e, e.primary || e.value != \"\") && user.groups != [\"x\"]',", 1)
	each(t, configuration, func(w *world) {
		u := w.person("ada", "title", "Engineer", "emails", []any{map[string]any{"value": "a@docs.example", "primary": true}, map[string]any{"value": "b@x"}})
		w.team("team", u.ID)
		id := w.identityOf(u.ID)
		w.evaluate()
		before := w.state(id)
		w.wantRoles(id, "employee", "engineer", "team", "writer")
		counts := w.counts()
		for range 3 {
			w.clock.Add(time.Minute)
			update(w, "i", id)
			w.evaluate()
		}
		after := w.state(id)
		if w.counts()[1] != counts[1] {
			w.t.Error("audit entries for nothing")
		}
		for target, a := range after.accounts {
			if diff := cmp.Diff(before.accounts[target], a); diff != "" {
				w.t.Errorf("account at %s:\n%s", target, diff)
			}
		}
		if diff := cmp.Diff(before.because, after.because); diff != "" {
			w.t.Errorf("reasons:\n%s", diff)
		}
	})
}

// update marks people as a change elsewhere would.
func update(w *world, _ string, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.db.Exec(w.t, `INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until) VALUES (?, 1, FALSE, 1, 0)`, id)
	}
}

// TestFailingRuleKeepsAccess: a rule that cannot be decided takes nothing away.
func TestFailingRuleKeepsAccess(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "emails", []any{map[string]any{"value": "a@docs.example"}}, "title", "Writer", "userType", "employee")
		other := w.person("bob", "title", "Clerk", "userType", "employee")
		id, bob := w.identityOf(u.ID), w.identityOf(other.ID)
		w.evaluate()
		w.wantRoles(id, "employee", "writer")
		w.wantRoles(bob, "employee")
		if s := w.state(bob); len(s.row.Findings) != 1 || !strings.Contains(s.row.Findings[0], "writer") {
			w.t.Errorf("findings %q", s.row.Findings)
		}
		since := w.state(id).accounts["wiki"]
		w.patch(w.user, u.ID, `[{"op":"remove","path":"emails"}]`)
		w.evaluate()
		w.wantRoles(id, "employee", "writer")
		s := w.state(id)
		if a := s.accounts["wiki"]; a.Desired == nil || since.Desired == nil {
			w.t.Errorf("the account at wiki was taken away: %+v", a)
		}
		if len(s.row.Findings) == 0 || s.row.Stage != model.Active {
			w.t.Errorf("findings %q at stage %s", s.row.Findings, s.row.Stage)
		}
		w.patch(w.user, u.ID, `[{"op":"add","path":"emails","value":[{"value":"a@else.example","type":"work"}]}]`)
		w.evaluate()
		w.wantRoles(id, "employee") // decided now
		if s := w.state(id); len(s.row.Findings) != 0 {
			w.t.Errorf("findings stayed: %q", s.row.Findings)
		}
	})
}

func TestDeny(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "title", "Engineer", "userType", "contractor")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.wantRoles(id, "employee")
		w.patch(w.user, u.ID, `[{"op":"replace","path":"userType","value":"staff"}]`)
		w.evaluate()
		w.wantRoles(id, "employee", "engineer")
	})
}

func TestGroupsGiveRoles(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada")
		id := w.identityOf(u.ID)
		g := w.team("crew", u.ID)
		w.evaluate()
		w.wantRoles(id, "employee")
		w.patch(w.group, g.ID, `[{"op":"replace","path":"displayName","value":"team"}]`)
		w.evaluate()
		w.wantRoles(id, "employee", "team")
		w.remove("hr", w.group, g.ID)
		w.evaluate()
		w.wantRoles(id, "employee")
	})
}

func TestDates(t *testing.T) {
	t.Parallel()
	const dated = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
identity: {start: 'nickName', end: 'title'}
roles: {employee: {when: user.active, grants: [{target: chat}]}}
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`
	each(t, dated, func(w *world) {
		u := w.person("ada", "nickName", "2027-03-02", "title", "2027-03-04T12:00:00Z")
		id := w.identityOf(u.ID)
		stages := func(at time.Time, want model.Stage, event string) {
			w.t.Helper()
			w.clock.Set(at)
			w.evaluate()
			s := w.state(id)
			if s.row.Stage != want || (want == model.Active) != (len(s.roles) == 1) {
				w.t.Errorf("%s: stage %s with roles %v, want %s", at, s.row.Stage, s.roles, want)
			}
			if e := w.events(id); len(e) == 0 || e[len(e)-1] != "identity."+event {
				w.t.Errorf("%s: events %v, want %s last", at, e, event)
			}
		}
		first := time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC)
		end := time.Date(2027, 3, 4, 12, 0, 0, 0, time.UTC)
		stages(noon(), model.Prehire, "prehire")
		stages(first.Add(-time.Microsecond), model.Prehire, "prehire")
		stages(first, model.Active, "joiner")
		stages(end.Add(-time.Microsecond), model.Active, "joiner")
		stages(end, model.Leaver, "leaver")
		if a := w.state(id).accounts["chat"]; !a.Leaver || a.Desired != nil {
			w.t.Errorf("after the last day: %+v", a)
		}
		w.patch(w.user, u.ID, `[{"op":"replace","path":"title","value":"soon"}]`)
		w.evaluate()
		if s := w.state(id); len(s.row.Findings) != 1 {
			w.t.Errorf("an unreadable date gives findings %q", s.row.Findings)
		}
	})
}

// TestLeaverGuard: at most the limit leaves; the rest is held.
func TestLeaverGuard(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		var users []scim.Resource
		for i := range 6 {
			users = append(users, w.person(fmt.Sprint("u", i)))
		}
		w.evaluate()
		var ids []string
		leave := func(u scim.Resource) string {
			w.t.Helper()
			id := w.identityOf(u.ID)
			ids = append(ids, id)
			w.patch(w.user, u.ID, `[{"op":"replace","path":"active","value":false}]`)
			return id
		}
		for _, u := range users[:4] {
			leave(u)
			w.clock.Add(time.Second)
		}
		w.evaluate() // all in one batch
		held := 0
		for _, id := range ids {
			if s := w.state(id); s.row.OverGuard {
				held++
				if !s.accounts["chat"].LeaverHeld {
					w.t.Error("over the guard, yet the account is not held")
				}
			}
		}
		if held != 2 {
			w.t.Errorf("%d of 4 leavers are held, the limit is 2", held)
		}
		if s := w.state(leave(users[4])); s.row.OverGuard {
			w.t.Error("held before it was evaluated")
		}
		w.evaluate()
		if !w.state(ids[4]).row.OverGuard {
			w.t.Error("one by one more than the limit left")
		}
		w.clock.Add(2 * time.Hour)
		late := leave(users[5])
		w.evaluate()
		if w.state(late).row.OverGuard {
			w.t.Error("held although the window is over")
		}
	})
}

// TestBadIdentityStopsNobody: a batch that fails is worked on one by one.
func TestBadIdentityStopsNobody(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		var good []string
		bad := w.identityOf(w.person("bad").ID)
		for i := range 4 {
			good = append(good, w.identityOf(w.person(fmt.Sprint("u", i)).ID))
		}
		w.db.Exec(w.t, `UPDATE identities SET user_doc = ? WHERE id = ?`, "{broken", bad)
		if n, err := w.EvaluateBatch(ctxOf(w)); n != 5 || err == nil || !strings.Contains(err.Error(), bad) {
			w.t.Errorf("batch of %d: %v", n, err)
		}
		for _, id := range good {
			w.wantRoles(id, "employee")
		}
		if diff := cmp.Diff([]string{bad}, w.marked()); diff != "" {
			w.t.Errorf("marks:\n%s", diff)
		}
		if n, err := w.EvaluateBatch(ctxOf(w)); n != 0 || err != nil {
			w.t.Errorf("tried again at once: %d %v", n, err)
		}
		w.db.Exec(w.t, `UPDATE identities SET user_doc = ? WHERE id = ?`, "{}", bad)
		w.clock.Add(time.Hour)
		w.evaluate()
		w.wantRoles(bad, "employee")
	})
}

// TestRuleChange: a new version takes and gives, and says which version it was.
func TestRuleChange(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		id := w.identityOf(w.person("ada", "title", "Engineer").ID)
		w.evaluate()
		snap, err := hub.Compile(2, "hub.yaml", []byte(strings.Replace(oneSource, `"Engineer"`, `"Chief"`, 1)), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		w.Activate(snap)
		update(w, "rules", id)
		w.clock.Add(time.Hour)
		w.evaluate()
		w.wantRoles(id, "employee")
		var reasons []string
		for _, r := range w.state(id).because["employee"] {
			reasons = append(reasons, r.Rule)
		}
		if diff := cmp.Diff([]string{"user.active"}, reasons); diff != "" {
			w.t.Errorf("reasons of employee:\n%s", diff)
		}
	})
}
