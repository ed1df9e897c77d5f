package fanout

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestIntended(t *testing.T) {
	t.Parallel()
	row := model.AccountRow{Applied: account("anna", "eng", "ops")}
	off := inactive(row.Applied)
	for _, tt := range []struct {
		name    string
		changes []model.Change
		want    model.Account
	}{
		{"nothing", nil, *account("anna", "eng", "ops")},
		{"join and part", []model.Change{{Verb: model.Join, Group: "all"}, {Verb: model.Part, Group: "ops"}}, *account("anna", "all", "eng")},
		{"held", []model.Change{{Verb: model.Part, Group: "ops", Held: "guard"}, {Verb: model.Delete, Held: "guard"}}, *account("anna", "eng", "ops")},
		{"delete", []model.Change{{Verb: model.Part, Group: "ops"}, {Verb: model.Delete}}, model.Account{}},
		{"disable", []model.Change{{Verb: model.Disable, After: off}}, func() model.Account { a := *account("anna", "eng", "ops"); a.Active = false; return a }()},
		{"update", []model.Change{{Verb: model.Update, Before: account("anna"), After: account("anne")}}, *account("anne", "eng", "ops")},
	} {
		if diff := cmp.Diff(tt.want, intended(row, tt.changes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"eng", "ops"}, row.Applied.Groups); diff != "" {
		t.Errorf("the row was changed:\n%s", diff)
	}
}

// What was sent and not heard of counts as possible: groups are left that the
// account may be in and joined that it may not be in.
func TestDiffUncertain(t *testing.T) {
	t.Parallel()
	target, profile := model.Target{Name: "git", Mode: model.ModeEnforce}, mustProfile(t, "generic")
	for _, tt := range []struct {
		name string
		row  model.AccountRow
		want []string
	}{
		{"certain", model.AccountRow{Desired: account("anna", "eng"), Applied: account("anna", "eng")}, nil},
		{"may be in another group", model.AccountRow{Desired: account("anna", "eng"), Applied: account("anna", "eng"),
			Sent: []model.Account{*account("anna", "eng", "ops")}}, []string{"part ops"}},
		{"may have left the group", model.AccountRow{Desired: account("anna", "eng"), Applied: account("anna", "eng"),
			Sent: []model.Account{*account("anna")}}, []string{"join eng"}},
		{"several", model.AccountRow{Desired: account("anna", "eng"), Applied: account("anna"),
			Sent: []model.Account{*account("anna", "a", "eng"), *account("anna", "b")}}, []string{"part a", "part b", "join eng"}},
		{"may be active", model.AccountRow{Applied: inactive(account("anna")), Sent: []model.Account{*account("anna")}}, []string{"disable "}},
	} {
		tt.row.Target, tt.row.Identity, tt.row.RemoteID, tt.row.Owned = "git", "i", "r", model.OwnedCreated
		var got []string
		for _, c := range Diff(target, profile, []model.AccountRow{tt.row}, time.Unix(0, 0)).Changes {
			got = append(got, string(c.Verb)+" "+c.Group)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func mustProfile(t *testing.T, name string) Profile {
	t.Helper()
	p, err := ProfileNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A write is carried out, its answer lost, and before it is tried again the wish
// is as it was before: then what the target holds is not what was applied, and must
// be set right although nothing seems to differ.
func TestWorkerTakesBackWhatWasLost(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lose atomic.Bool
	var lost atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && lose.Load() {
			a.Handler().ServeHTTP(&discard{header: http.Header{}}, r)
			lost.Add(1)
			panic(http.ErrAbortHandler)
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	before := account("anna", "eng")
	before.Attrs = map[string]any{"title": "before"}
	w.want(model.AccountRow{Identity: "i", Desired: before}, model.AccountRow{Identity: "k", Desired: account("kim", "eng", "ops")})
	w.allIn(model.StateInSync)

	lose.Store(true)
	after := account("anna", "eng")
	after.Attrs = map[string]any{"title": "after"}
	w.want(model.AccountRow{Identity: "i", Desired: after}, model.AccountRow{Identity: "k", Desired: account("kim", "all")})
	unheard := map[string]bool{} // one may have been looked at again before the other fails
	w.until("both writes lost", func(rows map[string]model.AccountRow) bool {
		for id, row := range rows {
			unheard[id] = unheard[id] || row.ErrorClass == string(UnknownOutcome)
		}
		return unheard["i"] && unheard["k"]
	})
	if title := w.users()["anna"]["title"]; title != "after" || lost.Load() < 2 {
		t.Fatalf("the loss was not as intended: title %v, %d lost", title, lost.Load())
	}
	lose.Store(false)
	w.want(model.AccountRow{Identity: "i", Desired: before}, model.AccountRow{Identity: "k", Desired: account("kim", "eng", "ops")})
	rows := w.allIn(model.StateInSync)
	if title := w.users()["anna"]["title"]; title != "before" {
		t.Errorf("title is %v", title)
	}
	for group, want := range map[string]int{"eng": 2, "ops": 1, "all": 0} {
		if n := memberCount(w.groups()[group]); n != want {
			t.Errorf("%s has %d members, want %d", group, n, want)
		}
	}
	for id, r := range rows {
		if inDoubt(r) {
			t.Errorf("%s: settled, and still uncertain: %+v", id, r.Sent)
		}
	}
}

// The process ends between sending a create and storing its outcome, and the
// person leaves before the next one has looked: the account is found and disabled.
func TestWorkerFindsWhatACrashLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	sent := account("anna", "eng")
	sent.Attrs = map[string]any{"externalId": "e1"}
	w.want(model.AccountRow{Identity: "i", Desired: sent})
	if _, err := w.store.SaveIntents(t.Context(), "git", []store.Intent{{Identity: "i", Generation: 1, Create: true, Sent: []model.Account{*sent}}}); err != nil {
		t.Fatal(err)
	}
	if status := w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna","externalId":"e1","active":true}`); status != http.StatusCreated {
		t.Fatal(status)
	}
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	w.start()
	w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDisabled })
	if active := w.users()["anna"]["active"]; active != false {
		t.Errorf("active is %v", active)
	}
}

// A deletion was carried out and not heard of, and the person is wanted again: that
// the account is gone is stored before another one is made, so that a crash in
// between leaves no account that nobody knows.
func TestWorkerStoresALossBeforeItCreates(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	var known atomic.Value // how the row stood when the create came
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Users") {
			known.Store(w.rows()["i"])
		}
		a.Handler().ServeHTTP(rw, r)
	})
	w = worldWith(t, a, h, nil)
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
	row := w.rows()["i"]
	row.Applied, row.RemoteID, row.Owned, row.Sent = account("anna", "eng"), "deleted-before", model.OwnedCreated, []model.Account{{}}
	row.Due, row.State, row.NextAttempt = true, model.StatePending, time.Now()
	if err := w.store.Settle(t.Context(), "git", []store.Settlement{{Row: row}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	row = w.allIn(model.StateInSync)["i"]
	if active := w.users()["anna"]["active"]; active != true || row.RemoteID == "deleted-before" || len(row.Sent) > 0 {
		t.Errorf("active %v, row %+v", active, row)
	}
	if before, _ := known.Load().(model.AccountRow); before.RemoteID != "" || before.Applied != nil || before.Owned != model.OwnedCreating || len(before.Sent) == 0 {
		t.Errorf("at the create the row was %+v", before)
	}
}

// A join was carried out and not heard of, then the person leaves and comes back
// without the group: disabling an account says nothing about its memberships.
func TestWorkerRemembersMembershipsOfALeaver(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lose atomic.Bool
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") && lose.Load() {
			a.Handler().ServeHTTP(&discard{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		a.Handler().ServeHTTP(rw, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "all")}, model.AccountRow{Identity: "k", Desired: account("kim", "admins")})
	w.allIn(model.StateInSync)
	lose.Store(true)
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "admins", "all")})
	w.until("the join is lost", func(rows map[string]model.AccountRow) bool { return rows["i"].ErrorClass == string(UnknownOutcome) })
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDisabled })
	lose.Store(false)
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "all")})
	rows := w.allIn(model.StateInSync)
	if n := memberCount(w.groups()["admins"]); n != 1 {
		t.Errorf("admins has %d members, only kim belongs there", n)
	}
	if inDoubt(rows["i"]) || w.users()["anna"]["active"] != true {
		t.Errorf("row %+v", rows["i"])
	}
}
