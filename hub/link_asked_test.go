package hub_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
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

// TestMovedAccountWaitsForItsOwner: the removal that was pending for somebody who turned
// out to be another is not carried out at the other's cost, however long it takes to work
// out what that one should have.
func TestMovedAccountWaitsForItsOwner(t *testing.T) {
	t.Parallel()
	each(t, askedAcross, func(w *world) {
		resource, p := w.pushed("okta", "ada.okta")
		_, q := w.pushed("hr", "ada")
		w.evaluate()
		w.made(p, "chat", "r1")
		w.patchAs("okta", resource, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		w.db.Exec(w.t, `DELETE FROM accounts WHERE identity_id = ?`, q)
		due := func() (n int) {
			for _, lane := range []store.Lane{store.LaneNormal, store.LaneUrgent} {
				rows, err := w.Store.DueAccounts(ctxOf(w), "chat", lane, 10)
				if err != nil {
					w.t.Fatal(err)
				}
				n += len(rows)
			}
			return n
		}
		if due() != 1 {
			w.t.Fatal("the removal is not pending")
		}
		if _, err := w.Link(ctxOf(w), desk(), p, q, false); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(time.Hour) // the evaluation fails all the time
		if n := due(); n != 0 {
			w.t.Errorf("%d accounts are worked on before it is known what for", n)
		}
		w.evaluate()
		if a := w.state(q).accounts["chat"]; due() != 1 || a.Desired == nil || !a.Desired.Active || a.RemoteID != "r1" || a.LeaverHeld {
			w.t.Errorf("after the evaluation: %+v", a)
		}
	})
}
