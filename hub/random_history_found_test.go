package hub_test

import (
	"testing"

	"github.com/scimhub/scimhub/model"
)

// What random histories found.

// TestGoneBeforeTheFirstLook: who was deleted before anybody looked at them has the
// name they came with, and is the same person when they come back.
func TestGoneBeforeTheFirstLook(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		first := w.person("ada", "externalId", "E1")
		id := w.identityOf(first.ID)
		w.remove("hr", w.user, first.ID)
		w.evaluate()
		if name := w.state(id).row.Name; name != "ada" {
			w.t.Errorf("she is called %q", name)
		}
		if again := w.identityOf(w.person("ada", "externalId", "E1").ID); again != id {
			w.t.Error("who came back is somebody else")
		}
	})
}

// TestLeaveSuspendsWhatCannotBeMapped: that somebody is away does not depend on what
// could not be decided of their account.
func TestLeaveSuspendsWhatCannotBeMapped(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"scope": `scope: 'user.ims[0].value == "me"'`, "mapping": "user: {userName: user.userName, title: 'user.ims[0].value'}"} {
		configuration := `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
identity: {leave: {when: user.title == "away"}}
roles: {employee: {grants: [{target: wiki, group: all}], when: user.userName != ""}}
targets: {wiki: {url: http://127.0.0.1:3, profile: generic, ` + at + `}}
`
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, configuration, func(w *world) {
				u := w.person("ada", "ims", []any{map[string]any{"value": "me"}})
				id := w.identityOf(u.ID)
				w.evaluate()
				w.db.Exec(w.t, `UPDATE accounts SET owned = 'created', remote_id = 'r1', applied = desired`)
				w.patch(w.user, u.ID, `[{"op":"remove","path":"ims"}]`)
				w.evaluate()
				if a := w.state(id).accounts["wiki"].Desired; a == nil || !a.Active {
					w.t.Fatalf("what cannot be decided took access: %+v", a)
				}
				w.patch(w.user, u.ID, `[{"op":"add","path":"title","value":"away"}]`)
				w.evaluate()
				s := w.state(id)
				if a := s.accounts["wiki"]; s.row.Stage != model.Leave || a.Desired == nil || a.Desired.Active || len(a.Desired.Groups) != 1 || len(a.Because) == 0 {
					w.t.Errorf("stage %s, %+v because %v", s.row.Stage, a.Desired, a.Because)
				}
			})
		})
	}
}

// TestDamagedFactsAreNone: what is stored of a person and cannot be read, or is cut off
// or overwritten, says nothing; above all not that there are no facts.
func TestDamagedFactsAreNone(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "title", "Engineer")
		id := w.identityOf(u.ID)
		w.evaluate()
		for _, doc := range []string{"", "{", "[]", "null", "{}{", `{"userName":"ada"} {"title":"x"}`} {
			w.db.Exec(w.t, `UPDATE resources SET doc = ? WHERE id = ?`, doc, u.ID)
			w.db.Exec(w.t, `DELETE FROM marks`)
			w.db.Exec(w.t, `INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until) VALUES (?, 1, FALSE, 1, 0)`, id)
			if _, err := w.EvaluateBatch(ctxOf(w)); err == nil {
				w.t.Errorf("%q was evaluated", doc)
			}
			w.wantRoles(id, "employee", "engineer")
		}
	})
}
