package fanout

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// drifting is a world with three people in sync, one group, and no worker running.
func drifting(t *testing.T, change func(*model.Target)) *world {
	t.Helper()
	w := newWorld(t, change, "")
	populate(w)
	return w
}

func populate(w *world) {
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna", "eng")}, model.AccountRow{Identity: "b", Desired: account("ben", "eng")},
		model.AccountRow{Identity: "c", Desired: account("cleo")})
	w.allIn(model.StateInSync)
	w.stop()
}

func (w *world) sweep() SweepReport {
	w.t.Helper()
	report, err := w.worker.Sweep(w.t.Context(), w.target.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

const patchTitle = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Hacker"}]}`

func TestSweepFindsNothing(t *testing.T) {
	t.Parallel()
	w := drifting(t, nil)
	report := w.sweep()
	if report.Checked != 3 || len(report.Kinds) != 0 || report.New != 0 {
		t.Errorf("report: %+v", report)
	}
	for id, r := range w.rows() {
		if r.State != model.StateInSync || r.Due || r.Observed == nil || r.VerifiedAt == nil {
			t.Errorf("%s: %+v", id, r)
		}
	}
	st, err := w.store.TargetState(t.Context(), "git")
	if err != nil || st.LastDrift == nil {
		t.Errorf("state %+v, %v", st, err)
	}
}

func TestSweepChanged(t *testing.T) {
	t.Parallel()
	t.Run("report, then gone", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, func(t *model.Target) { t.Drift.Changed = "report" })
		id := w.rows()["a"].RemoteID
		w.byHand(http.MethodPatch, "/Users/"+id, patchTitle)
		if report := w.sweep(); report.Kinds[driftChanged] != 1 || report.New != 1 {
			t.Errorf("report: %+v", report)
		}
		r := w.rows()["a"]
		if r.State != model.StateDrifted || r.Drift != driftChanged || r.Due || r.Observed.Attrs["title"] != "Hacker" || r.Applied.Attrs["title"] != "Engineer" {
			t.Errorf("row: %+v", r)
		}
		if report := w.sweep(); report.Kinds[driftChanged] != 1 || report.New != 0 {
			t.Errorf("second report: %+v", report)
		}
		w.byHand(http.MethodPatch, "/Users/"+id, strings.Replace(patchTitle, "Hacker", "Engineer", 1))
		if report := w.sweep(); len(report.Kinds) != 0 {
			t.Errorf("third report: %+v", report)
		}
		if r := w.rows()["a"]; r.State != model.StateInSync || r.Drift != "" {
			t.Errorf("row: %+v", r)
		}
	})
	t.Run("revert", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, nil)
		rows := w.rows()
		w.byHand(http.MethodPatch, "/Users/"+rows["a"].RemoteID, patchTitle)
		w.byHand(http.MethodPatch, "/Users/"+rows["b"].RemoteID, strings.Replace(strings.Replace(patchTitle, "title", "active", 1), `"Hacker"`, "false", 1))
		group := w.groups()["eng"]["id"].(string)
		w.byHand(http.MethodPatch, "/Groups/"+group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"`+rows["c"].RemoteID+`"}]},{"op":"remove","path":"members[value eq \"`+rows["a"].RemoteID+`\"]"}]}`)
		if report := w.sweep(); report.Kinds[driftChanged] != 2 || report.Kinds[driftMembership] != 2 {
			t.Errorf("report: %+v", report)
		}
		if r := w.rows()["c"]; r.State != model.StateDrifted || r.Due || r.Drift != driftMembership {
			t.Errorf("seen once, somebody is taken out of a group: %+v", r)
		}
		if report := w.sweep(); report.Kinds[driftMembership] != 1 || report.New != 0 {
			t.Errorf("second report: %+v", report)
		}
		w.start()
		w.allIn(model.StateInSync)
		users := w.users()
		if users["anna"]["title"] != "Engineer" || users["ben"]["active"] != true {
			t.Errorf("users: %v", users)
		}
		if n := memberCount(w.groups()["eng"]); n != 2 {
			t.Errorf("%d members: cleo is to be out and anna in", n)
		}
		w.stop()
		if report := w.sweep(); len(report.Kinds) != 0 {
			t.Errorf("after the repair: %+v", report)
		}
	})
	t.Run("adopt", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, func(t *model.Target) { t.Drift.Changed = "adopt" })
		w.byHand(http.MethodPatch, "/Users/"+w.rows()["a"].RemoteID, patchTitle)
		w.sweep()
		if r := w.rows()["a"]; r.State != model.StateInSync || r.Applied.Attrs["title"] != "Hacker" || r.Due {
			t.Errorf("row: %+v", r)
		}
		if report := w.sweep(); len(report.Kinds) != 0 {
			t.Errorf("second report: %+v", report)
		}
	})
}

func TestSweepMissing(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"report", "recreate"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w := drifting(t, func(t *model.Target) { t.Drift.Missing = policy })
			w.byHand(http.MethodDelete, "/Users/"+w.rows()["a"].RemoteID, "")
			if report := w.sweep(); report.Kinds[driftMissing] != 1 || report.New != 1 {
				t.Errorf("report: %+v", report)
			}
			w.start()
			if policy == "report" {
				if r := w.rows()["a"]; r.State != model.StateDrifted || r.Drift != driftMissing || r.Due {
					t.Errorf("row: %+v", r)
				}
				return
			}
			w.allIn(model.StateInSync)
			if len(w.users()) != 3 || memberCount(w.groups()["eng"]) != 2 {
				t.Errorf("users %v, groups %v", w.users(), w.groups())
			}
		})
	}
}

// Found by an update rather than a sweep, a missing account is treated alike.
func TestUpdateOfMissing(t *testing.T) {
	t.Parallel()
	w := drifting(t, nil)
	w.byHand(http.MethodDelete, "/Users/"+w.rows()["a"].RemoteID, "")
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: retitled(account("anna", "eng"), "Boss")})
	w.allIn(model.StateInSync)
	if u := w.users()["anna"]; u["title"] != "Boss" || memberCount(w.groups()["eng"]) != 2 {
		t.Errorf("user %v, groups %v", u, w.groups())
	}
}

func TestSweepUnknown(t *testing.T) {
	t.Parallel()
	post := func(w *world, name string) {
		w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`"}`)
	}
	t.Run("report", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, func(t *model.Target) { t.Protect = []string{`userName sw "svc-"`} })
		post(w, "stranger")
		post(w, "svc-backup")
		post(w, "new-here")
		// Somebody the hub is about to take over is not unknown.
		w.want(model.AccountRow{Identity: "n", Desired: account("New-Here")})
		if report := w.sweep(); report.Kinds[driftUnknown] != 1 || report.New != 1 {
			t.Errorf("report: %+v", report)
		}
		var found []model.AccountRow
		for id, r := range w.rows() {
			if strings.HasPrefix(id, "?") {
				found = append(found, r)
			}
		}
		if len(found) != 1 || found[0].State != model.StateUnknown || found[0].Due || found[0].Observed.UserName != "stranger" {
			t.Fatalf("unknown rows: %+v", found)
		}
		w.byHand(http.MethodDelete, "/Users/"+found[0].RemoteID, "")
		w.sweep()
		for id := range w.rows() {
			if strings.HasPrefix(id, "?") {
				t.Errorf("row %s outlives its account", id)
			}
		}
	})
	t.Run("disable", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, func(t *model.Target) {
			t.Drift.Unknown, t.Protect = "disable", []string{`userName sw "svc-"`}
			t.Guard = model.Guard{Floor: 1}
		})
		post(w, "stranger")
		post(w, "stranger2")
		post(w, "svc-backup")
		w.sweep()
		for id, r := range w.rows() {
			if r.Due {
				t.Errorf("%s is due though it was seen once", id)
			}
		}
		w.sweep()
		w.start()
		w.until("one disabled, one held", func(rows map[string]model.AccountRow) bool {
			held := 0
			for _, r := range rows {
				if r.State == model.StateHeld {
					held++
				}
			}
			return held == 1
		})
		if users := w.users(); users["stranger"]["active"] == users["stranger2"]["active"] {
			t.Errorf("before the release: %v", users)
		}
		w.release() // what is held can be approved like any removal
		w.until("both disabled", func(map[string]model.AccountRow) bool {
			users := w.users()
			return users["stranger"]["active"] == false && users["stranger2"]["active"] == false
		})
		if w.users()["svc-backup"]["active"] == false {
			t.Error("a protected account was disabled")
		}
	})
}

// An unfinished or implausible list says nothing about who is missing.
func TestSweepOfLyingTarget(t *testing.T) {
	t.Parallel()
	list := func(body string, code int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/Users") {
				return false
			}
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	tests := []struct {
		name    string
		lie     func(w http.ResponseWriter, r *http.Request) bool
		failing bool
	}{
		{"empty list", list(`{"totalResults":0,"Resources":[]}`, 200), false},
		{"resources left out", list(`{"totalResults":3}`, 200), true},
		{"no list at all", list(`{"hello":"world"}`, 200), true},
		{"HTML", list(`<html>maintenance</html>`, 200), true},
		{"500", list(`{}`, 500), true},
		{"404", list(`{}`, 404), true},
		{"fewer than it says", list(`{"totalResults":3,"Resources":[{"id":"zzz","userName":"q"}]}`, 200), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := app.New(app.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var lying atomic.Bool
			w := worldWith(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !lying.Load() || !tt.lie(w, r) {
					a.Handler().ServeHTTP(w, r)
				}
			}), nil)
			populate(w)
			lying.Store(true)
			_, err = w.worker.Sweep(t.Context(), "git")
			if (err != nil) != tt.failing {
				t.Errorf("error: %v", err)
			}
			for id, r := range w.rows() {
				if !strings.HasPrefix(id, "?") && (r.State != model.StateInSync || r.Applied == nil || r.Drift != "") {
					t.Errorf("%s: %+v", id, r)
				}
			}
		})
	}
}

// A target with nothing to do is asked by sweeps alone: that it does not answer
// must show in its state all the same.
func TestSweepShowsHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.wantMany(1)
	w.allIn(model.StateInSync)
	if err := w.app.SetFaults("garbage"); err != nil {
		t.Fatal(err)
	}
	err := w.store.UpdateTargetState(t.Context(), w.target.Name, func(st *store.TargetState) { st.DriftWanted = true })
	if err != nil {
		t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
	w.until("the state shows the failure", func(map[string]model.AccountRow) bool {
		st, err := w.store.TargetState(t.Context(), w.target.Name)
		return err == nil && st.Failures > 0 && st.LastError != ""
	})
}
