package hub_test

import (
	"testing"

	"github.com/scimhub/scimhub/model/store"
)

// TestRuleFailsWhileAsking: what a rule asked for is still asked while the rule cannot
// be decided, and closed when it is decided not to match.
func TestRuleFailsWhileAsking(t *testing.T) {
	t.Parallel()
	each(t, `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  money:
    when: 'user.userType == "money" && user.emails[0].value.endsWith("@pay.example")'
    approval: always
    request: {by: self, approve: ["user:sam"]}
    grants: [{target: chat}]
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`, func(w *world) {
		w.person("sam")
		alice := w.person("alice", "userType", "money", "emails", []any{map[string]any{"value": "alice@pay.example"}})
		w.evaluate()
		id := w.identityOf(alice.ID)
		open := func() (n int) {
			err := w.Store.View(w.t.Context(), func(tx *store.Tx) error {
				about, err := tx.About([]string{id})
				for _, r := range about.Requests[id] {
					if r.State.Open() {
						n++
					}
				}
				return err
			})
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		if open() != 1 || len(w.state(id).roles) != 0 {
			w.t.Fatalf("%d requests, roles %v; the rule asks once and gives nothing", open(), w.state(id).roles)
		}
		w.patch(w.user, alice.ID, `[{"op":"remove","path":"emails"}]`)
		w.evaluate()
		if open() != 1 {
			w.t.Error("a rule that fails took back what it asked for")
		}
		w.patch(w.user, alice.ID, `[{"op":"replace","path":"userType","value":"other"}]`)
		w.evaluate()
		if open() != 0 {
			w.t.Error("a rule that does not match still asks")
		}
	})
}
