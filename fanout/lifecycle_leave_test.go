package fanout

import (
	"net/http"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// away is how evaluation wants the account of somebody on leave.
func away(name string, groups ...string) *model.Account {
	a := account(name, groups...)
	a.Active = false
	return a
}

// Away for a while: the account is disabled and keeps what it is and its groups,
// whatever the leaver policy does to leavers; back, it is the same account, enabled.
func TestWorkerLeave(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]model.LeaverPolicy{
		"leavers deleted at once":     {First: "delete"},
		"leavers deleted later":       {First: "disable", Then: "delete", After: time.Millisecond, RemoveMemberships: true},
		"leavers lose their accounts": {First: "disable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(t *model.Target) { t.Leaver = policy }, "")
			w.start()
			w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
			first := w.allIn(model.StateInSync)["i"]
			removals := func() int {
				n, err := w.store.Removals(t.Context(), "git", time.Now().Add(-time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			w.want(model.AccountRow{Identity: "i", Desired: away("anna", "eng")})
			r := w.until("disabled", func(rows map[string]model.AccountRow) bool {
				return rows["i"].State == model.StateInSync && !rows["i"].Applied.Active
			})["i"]
			if u := w.users()["anna"]; u["active"] != false || u["id"] != first.RemoteID || memberCount(w.groups()["eng"]) != 1 {
				t.Errorf("at the target while away: %v, groups %v", u, w.groups())
			}
			if r.DisabledAt != nil || r.Due || r.Leaver {
				t.Errorf("waits for a deletion: %+v", r)
			}
			if n := removals(); n != 1 {
				t.Errorf("%d removals counted, want that of the leave", n)
			}
			w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
			r = w.until("enabled", func(rows map[string]model.AccountRow) bool {
				return rows["i"].State == model.StateInSync && rows["i"].Applied.Active
			})["i"]
			if u := w.users()["anna"]; r.RemoteID != first.RemoteID || u["id"] != first.RemoteID || u["active"] != true || memberCount(w.groups()["eng"]) != 1 {
				t.Errorf("back: %v, row %+v", u, r)
			}
		})
	}
}

// The removal guard holds a mass leave as it holds any mass removal, and disables of
// people away come before other work that waits.
func TestWorkerMassLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Guard = model.Guard{Floor: 1, Window: time.Hour} }, "")
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("bob")}, model.AccountRow{Identity: "c", Desired: account("carl")})
	w.allIn(model.StateInSync)
	w.want(model.AccountRow{Identity: "a", Desired: away("anna")}, model.AccountRow{Identity: "b", Desired: away("bob")}, model.AccountRow{Identity: "c", Desired: away("carl")})
	w.until("held", func(rows map[string]model.AccountRow) bool {
		held := 0
		for _, r := range rows {
			if r.State == model.StateHeld {
				held++
			}
		}
		return held == 2 && !rows["a"].Due && !rows["b"].Due && !rows["c"].Due
	})
	active := 0
	for _, u := range w.users() {
		if u["active"] == true {
			active++
		}
	}
	if active != 2 {
		t.Errorf("%d accounts are active, want the two that are held", active)
	}
}

func TestLeaveComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("bob")})
	w.want(model.AccountRow{Identity: "z", Desired: away("zoe")})
	rows, err := w.store.DueAccounts(t.Context(), "git", store.LaneNormal, 10)
	if err != nil || len(rows) != 3 || rows[0].Identity != "z" {
		t.Errorf("%d due, the first is %s: %v", len(rows), rows[0].Identity, err)
	}
}

// Back after years: the same account is enabled again, not a second one made.
func TestWorkerRehire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
	first := w.allIn(model.StateInSync)["i"]
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	w.allIn(model.StateDisabled)
	w.want(model.AccountRow{Identity: "i", Desired: account("anna.b", "eng")})
	r := w.allIn(model.StateInSync)["i"]
	if u := w.users()["anna.b"]; r.RemoteID != first.RemoteID || u["id"] != first.RemoteID || u["active"] != true || len(w.users()) != 1 || memberCount(w.groups()["eng"]) != 1 {
		t.Errorf("row %+v, users %v, groups %v", r, w.users(), w.groups())
	}
}

// What is left of somebody erased is an id: the account stays disabled, whoever
// enables it, and nothing that the target shows of it comes back into the hub.
func TestErasedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
	w.allIn(model.StateInSync)
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	id := w.allIn(model.StateDisabled)["i"].RemoteID
	err := w.store.Update(t.Context(), func(tx *store.Tx) error { return tx.EraseAccounts("i") })
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(r model.AccountRow) {
		t.Helper()
		if r.Observed != nil || r.Applied == nil || r.Applied.UserName != "" || len(r.Applied.Attrs) > 0 || r.RemoteID != id || len(r.Because) > 0 {
			t.Errorf("the hub still knows %+v, applied %+v, observed %+v", r, r.Applied, r.Observed)
		}
	}
	nothing(w.rows()["i"])
	w.sweep()
	nothing(w.rows()["i"])
	if code := w.byHand(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true}]}`); code >= 300 {
		t.Fatalf("by hand: %d", code)
	}
	w.sweep()
	r := w.until("disabled again", func(rows map[string]model.AccountRow) bool {
		return !rows["i"].Due && rows["i"].State == model.StateDisabled
	})["i"]
	nothing(r)
	if u := w.users()["anna"]; u["active"] != false {
		t.Errorf("at the target: %v", u)
	}
}
