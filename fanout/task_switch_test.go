package fanout

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// Where the application lets nobody be switched off over SCIM a person does it, and the
// hub looks whether it was done.
func TestSwitchedOffByAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(target *model.Target) { target.Overrides = map[string]any{"disable": "forbidden"} }, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
	w.want(leaverNow())
	task := w.task("i", "switch the account anna off")
	if task.Kind != model.TaskSwitchOff || !task.Urgent || !task.Changes[0].ByPerson {
		t.Errorf("task: %+v", task)
	}
	if w.users()["anna"]["active"] != true {
		t.Fatal("it was switched off over SCIM")
	}
	w.finish(task, model.TaskDone, "said so") // and did not do it
	row := w.until("the word is not believed", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateFailed })["i"]
	if !strings.Contains(row.LastError, "still active") || !row.Applied.Active {
		t.Errorf("row: %+v", row)
	}
	id, _ := w.users()["anna"]["id"].(string)
	if code := w.byHand("PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`); code >= 300 {
		t.Fatal(code)
	}
	if row = w.inState("i", model.StateDisabled); row.VerifiedAt == nil {
		t.Errorf("not verified: %+v", row)
	}
	if list := w.open("i"); len(list) != 0 {
		t.Errorf("still open: %+v", list)
	}
}

// inviting makes an application of which accounts of a userType "invited" are deleted
// when they are switched off, as Dropbox does.
func inviting(t *testing.T, change func(*model.Target)) *world {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inner := a.Handler()
	var w *world
	outer := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body := readBody(r)
		if r.Method == http.MethodPatch && strings.Contains(body, `"active"`) && strings.Contains(body, "false") {
			for _, u := range a.State(w.url).Users {
				if u["userType"] == "invited" && strings.HasSuffix(r.URL.Path, "/"+u["id"].(string)) {
					del := httptest.NewRequestWithContext(r.Context(), http.MethodDelete, r.URL.Path, nil)
					del.Header = r.Header
					inner.ServeHTTP(httptest.NewRecorder(), del)
					rw.WriteHeader(http.StatusNoContent)
					return
				}
			}
		}
		inner.ServeHTTP(rw, r)
	})
	w = worldWith(t, a, outer, func(target *model.Target) {
		target.Overrides = map[string]any{"disable_pending_user": "deletes", "pending": `userType eq "invited"`}
		if change != nil {
			change(target)
		}
	})
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
	w.invite("invited")
	return w
}

func (w *world) invite(kind string) {
	w.t.Helper()
	id, _ := w.users()["anna"]["id"].(string)
	if code := w.byHand("PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"userType","value":"`+kind+`"}]}`); code >= 300 {
		w.t.Fatal(code)
	}
}

func TestInvitationOfALeaver(t *testing.T) {
	t.Parallel()
	w := inviting(t, nil)
	w.want(leaverNow())
	row := w.inState("i", model.StateDeleted)
	if row.VerifiedAt == nil || row.RemoteID != "" || len(w.users()) != 0 {
		t.Errorf("row %+v, there %v", row, w.users())
	}
}

// Whoever only moves, or is away, does not lose the account by it.
func TestInvitationIsHeld(t *testing.T) {
	t.Parallel()
	w := inviting(t, nil)
	w.want(model.AccountRow{Identity: "i"})
	row := w.inState("i", model.StateHeld)
	if row.LastError != heldInvitation || !row.Invited || w.users()["anna"]["active"] != true {
		t.Fatalf("row %+v, there %v", row, w.users())
	}
	w.invite("employee") // accepted
	w.until("the sweep has seen it, and the account is switched off", func(rows map[string]model.AccountRow) bool {
		if rows["i"].State == model.StateHeld {
			_, _ = w.worker.Sweep(t.Context(), "git")
		}
		return rows["i"].State == model.StateDisabled
	})
	if len(w.users()) != 1 {
		t.Error("the account is gone")
	}
}

// An invitation that was accepted since it was last seen is an account like any other.
func TestInvitationAcceptedMeanwhile(t *testing.T) {
	t.Parallel()
	w := inviting(t, nil)
	w.want(model.AccountRow{Identity: "i", Desired: retitled(account("anna"), "Boss")}) // the hub sees the invitation
	w.until("pending", func(rows map[string]model.AccountRow) bool {
		return rows["i"].State == model.StateInSync && rows["i"].LastError == pendingInvitation
	})
	w.invite("employee")
	w.want(leaverNow())
	if row := w.inState("i", model.StateDisabled); len(w.users()) != 1 || row.Invited {
		t.Errorf("row %+v, there %v", row, w.users())
	}
}

func TestDeletionIsRefusedThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(target *model.Target) {
		target.Overrides = map[string]any{"delete": "forbidden"}
		target.Leaver = model.LeaverPolicy{First: "disable", Then: "delete", After: time.Millisecond}
	}, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
	w.want(leaverNow())
	if row := w.inState("i", model.StateDisabled); row.LastError != noDelete || row.Due {
		t.Errorf("row: %+v", row)
	}
}

// handing is a target where accounts are deleted at once, once what their owners have
// there was handed on. boss is the successor.
func handing(t *testing.T, connector http.HandlerFunc) *world {
	t.Helper()
	var own *httptest.Server
	if connector != nil {
		own = httptest.NewServer(connector)
		t.Cleanup(own.Close)
	}
	w := newWorld(t, func(target *model.Target) {
		target.Leaver = model.LeaverPolicy{First: "disable", Then: "delete", After: time.Millisecond, Transfer: "required", Successor: "boss"}
		if own != nil {
			target.Leaver.Connector = &model.Connector{Method: "POST", URL: own.URL + "/users/{id}/hand?to={successorId}", Body: `{"from":"{userName}","to":"{successor}"}`}
		}
	}, "")
	err := w.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.AddIdentity("b", "boss"); err != nil {
			return err
		}
		row, err := tx.Identity("b")
		if err != nil {
			return err
		}
		row.Stage = model.Active
		return tx.SaveIdentity(row)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account(`an"na`)}, model.AccountRow{Identity: "b", Desired: account("boss")})
	w.allIn(model.StateInSync)
	return w
}

func TestTransferByAPerson(t *testing.T) {
	t.Parallel()
	w := handing(t, nil)
	w.want(leaverNow())
	task := w.task("i", `hand on what an"na owns there, to boss`)
	if task.Kind != model.TaskTransfer || task.Assignee != "b" || task.Successor != "b" || !task.NeedsProof || task.Auto {
		t.Errorf("task: %+v", task)
	}
	row := w.inState("i", model.StateHeld)
	if row.LastError != heldTransfer || w.users()[`an"na`]["active"] != false {
		t.Fatalf("row %+v, there %v", row, w.users())
	}
	// Who comes back owns everything again; who leaves again is asked about again.
	w.want(model.AccountRow{Identity: "i", Desired: account(`an"na`)})
	w.inState("i", model.StateInSync)
	w.until("the task is closed", func(map[string]model.AccountRow) bool { return len(w.open("i")) == 0 })
	w.want(leaverNow())
	again := w.task("i", "hand on")
	if again.ID == task.ID {
		t.Error("the task of the first time stands for the second")
	}
	w.inState("i", model.StateHeld)
	w.finish(again, model.TaskDone, "folder moved")
	w.inState("i", model.StateDeleted)
	if w.users()[`an"na`] != nil {
		t.Error("not deleted")
	}
}

func TestTransferRefusedStaysRefused(t *testing.T) {
	t.Parallel()
	w := handing(t, nil)
	w.want(leaverNow())
	w.finish(w.task("i", "hand on"), model.TaskRefused, "legal hold")
	w.inState("i", model.StateHeld)
	if err := w.store.Update(t.Context(), func(tx *store.Tx) error { return tx.Release("git", "ops", nil) }); err != nil {
		t.Fatal(err)
	}
	if list := w.open("i"); len(list) != 0 || w.users()[`an"na`] == nil {
		t.Errorf("asked again %v, there %v", list, w.users())
	}
}

// The application's own API is asked once, with the target's credentials; the answer
// is the evidence.
func TestTransferByConnector(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	w := handing(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var doc map[string]string
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Errorf("body %s: %v", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.URL.Query().Get("to")+" "+doc["from"]+" "+doc["to"]+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type"))
		if len(got) == 1 {
			rw.WriteHeader(http.StatusServiceUnavailable) // said that it did nothing
			return
		}
		_, _ = rw.Write([]byte(`{"moved": 3}`))
	})
	boss, _ := w.users()["boss"]["id"].(string)
	w.want(leaverNow())
	w.inState("i", model.StateDeleted)
	list, err := w.store.TasksAbout(t.Context(), "git", true, "i")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if d := list[0]; d.Outcome != model.TaskDone || d.DoneBy != "hub" || !strings.Contains(d.Proof, `answered 200`) || !strings.Contains(d.Proof, `"moved": 3`) {
		t.Errorf("evidence: %+v", d)
	}
	mu.Lock()
	defer mu.Unlock()
	want := "POST " + boss + ` an"na boss Bearer token application/json`
	if len(got) != 2 || got[1] != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// What somebody owned is handed on when it is stored that their access has ended: else it
// would be handed on once more, as that of another time.
func TestTransferOfWhatIsStored(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	w := handing(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	db := storetest.OpenURL(t, storetest.SQLite, w.database)
	db.Exec(t, `CREATE TRIGGER injected BEFORE UPDATE OF disabled_at ON accounts WHEN NEW.disabled_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'injected'); END`)
	w.want(leaverNow())
	for range 3 {
		before := w.app.Stats().Total()
		w.until("it is tried again", func(map[string]model.AccountRow) bool { return w.app.Stats().Total() > before })
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times before it was stored", n)
	}
	db.Exec(t, `DROP TRIGGER injected`)
	w.inState("i", model.StateDeleted)
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// What was sent and not heard of is never sent again: a person looks.
func TestTransferIsMadeOnce(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"cut": func(rw http.ResponseWriter, _ *http.Request) {
			conn, _, err := rw.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
		"failed":  func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) },
		"refused": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnprocessableEntity) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := 0
			w := handing(t, func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked++
				mu.Unlock()
				answer(rw, r)
			})
			w.want(leaverNow())
			w.until("a person is asked", func(map[string]model.AccountRow) bool {
				list := w.open("i")
				return len(list) == 1 && !list[0].Auto && list[0].LastError != ""
			})
			w.worker.Nudge("git")
			w.finish(w.open("i")[0], model.TaskDone, "looked: it was moved")
			w.inState("i", model.StateDeleted)
			mu.Lock()
			defer mu.Unlock()
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestFillConnector(t *testing.T) {
	t.Parallel()
	facts := map[string]string{"id": "a/b?c", "userName": `x"y {id}`, "successorId": "7 8&9", "successor": "böss"}
	call, words := fillConnector(model.Connector{Method: "PUT", URL: "https://api.example.com/u/{id}?to={successorId}", Body: `{"a":"{userName}","b":"{successor}"}`}, facts)
	if words != "" {
		t.Fatal(words)
	}
	if want := "https://api.example.com/u/a%2Fb%3Fc?to=7%208%269"; call.address != want {
		t.Errorf("address %s, want %s", call.address, want)
	}
	if want := `{"a":"x\"y {id}","b":"böss"}`; string(call.body) != want {
		t.Errorf("body %s, want %s", call.body, want)
	}
	if _, words := fillConnector(model.Connector{URL: "https://api.example.com/{id}/{successorId}"}, map[string]string{"id": "1"}); !strings.Contains(words, "[successorId]") {
		t.Errorf("missing: %q", words)
	}
	for _, c := range []model.Connector{{URL: "https://{id}.example.com/"}, {URL: "https://x@{id}/"}, {URL: "https://api.example.com/", Body: `{"a": {id}}`}} {
		if _, words := fillConnector(c, facts); words == "" {
			t.Errorf("%+v was filled in", c)
		}
	}
	if _, words := fillConnector(model.Connector{URL: "https://api.example.com/u/{id}/x"}, map[string]string{"id": ".."}); words == "" {
		t.Error("a path that leads elsewhere was filled in")
	}
}
