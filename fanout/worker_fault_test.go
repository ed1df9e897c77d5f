package fanout

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Whatever the target does, in the end everybody is there once and in the group.
func TestWorkerThroughFaults(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"500:20%", "garbage:10%", "reset:15%", "reset-after:15%", "500:5%,garbage:5%,reset-after:5%,slow:5ms", "429:2%"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, faults)
			w.start()
			w.wantMany(24, "eng")
			w.until("some attempts", func(rows map[string]model.AccountRow) bool {
				n := 0
				for _, r := range rows {
					if r.State == model.StateInSync {
						n++
					}
				}
				return n >= 12
			})
			if err := w.app.SetFaults(""); err != nil {
				t.Fatal(err)
			}
			w.allIn(model.StateInSync)
			if users := w.users(); len(users) != 24 {
				t.Errorf("%d users", len(users))
			}
			if n := memberCount(w.groups()["eng"]); n != 24 {
				t.Errorf("%d members", n)
			}
		})
	}
}

func TestWorkerTargetDownAndUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "down")
	w.start()
	w.wantMany(100)
	w.until("back-off", func(map[string]model.AccountRow) bool {
		st, err := w.store.TargetState(t.Context(), "git")
		return err == nil && st.RetryAt != nil && st.ErrorClass == string(Server)
	})
	// A leaver does not wait for the back-off to end, nor burn the others' attempts.
	if n := w.app.Stats().Total(); n > 60 {
		t.Errorf("%d requests to a target that is down", n)
	}
	if err := w.app.SetFaults(""); err != nil {
		t.Fatal(err)
	}
	w.allIn(model.StateInSync)
	st, err := w.store.TargetState(t.Context(), "git")
	if err != nil {
		t.Fatal(err)
	}
	w.until("healthy", func(map[string]model.AccountRow) bool {
		st, err = w.store.TargetState(t.Context(), "git")
		return err == nil && st.Failures == 0 && st.LastSuccess != nil
	})
}

// A leaver overtakes a backlog, back-off and quarantine; an operator's pause holds it.
func TestWorkerUrgentOvertakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Rate = model.Rate{PerSecond: 40, Concurrency: 2} }, "")
	w.start()
	w.want(model.AccountRow{Identity: "leaver", Desired: account("zoe")})
	w.allIn(model.StateInSync)
	w.wantMany(200)
	at := time.Now()
	w.want(model.AccountRow{Identity: "leaver", Leaver: true, LeaverAt: &at})
	rows := w.until("leaver disabled", func(rows map[string]model.AccountRow) bool { return rows["leaver"].State == model.StateDisabled })
	pending := 0
	for _, r := range rows {
		if r.State == model.StatePending {
			pending++
		}
	}
	if pending < 100 {
		t.Errorf("only %d of 200 were still waiting when the leaver was done", pending)
	}
}

func TestWorkerUrgentIgnoresBackOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.want(model.AccountRow{Identity: "leaver", Desired: account("zoe")})
	w.allIn(model.StateInSync)
	w.stop()
	far := time.Now().Add(time.Hour)
	err := w.store.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) {
		st.Failures, st.RetryAt, st.QuarantinedAt = 50, &far, &far
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	w.want(model.AccountRow{Identity: "leaver", Leaver: true, LeaverAt: &at}, model.AccountRow{Identity: "other", Desired: account("ann")})
	w.start()
	rows := w.until("leaver disabled", func(rows map[string]model.AccountRow) bool { return rows["leaver"].State == model.StateDisabled })
	if rows["other"].State != model.StatePending {
		t.Errorf("the normal lane did not heed the back-off: %s", rows["other"].State)
	}
}

func TestWorkerPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	pause := func(on bool) {
		t.Helper()
		if err := w.store.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) { st.Paused = on }); err != nil {
			t.Fatal(err)
		}
	}
	pause(true)
	w.wantMany(3)
	w.start()
	timer := time.NewTimer(150 * time.Millisecond)
	<-timer.C
	if n := w.app.Stats().Total(); n != 0 {
		t.Fatalf("%d requests to a paused target", n)
	}
	pause(false)
	w.allIn(model.StateInSync)
}

// A target that says yes and does nothing has not revoked anything.
func TestWorkerVerifiesLeavers(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ignore atomic.Bool
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ignore.Load() && r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe")})
	w.allIn(model.StateInSync)
	ignore.Store(true)
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	rows := w.until("failure", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateFailed })
	if r := rows["i"]; !strings.Contains(r.LastError, "still active") || !r.Due {
		t.Errorf("row: %+v", r)
	}
	ignore.Store(false)
	w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDisabled })
	if w.users()["zoe"]["active"] != false {
		t.Error("still active")
	}
}

func TestWorkerAdoption(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, rule string) *world {
		w := newWorld(t, func(t *model.Target) { t.Adopt = rule; t.Drift.Changed = "report" }, "")
		body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ANNA","title":"Old","nickName":"keep"}`
		if code := w.byHand(http.MethodPost, "/Users", body); code != http.StatusCreated {
			t.Fatalf("by hand: %d", code)
		}
		w.start()
		w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
		return w
	}
	t.Run("auto", func(t *testing.T) {
		t.Parallel()
		w := setup(t, "auto")
		r := w.allIn(model.StateInSync)["i"]
		if r.Owned != model.OwnedAdopted || len(w.users()) != 1 {
			t.Errorf("row %+v, users %v", r, w.users())
		}
		for _, u := range w.users() {
			if u["title"] != "Engineer" || u["nickName"] != "keep" {
				t.Errorf("adopted account: %v", u)
			}
		}
	})
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		w := setup(t, "never")
		r := w.allIn(model.StateFailed)["i"]
		if r.ErrorClass != string(Conflict) || !strings.Contains(r.LastError, "adopt is never") || len(w.users()) != 1 || r.Owned != "" {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("ask and release", func(t *testing.T) {
		t.Parallel()
		w := setup(t, "ask")
		r := w.allIn(model.StateHeld)["i"]
		if r.Owned != "" || r.Due || len(w.groups()) != 0 {
			t.Errorf("row %+v, groups %v", r, w.groups())
		}
		w.release()
		r = w.allIn(model.StateInSync)["i"]
		if r.Owned != model.OwnedAdopted || memberCount(w.groups()["eng"]) != 1 {
			t.Errorf("row %+v", r)
		}
	})
}

// release approves everything held, as `target release` does.
func (w *world) release() {
	w.t.Helper()
	plan, err := Preview(w.t.Context(), w.store, w.target, PreviewFacts{Now: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	var approvals []store.Approval
	for _, c := range HeldChanges(plan) {
		approvals = append(approvals, store.Approval{Identity: c.Identity, Digest: Digest(w.target.Name, c)})
	}
	if len(approvals) == 0 {
		w.t.Fatal("nothing is held")
	}
	err = w.store.Update(w.t.Context(), func(tx *store.Tx) error { return tx.Release(w.target.Name, "ops", approvals) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
}

// Removals beyond the limit are held, also over several small pushes; a release
// of exactly these carries them out.
func TestWorkerGuardHoldsAndReleases(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Guard = model.Guard{Percent: 10, Floor: 3, Window: time.Hour} }, "")
	w.start()
	w.wantMany(50)
	w.allIn(model.StateInSync)
	disabled := func(rows map[string]model.AccountRow) (disabled, held int) {
		for _, r := range rows {
			switch r.State {
			case model.StateDisabled:
				disabled++
			case model.StateHeld:
				held++
			}
		}
		return disabled, held
	}
	for i := range 20 {
		w.want(model.AccountRow{Identity: fmt.Sprintf("id-user%05d", i)})
	}
	rows := w.until("worked through", func(rows map[string]model.AccountRow) bool {
		d, h := disabled(rows)
		return d+h == 20
	})
	if d, h := disabled(rows); d != 5 || h != 15 {
		t.Errorf("%d disabled, %d held; want 5 (10%% of 50) and 15", d, h)
	}
	// A leaver passes though the limit is reached.
	at := time.Now()
	w.want(model.AccountRow{Identity: "id-user00049", Leaver: true, LeaverAt: &at})
	w.until("leaver", func(rows map[string]model.AccountRow) bool { return rows["id-user00049"].State == model.StateDisabled })
	w.release()
	w.until("released", func(rows map[string]model.AccountRow) bool { d, _ := disabled(rows); return d == 21 })
	inactive := 0
	for _, u := range w.users() {
		if u["active"] == false {
			inactive++
		}
	}
	if inactive != 21 {
		t.Errorf("%d inactive at the target", inactive)
	}
}

// One bad member does not stop the others.
func TestWorkerBadMember(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var bad atomic.Value
	bad.Store("")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
			body := readBody(r)
			if id := bad.Load().(string); id != "" && strings.Contains(body, id) {
				w.Header().Set("Content-Type", mediaType)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"detail":"one member is bad","status":"400"}`))
				return
			}
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	w.wantMany(20)
	rows := w.allIn(model.StateInSync)
	bad.Store(rows["id-user00007"].RemoteID)
	w.wantMany(20, "eng")
	rows = w.until("all but one", func(rows map[string]model.AccountRow) bool {
		n := 0
		for id, r := range rows {
			if r.State == model.StateInSync && id != "id-user00007" {
				n++
			}
		}
		return n == 19 && rows["id-user00007"].State == model.StateFailed
	})
	if r := rows["id-user00007"]; !strings.Contains(r.LastError, "one member is bad") {
		t.Errorf("error: %q", r.LastError)
	}
	if n := memberCount(w.groups()["eng"]); n != 19 {
		t.Errorf("%d members", n)
	}
	// Deleted by hand, the group is made again; nobody else is disturbed.
	for _, g := range w.groups() {
		w.byHand(http.MethodDelete, "/Groups/"+g["id"].(string), "")
	}
	w.want(model.AccountRow{Identity: "new", Desired: account("newcomer", "eng")})
	w.until("joined", func(rows map[string]model.AccountRow) bool { return rows["new"].State == model.StateInSync })
	if n := memberCount(w.groups()["eng"]); n != 1 {
		t.Errorf("%d members of the new group", n)
	}
}

// Two people with one account: the second is told, nothing is overwritten.
func TestWorkerAccountOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.want(model.AccountRow{Identity: "one", Desired: account("anna")})
	w.allIn(model.StateInSync)
	w.want(model.AccountRow{Identity: "two", Desired: account("anna")})
	rows := w.until("refused", func(rows map[string]model.AccountRow) bool { return rows["two"].State == model.StateFailed })
	if r := rows["two"]; r.ErrorClass != string(Conflict) || !strings.Contains(r.LastError, "identity one") || r.RemoteID != "" {
		t.Errorf("row: %+v", r)
	}
}

// A large first sync lists once instead of looking everybody up, and still finds
// those who are there already.
func TestWorkerFirstSyncLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	for i := range 5 {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%05d"}`, i*10)
		if code := w.byHand(http.MethodPost, "/Users", body); code != http.StatusCreated {
			t.Fatalf("by hand: %d", code)
		}
	}
	before := w.app.Stats().Total()
	w.start()
	w.wantMany(300)
	rows := w.allIn(model.StateInSync)
	adopted := 0
	for _, r := range rows {
		if r.Owned == model.OwnedAdopted {
			adopted++
		}
	}
	if adopted != 5 || len(w.users()) != 300 {
		t.Errorf("%d adopted, %d users", adopted, len(w.users()))
	}
	if n := w.app.Stats().Total() - before; n > 300+5*3+10 {
		t.Errorf("%d requests for 300 accounts", n)
	}
}

// TestReleaseIsUsedOnce: what was released and done is no licence to do it again
// after the people came back.
func TestReleaseIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Guard = model.Guard{Floor: 1, Window: time.Hour} }, "")
	w.start()
	w.wantMany(6)
	w.allIn(model.StateInSync)
	remove := func() {
		var rows []model.AccountRow
		for id := range w.rows() {
			rows = append(rows, model.AccountRow{Identity: id})
		}
		w.want(rows...)
	}
	held := func(want int) func(map[string]model.AccountRow) bool {
		return func(rows map[string]model.AccountRow) bool {
			n := 0
			for _, r := range rows {
				if r.Due {
					return false
				}
				if r.State == model.StateHeld {
					n++
				}
			}
			return n == want
		}
	}
	remove()
	w.until("all but one held", held(5))
	w.release()
	w.allIn(model.StateDisabled)
	w.wantMany(6)
	w.allIn(model.StateInSync)
	remove()
	w.until("all held: the window's limit was reached before", held(6))
}
