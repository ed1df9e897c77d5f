package fanout

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// waiting stores a wish that no lane takes, so that only a run does.
func (w *world) waiting(r model.AccountRow) *Reservation {
	w.t.Helper()
	awaitCond(w.t, func() bool { return w.worker.runnerOf(w.target.Name) != nil })
	res := w.worker.Reserve(r.Identity, w.target.Name)
	w.t.Cleanup(res.Release)
	w.want(r)
	return res
}

// awaitCond waits until a condition holds.
func awaitCond(t testing.TB, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("waited in vain")
		}
	}
}

func (w *world) runOne(identity string, dry bool, reserved ...*Reservation) RunTarget {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	ask := RunAsk{Target: w.target.Name, Identity: identity, DryRun: dry}
	if len(reserved) > 0 {
		ask.Reserved = reserved[0]
	}
	out, err := w.worker.RunPerson(ctx, ask)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// told fails unless a step of the kind holds each text.
func told(t *testing.T, got RunTarget, kind string, texts ...string) {
	t.Helper()
	var all []string
	for _, s := range got.Steps {
		all = append(all, s.Step+": "+strings.TrimSpace(s.Method+" "+s.Path)+" "+strings.Join(s.Attributes, ",")+" "+s.Text)
	}
	for _, text := range texts {
		found := false
		for _, line := range all {
			found = found || strings.HasPrefix(line, kind+": ") && strings.Contains(line, text)
		}
		if !found {
			t.Errorf("no step %s says %q:\n%s", kind, text, strings.Join(all, "\n"))
		}
	}
}

func steps(got RunTarget, kind string) (n int) {
	for _, s := range got.Steps {
		if s.Step == kind {
			n++
		}
	}
	return n
}

func TestRunPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	res := w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann", "staff")})

	dry := w.runOne("id-ann", true)
	if dry.Outcome != RunDiffers || len(w.users()) != 0 || steps(dry, StepSent) != 0 {
		t.Fatalf("dry run: %s, %d users, %d requests that write", dry.Outcome, len(w.users()), steps(dry, StepSent))
	}
	told(t, dry, StepConnection, "works")
	told(t, dry, StepMatched, `userName "ann" found nobody`)
	told(t, dry, StepChange, "create ann", `title – -> "Engineer"`, `join ann into group "staff"`, "create-group staff")
	if row := w.rows()["id-ann"]; row.State != model.StatePending || len(row.Sent) > 0 || row.Owned != "" || row.Attempts != 0 {
		t.Errorf("a dry run changed the row: %+v", row)
	}

	got := w.runOne("id-ann", false, res)
	if got.Outcome != RunDone || got.State != model.StateInSync {
		t.Errorf("run: %s (%s) %+v", got.Outcome, got.State, got.Steps)
	}
	told(t, got, StepSent, "POST /Users", "externalId", "201", "PATCH /Groups/", "add members")
	told(t, got, StepVerified, "yes: the account reads as it was written", `group "staff": yes`)
	if u := w.users()["ann"]; u == nil {
		t.Error("the account is not there")
	}

	for _, dry := range []bool{true, false} {
		same := w.runOne("id-ann", dry)
		if same.Outcome != RunInSync || steps(same, StepSent) != 0 {
			t.Errorf("nothing to do, dry %v: %s %+v", dry, same.Outcome, same.Steps)
		}
	}
	id, _ := w.users()["ann"]["id"].(string)
	if code := w.byHand(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Boss"}]}`); code >= 300 {
		t.Fatal(code)
	}
	drifted := w.runOne("id-ann", false)
	if drifted.Outcome != RunDrifted {
		t.Errorf("changed by hand: %s", drifted.Outcome)
	}
	told(t, drifted, StepVerified, `title "Boss" in place of "Engineer"`)
	if none := w.runOne("id-nobody", false); none.Outcome != RunNothing {
		t.Errorf("nobody: %s", none.Outcome)
	}
}

func TestRunPersonAdoptsAndLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ben","title":"Clerk"}`)
	res := w.waiting(model.AccountRow{Identity: "id-ben", Desired: account("ben")})
	dry := w.runOne("id-ben", true)
	told(t, dry, StepMatched, `userName "ben" found account "ben"`)
	told(t, dry, StepChange, "adopt ben", `title "Clerk" -> "Engineer"`)
	if dry.Outcome != RunDiffers || w.users()["ben"]["title"] != "Clerk" {
		t.Errorf("dry run: %s, %v", dry.Outcome, w.users()["ben"]["title"])
	}
	if got := w.runOne("id-ben", false, res); got.Outcome != RunDone {
		t.Errorf("run: %+v", got)
	}
	now := time.Now()
	w.waiting(model.AccountRow{Identity: "id-ben", Leaver: true, LeaverAt: &now})
	gone := w.runOne("id-ben", false)
	told(t, gone, StepVerified, "yes: ") // whoever was quicker: the urgent lane waits for no run
	if gone.Outcome != RunDone && gone.Outcome != RunInSync || gone.State != model.StateDisabled || w.users()["ben"]["active"] != false {
		t.Errorf("leaver: %s (%s), %v", gone.Outcome, gone.State, w.users()["ben"]["active"])
	}
}

// What holds a change holds it in a run, too, and is said.
func TestRunPersonHeld(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  func(*model.Target)
		outcome string
		kind    string
		words   string
	}{
		{"observe", func(t *model.Target) { t.Mode = model.ModeObserve }, RunHeld, StepHeld, "mode observe does not create"},
		{"by hand", func(t *model.Target) { t.Manual = &model.Manual{}; t.URL = "" }, RunWaits, StepOutcome, "waits for a person"},
		{"no connection", func(t *model.Target) { t.URL = "http://127.0.0.1:1/scim/v2" }, RunFailed, StepConnection, "failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.change, "")
			w.start()
			res := w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann")})
			dry := w.runOne("id-ann", true)
			if want := map[string]string{RunWaits: RunDiffers}[tt.outcome]; dry.Outcome != cmp.Or(want, tt.outcome) {
				t.Errorf("dry run: %+v", dry)
			}
			got := w.runOne("id-ann", false, res)
			if got.Outcome != tt.outcome || len(w.users()) != 0 {
				t.Errorf("run: %+v", got)
			}
			told(t, got, tt.kind, tt.words)
		})
	}
}

func TestRunPersonAtPausedTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann")})
	if err := w.store.UpdateTargetState(t.Context(), w.target.Name, func(st *store.TargetState) { st.Paused = true }); err != nil {
		t.Fatal(err)
	}
	if got := w.runOne("id-ann", false); got.Outcome != RunPaused || len(w.users()) != 0 {
		t.Errorf("paused: %+v", got)
	}
	dry := w.runOne("id-ann", true)
	told(t, dry, StepState, "paused")
	if dry.Outcome != RunDiffers {
		t.Errorf("dry run: %s", dry.Outcome)
	}
}

// A look-up that is not believed is said, and a dry run remembers nothing of it.
func TestRunPersonSaysDoubts(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blind := worldWith(t, a, blindFilters(a.Handler()), func(t *model.Target) { t.Overrides = map[string]any{"list_trustworthy": false} })
	blind.start()
	blind.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"zoe"}`)
	id, _ := blind.users()["zoe"]["id"].(string)
	applied := account("zoe")
	blind.waiting(model.AccountRow{Identity: "id-zoe", Desired: applied})
	blind.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann")})
	row := blind.rows()["id-zoe"]
	row.RemoteID, row.Owned, row.Applied, row.State = id, model.OwnedCreated, applied, model.StateInSync
	if err := blind.store.Settle(t.Context(), "git", []store.Settlement{{Row: row}}); err != nil {
		t.Fatal(err)
	}
	dry := blind.runOne("id-ann", true)
	if dry.Outcome != RunFailed {
		t.Errorf("dry run: %+v", dry)
	}
	told(t, dry, StepMatched, "find nothing although account")
	if st, err := blind.store.TargetState(t.Context(), "git"); err != nil || len(st.Doubts) > 0 {
		t.Errorf("a dry run stored doubts: %v %v", st.Doubts, err)
	}
}

// blindFilters answers every filter over users with an empty list.
func blindFilters(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == app.Prefix+"/Users" && r.URL.Query().Get("filter") != "" {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// No value of a body is in a trace, and nothing of the credential.
func TestRunTraceKeepsNoValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	res := w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann")})
	got := w.runOne("id-ann", false, res)
	for _, s := range got.Steps {
		if s.Step != StepSent && s.Step != StepAsked {
			continue
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "Engineer") || strings.Contains(string(text), "Bearer") {
			t.Errorf("%s", text)
		}
	}
}

// A target that another replica works on is waited for; the lanes get reserved rows back
// when nobody runs them; and the urgent lane heeds no reservation.
func TestRunPersonWaitsItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	if ok, err := w.store.LeaseTarget(t.Context(), "git", "another", time.Minute); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.start()
	res := w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann")})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	got, err := w.worker.RunPerson(ctx, RunAsk{Target: "git", Identity: "id-ann", Reserved: res})
	if err != nil || got.Outcome == RunDone || len(w.users()) != 0 {
		t.Errorf("run while another replica works: %+v, %v", got, err)
	}
	res.Release()
	if err := w.store.ReleaseTarget(t.Context(), "git", "another"); err != nil {
		t.Fatal(err)
	}
	w.allIn(model.StateInSync)

	res = w.waiting(model.AccountRow{Identity: "id-ben", Desired: account("ben")})
	if row := w.rows()["id-ben"]; row.State != model.StatePending {
		t.Errorf("reserved, and a lane took it: %s", row.State)
	}
	res.Release()
	w.allIn(model.StateInSync)

	now := time.Now()
	w.waiting(model.AccountRow{Identity: "id-ben", Leaver: true, LeaverAt: &now})
	w.until("the leaver is out", func(rows map[string]model.AccountRow) bool { return rows["id-ben"].State == model.StateDisabled })
}

// Two runs of one person at one time do everything once.
func TestRunPersonTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "slow:20ms")
	w.start()
	res := w.waiting(model.AccountRow{Identity: "id-ann", Desired: account("ann", "staff")})
	res.Release()
	outcomes := make(chan RunTarget, 3)
	for range 3 {
		go func() {
			got, err := w.worker.RunPerson(t.Context(), RunAsk{Target: "git", Identity: "id-ann"})
			if err != nil {
				got.Outcome = err.Error()
			}
			outcomes <- got
		}()
	}
	for range 3 {
		if got := <-outcomes; got.Outcome != RunDone && got.Outcome != RunInSync {
			t.Errorf("run: %+v", got)
		}
	}
	if len(w.users()) != 1 || memberCount(w.groups()["staff"]) != 1 { // users fails where a name is there twice
		t.Errorf("%d accounts, %d members", len(w.users()), memberCount(w.groups()["staff"]))
	}
}
