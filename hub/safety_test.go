package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// crew pushes some people and evaluates them.
func (w *world) crew(n int) []scim.Resource {
	w.t.Helper()
	users := make([]scim.Resource, n)
	for i := range users {
		users[i] = w.person(fmt.Sprint("u", i))
	}
	w.evaluate()
	return users
}

// overGuard counts those of the people whom their source's guard holds.
func (w *world) overGuard(users []scim.Resource) (held int) {
	w.t.Helper()
	for _, u := range users {
		id := w.db.Strings(w.t, `SELECT id FROM identities WHERE key = ?`, strings.ToLower(u.Attrs["userName"].(string)))[0]
		if w.state(id).row.OverGuard {
			held++
		}
	}
	return held
}

// TestLeaverGuardAfterAPause: facts that were received together count together,
// however late they are worked on.
func TestLeaverGuardAfterAPause(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		users := w.crew(8)
		for _, u := range users[:6] {
			w.remove("hr", w.user, u.ID)
			w.clock.Add(time.Minute)
		}
		w.clock.Add(3 * time.Hour) // the hub was down
		w.evaluate()
		if held := w.overGuard(users[:6]); held != 4 {
			w.t.Errorf("%d of 6 leavers are held, the limit is 2", held)
		}
	})
}

// TestLeaverGuardByWayOfPrehire: people whose start date is moved to the future
// first, while their accounts still stand, are counted when they leave.
func TestLeaverGuardByWayOfPrehire(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {start: nickName}\nroles:", 1)
	each(t, configuration, func(w *world) {
		users := w.crew(6)
		w.db.Exec(w.t, `UPDATE accounts SET owned = 'created', remote_id = identity_id, applied = desired`)
		for _, u := range users {
			w.patch(w.user, u.ID, `[{"op":"add","path":"nickName","value":"2031-01-01"}]`)
		}
		w.evaluate()
		if s := w.state(w.identityOf(users[0].ID)); s.row.Stage != model.Prehire {
			w.t.Fatalf("stage %s", s.row.Stage)
		}
		for _, u := range users {
			w.remove("hr", w.user, u.ID)
		}
		w.evaluate()
		if held := w.overGuard(users); held != 4 {
			w.t.Errorf("%d of 6 leavers are held, the limit is 2", held)
		}
	})
}

// TestUnreadableDateChangesNoStage: what cannot be read neither gives access nor
// takes it.
func TestUnreadableDateChangesNoStage(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {start: nickName, end: title}\nroles:", 1)
	each(t, configuration, func(w *world) {
		for name, tt := range map[string]struct {
			start, end   string
			before, want model.Stage
		}{
			"prehire": {"2027-04-01", "", model.Prehire, model.Prehire},
			"gone":    {"", "2027-02-01", model.Leaver, model.Leaver},
			"here":    {"2027-01-01", "2031-01-01", model.Active, model.Active},
		} {
			u := w.person(name, "nickName", tt.start, "title", tt.end)
			id := w.identityOf(u.ID)
			w.evaluate()
			if got := w.state(id).row.Stage; got != tt.before {
				w.t.Errorf("%s: stage %s, want %s", name, got, tt.before)
			}
			for _, path := range []string{"nickName", "title"} {
				w.patch(w.user, u.ID, `[{"op":"replace","path":"`+path+`","value":"soon"}]`)
			}
			w.evaluate()
			s := w.state(id)
			if s.row.Stage != tt.want || (len(s.roles) > 0) != (tt.want == model.Active) || len(s.row.Findings) == 0 {
				w.t.Errorf("%s with unreadable dates: stage %s, roles %v, findings %q", name, s.row.Stage, s.roles, s.row.Findings)
			}
		}
		fresh := w.identityOf(w.person("new", "nickName", "31.12.2027").ID)
		w.evaluate()
		if s := w.state(fresh); s.row.Stage != model.Prehire || len(s.accounts) > 0 {
			w.t.Errorf("somebody new whose first day cannot be read: stage %s, accounts %v", s.row.Stage, s.accounts)
		}
	})
}

// TestOlderConfigurationClearsNoMarks: a process in which a new version is not in
// force yet must not use up the marks that the version made. Leavers do not wait.
func TestOlderConfigurationClearsNoMarks(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		if _, err := w.Apply(ctxOf(w), hub.Actor{Name: "ops"}, "hub.yaml", []byte(oneSource), 0); err != nil {
			w.t.Fatal(err)
		}
		ada, bob := w.person("ada", "title", "Engineer"), w.person("bob")
		w.evaluate()
		next, err := w.Apply(ctxOf(w), hub.Actor{Name: "ops"}, "hub.yaml", []byte(strings.Replace(oneSource, `"Engineer"`, `"Chief"`, 1)), 1)
		if err != nil {
			w.t.Fatal(err)
		}
		w.remove("hr", w.user, bob.ID)
		for range 3 {
			if _, err := w.EvaluateBatch(ctxOf(w)); err != nil {
				w.t.Fatal(err)
			}
		}
		gone := w.db.Strings(w.t, `SELECT id FROM identities WHERE key = 'bob'`)[0]
		if a := w.state(gone).accounts["chat"]; a.Desired != nil || !a.Leaver {
			w.t.Errorf("a leaver waits for a configuration: %+v", a)
		}
		w.wantRoles(w.identityOf(ada.ID), "employee", "engineer") // not decided by the older rules
		w.Activate(next)
		w.clock.Add(time.Minute)
		w.evaluate()
		w.wantRoles(w.identityOf(ada.ID), "employee")
		if n := len(w.marked()); n != 0 {
			w.t.Errorf("%d marks left", n)
		}
	})
}

// TestPanicStopsNobody: whatever a rule runs into, the process goes on.
func TestPanicStopsNobody(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		leaver, stays := w.person("bob"), w.person("ada")
		w.evaluate()
		broken := *w.Snapshot()
		broken.Policy = nil // stands for a fault of the program that only some facts bring out
		w.Activate(&broken)
		w.patch(w.user, leaver.ID, `[{"op":"replace","path":"active","value":false}]`)
		w.patch(w.user, stays.ID, `[{"op":"replace","path":"title","value":"x"}]`)
		if _, err := w.EvaluateBatch(ctxOf(w)); err == nil || !strings.Contains(err.Error(), w.identityOf(stays.ID)) {
			w.t.Errorf("error %v does not name who could not be evaluated", err)
		}
		w.wantRoles(w.identityOf(stays.ID), "employee")
		if s := w.state(w.identityOf(leaver.ID)); s.row.Stage != model.Leaver {
			w.t.Errorf("the leaver was stopped by another person's fault: %+v", s.row)
		}
	})
}

// TestNameTakenAgain: somebody new who was given the name of one who has left is
// not that person, unless nothing says so.
func TestNameTakenAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, after []any
		same          bool
	}{
		"another number":      {[]any{"externalId", "E1"}, []any{"externalId", "E2"}, false},
		"the same number":     {[]any{"externalId", "E1"}, []any{"externalId", "E1"}, true},
		"no number any more":  {[]any{"externalId", "E1"}, nil, true},
		"no number at first":  {nil, []any{"externalId", "E2"}, true},
		"numbers differ case": {[]any{"externalId", "e1"}, []any{"externalId", "E1"}, false},
	} {
		for kind, configuration := range map[string]string{"one source": oneSource, "more sources": twoSources} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				each(t, configuration, func(w *world) {
					first := w.person("smith", tt.before...)
					id := w.identityOf(first.ID)
					w.evaluate()
					w.remove("hr", w.user, first.ID)
					w.evaluate()
					again := w.identityOf(w.person("smith", tt.after...).ID)
					if (again == id) != tt.same {
						w.t.Errorf("the same person: %v, want %v", again == id, tt.same)
					}
					w.evaluate()
					if s := w.state(again); s.row.Stage != model.Active {
						w.t.Errorf("stage %s", s.row.Stage)
					}
				})
			})
		}
	}
}

// TestOneSourceDescribesAPersonOnce: a second user of a source, with an address
// that leads to somebody whom the source has described already, is a new person and
// does not take theirs over.
func TestOneSourceDescribesAPersonOnce(t *testing.T) {
	t.Parallel()
	mail := []any{map[string]any{"type": "work", "value": "anna@x"}}
	each(t, twoSources, func(w *world) {
		anna := w.identityOf(w.person("anna", "externalId", "E1", "emails", mail).ID)
		okta := w.create("okta", w.user, map[string]any{"userName": "anna@okta", "active": true, "emails": mail})
		if w.identityOf(okta.ID) != anna {
			w.t.Fatal("not linked")
		}
		bob := w.identityOf(w.person("bob", "externalId", "E2", "emails", mail).ID)
		if bob == anna {
			w.t.Error("a typing error in bob's address made him anna")
		}
		w.evaluate()
		if s := w.state(anna); s.row.Name != "anna" {
			w.t.Errorf("anna is called %s", s.row.Name)
		}
	})
}
