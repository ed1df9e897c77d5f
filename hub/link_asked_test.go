package hub_test

import (
	"slices"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

const askedAcross = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}, okta: {dialect: rfc}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  extra: {request: {by: self, approve: []}, grants: [{target: chat, group: extra}]}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
`

// TestUnlinkGivesBackWhatWasApproved: of two people who were linked by mistake each has
// afterwards what was approved for them, and nothing of the other's.
func TestUnlinkGivesBackWhatWasApproved(t *testing.T) {
	t.Parallel()
	each(t, askedAcross, func(w *world) {
		resource, p := w.pushed("okta", "ada.okta")
		_, q := w.pushed("hr", "bob")
		w.evaluate()
		r, err := w.AskRequest(ctxOf(w), hub.Who{Name: "ops", Operator: true, Override: true}, hub.Ask{Role: "extra", For: p})
		if err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		w.wantRoles(p, "employee", "extra")
		for range 2 { // again, for what is remembered must be remembered anew
			w.link(p, q)
			w.wantRoles(q, "employee", "extra")
			w.unlink(q, "okta", resource)
			w.wantRoles(q, "employee")
			w.wantRoles(p, "employee", "extra")
			if a := w.state(p).accounts["chat"]; a.Desired == nil || !slices.Contains(a.Desired.Groups, "extra") {
				w.t.Errorf("account %+v", a.Desired)
			}
		}
		var shown []string
		for _, id := range []string{p, q} {
			shown = append(shown, w.db.Strings(w.t, `SELECT state FROM requests WHERE identity_id = ?`, id)...)
		}
		if len(shown) != 1 || shown[0] != string(model.RequestApproved) {
			w.t.Errorf("request %s: %v", r.ID, shown)
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM linked_asked`); n != 0 {
			w.t.Errorf("%d things are remembered still", n)
		}
	})
}
