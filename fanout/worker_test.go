package fanout

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

func TestWorkerJoinsMovesAndLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.want(model.AccountRow{Identity: "i1", Desired: account("anna", "eng", "chat")},
		model.AccountRow{Identity: "i2", Desired: account("ben", "eng")})
	rows := w.allIn(model.StateInSync)
	if r := rows["i1"]; r.Owned != model.OwnedCreated || r.RemoteID == "" || r.VerifiedAt == nil {
		t.Errorf("created row: %+v", r)
	}
	users, groups := w.users(), w.groups()
	if len(users) != 2 || users["anna"]["externalId"] != "x-anna" || users["anna"]["title"] != "Engineer" {
		t.Errorf("users at the target: %v", users)
	}
	if memberCount(groups["eng"]) != 2 || memberCount(groups["chat"]) != 1 {
		t.Errorf("groups at the target: %v", groups)
	}

	moved := account("anna", "chat", "managers")
	moved.Attrs["title"] = "Manager"
	delete(moved.Attrs, "name.familyName")
	w.want(model.AccountRow{Identity: "i1", Desired: moved})
	w.allIn(model.StateInSync)
	users, groups = w.users(), w.groups()
	if users["anna"]["title"] != "Manager" || users["anna"]["name"] != nil {
		t.Errorf("after the move: %v", users["anna"])
	}
	if memberCount(groups["eng"]) != 1 || memberCount(groups["managers"]) != 1 {
		t.Errorf("groups after the move: %v", groups)
	}

	at := time.Now()
	w.want(model.AccountRow{Identity: "i1", Leaver: true, LeaverAt: &at})
	rows = w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i1"].State == model.StateDisabled })
	if r := rows["i1"]; r.VerifiedAt == nil || r.DisabledAt == nil || r.Due {
		t.Errorf("leaver's row: %+v", r)
	}
	if u := w.users()["anna"]; u["active"] != false {
		t.Errorf("leaver at the target: %v", u)
	}
	if memberCount(w.groups()["managers"]) != 1 {
		t.Error("a disabled account lost its memberships though nobody asked for it")
	}

	w.want(model.AccountRow{Identity: "i1", Desired: account("anna", "eng")})
	w.allIn(model.StateInSync)
	if u := w.users()["anna"]; u["active"] != true {
		t.Errorf("after the return: %v", u)
	}
}
