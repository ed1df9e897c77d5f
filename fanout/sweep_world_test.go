package fanout

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const patchOpen = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`

func setActive(on bool) string {
	return fmt.Sprintf(`%s{"op":"replace","path":"active","value":%v}]}`, patchOpen, on)
}

// left makes a person of the world leave, and waits until their account is off.
func (w *world) left(identity string, leaver bool) {
	w.t.Helper()
	now := w.worker.Now()
	w.want(model.AccountRow{Identity: identity, Leaver: leaver, LeaverAt: &now})
	w.until(identity+" is out", func(rows map[string]model.AccountRow) bool {
		s := rows[identity].State
		return s == model.StateDisabled || s == model.StateDeleted
	})
}

func (w *world) foundOf(kind string) []store.Finding {
	w.t.Helper()
	found, _, err := w.store.Found(w.t.Context(), store.FoundFilter{Target: w.target.Name, Kind: kind, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// TestSweepLeaverLetInAgain: at once, whatever the policy for changes, and even where
// the rest of the sweep cannot be believed.
func TestSweepLeaverLetInAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*model.Target){
		"changes are reported": func(t *model.Target) { t.Drift.Changed = "report" },
		"guard that lets nobody go": func(t *model.Target) {
			t.Drift.Changed, t.Guard = "report", model.Guard{Window: time.Hour}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change, "")
			w.start()
			w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("ben")}, model.AccountRow{Identity: "c", Desired: account("cleo")})
			w.allIn(model.StateInSync)
			w.left("a", true)
			id := w.rows()["a"].RemoteID
			w.byHand(http.MethodPatch, "/Users/"+id, setActive(true))
			w.byHand(http.MethodDelete, "/Users/"+w.rows()["b"].RemoteID, "")
			w.byHand(http.MethodDelete, "/Users/"+w.rows()["c"].RemoteID, "")
			report := w.sweep()
			if report.Kinds[driftResurrected] != 1 {
				t.Errorf("report %+v", report)
			}
			w.until("off again", func(rows map[string]model.AccountRow) bool {
				return w.users()["anna"]["active"] == false && rows["a"].State == model.StateDisabled
			})
		})
	}
	t.Run("observe", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, "")
		w.start()
		w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("ben")})
		w.allIn(model.StateInSync)
		w.left("a", true)
		w.stop()
		w.byHand(http.MethodPatch, "/Users/"+w.rows()["a"].RemoteID, setActive(true))
		watching := w.target
		watching.Mode = model.ModeObserve
		w.worker.Current = func() *Snapshot { return &Snapshot{Version: 2, Targets: []model.Target{watching}} }
		w.worker.runners = nil
		if report := w.sweep(); report.Kinds[driftResurrected] != 1 {
			t.Errorf("report %+v", report)
		}
		if r := w.rows()["a"]; r.Due || r.State != model.StateDrifted || w.users()["anna"]["active"] != true {
			t.Errorf("where nothing may be written: %+v", r)
		}
	})
}

// TestSweepMoverLetInAgain: of somebody who only lost a role it is a difference like
// others, which takes away, and so has to be seen twice.
func TestSweepMoverLetInAgain(t *testing.T) {
	t.Parallel()
	w := drifting(t, nil)
	w.start()
	w.left("a", false)
	w.stop()
	w.byHand(http.MethodPatch, "/Users/"+w.rows()["a"].RemoteID, setActive(true))
	if report := w.sweep(); report.Kinds[driftResurrected] != 1 || w.rows()["a"].Due {
		t.Errorf("report %+v, row %+v", report, w.rows()["a"])
	}
	if report := w.sweep(); report.Kinds[driftResurrected] != 1 || !w.rows()["a"].Due {
		t.Errorf("second report %+v, row %+v", report, w.rows()["a"])
	}
	w.start()
	w.until("off again", func(rows map[string]model.AccountRow) bool {
		return rows["a"].State == model.StateDisabled && w.users()["anna"]["active"] == false
	})
}

// TestSweepGroups: members of ours that were taken out come back, strangers and a
// renamed group are told of, a group that is gone is made anew.
func TestSweepGroups(t *testing.T) {
	t.Parallel()
	t.Run("strange member", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, nil)
		w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"stranger"}`)
		w.byHand(http.MethodPost, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"theirs","members":[{"value":"`+w.users()["stranger"]["id"].(string)+`"}]}`)
		w.byHand(http.MethodPatch, "/Groups/"+w.groups()["eng"]["id"].(string), patchOpen+`{"op":"add","path":"members","value":[{"value":"`+w.users()["stranger"]["id"].(string)+`"}]}]}`)
		w.sweep()
		found := w.foundOf(driftMembership)
		if len(found) != 1 || found[0].Group != "eng" || found[0].Action != "report" || found[0].RemoteID != w.users()["stranger"]["id"] {
			t.Errorf("found %+v", found)
		}
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, nil)
		w.byHand(http.MethodDelete, "/Groups/"+w.groups()["eng"]["id"].(string), "")
		if report := w.sweep(); report.Kinds[driftMembership] != 3 { // the group, and two who were in it
			t.Errorf("report %+v", report)
		}
		w.start()
		w.until("made anew with its members", func(map[string]model.AccountRow) bool {
			return w.groups()["eng"] != nil && memberCount(w.groups()["eng"]) == 2
		})
	})
	t.Run("renamed", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, nil)
		w.byHand(http.MethodPatch, "/Groups/"+w.groups()["eng"]["id"].(string), patchOpen+`{"op":"replace","path":"displayName","value":"pirates"}]}`)
		w.sweep()
		found := w.foundOf(driftMembership)
		if len(found) != 1 || found[0].Group != "eng" || found[0].Object != store.GroupObject("eng") || found[0].Fields[0].After != "pirates" {
			t.Errorf("found %+v", found)
		}
		if rows := w.rows(); rows["a"].Drift != "" || rows["a"].Due {
			t.Errorf("who is in a renamed group is still in it: %+v", rows["a"])
		}
	})
	t.Run("not readable", func(t *testing.T) {
		t.Parallel()
		w := drifting(t, func(t *model.Target) { t.Overrides = map[string]any{"members_readable": false} })
		w.byHand(http.MethodPatch, "/Groups/"+w.groups()["eng"]["id"].(string), patchOpen+`{"op":"remove","path":"members"}]}`)
		if report := w.sweep(); len(report.Kinds) != 0 {
			t.Errorf("report %+v", report)
		}
		last, _, err := w.store.LastSweep(t.Context(), w.target.Name)
		if err != nil || last.Members != "not readable at this application" {
			t.Errorf("sweep %+v, %v", last, err)
		}
	})
}

// TestSweepByLedger: where lists are not to be trusted every known account is read by
// its id, and nothing is said about others.
func TestSweepByLedger(t *testing.T) {
	t.Parallel()
	var lists atomic.Int64
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Users") && r.URL.Query().Get("filter") == "" {
			lists.Add(1)
		}
		a.Handler().ServeHTTP(w, r)
	}), func(t *model.Target) {
		t.Overrides = map[string]any{"list_trustworthy": false}
		t.Drift.Unknown = "disable"
	})
	populate(w)
	rows := w.rows()
	w.byHand(http.MethodPatch, "/Users/"+rows["a"].RemoteID, patchTitle)
	w.byHand(http.MethodDelete, "/Users/"+rows["b"].RemoteID, "")
	w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"stranger"}`)
	lists.Store(0)
	report := w.sweep()
	if report.Kinds[driftChanged] != 1 || report.Kinds[driftMissing] != 1 || report.Kinds[driftUnknown] != 0 || report.Checked != 2 {
		t.Errorf("report %+v", report)
	}
	if lists.Load() != 0 {
		t.Error("a list that is not to be trusted was read")
	}
	last, _, err := w.store.LastSweep(t.Context(), w.target.Name)
	if err != nil || last.By != "id" || !strings.Contains(last.Unknown, "not readable here") {
		t.Errorf("sweep %+v, %v", last, err)
	}
	w.start()
	w.until("put right", func(map[string]model.AccountRow) bool {
		return w.users()["anna"]["title"] == "Engineer" && w.users()["ben"] != nil
	})
}

// TestWritesToForgetfulTarget: a target that has forgotten everybody gets nobody made
// anew when somebody changes.
func TestWritesToForgetfulTarget(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var forgot atomic.Bool
	var posts atomic.Int64
	w := worldWith(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forgot.Load() && strings.Contains(r.URL.Path, "/Users") {
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			if !strings.HasSuffix(r.URL.Path, "/Users") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Type", mediaType)
				_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
				return
			}
		}
		a.Handler().ServeHTTP(w, r)
	}), nil)
	w.start()
	w.wantMany(10)
	w.allIn(model.StateInSync)
	forgot.Store(true)
	var rows []model.AccountRow
	for id, r := range w.rows() {
		rows = append(rows, model.AccountRow{Identity: id, Desired: retitled(r.Desired, "Boss")})
	}
	w.want(rows...)
	w.until("all tried in vain", func(rows map[string]model.AccountRow) bool {
		for _, r := range rows {
			if r.State != model.StateFailed || r.RemoteID == "" || r.Applied == nil || !strings.Contains(r.LastError, "nothing is concluded") {
				return false
			}
		}
		return true
	})
	if n := posts.Load(); n != 0 {
		t.Errorf("%d accounts were made anew", n)
	}
	forgot.Store(false)
	if err := w.store.DueNow(t.Context(), w.target.Name); err != nil {
		t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
	w.allIn(model.StateInSync)
}

// TestSweepOfAnotherTenant: ids that mean other people there change nobody and disable
// nobody.
func TestSweepOfAnotherTenant(t *testing.T) {
	t.Parallel()
	c := &crowd{n: 100}
	w, s := crowded(t, c, func(t *model.Target) { t.Guard = model.Guard{Floor: 5} })
	c.name = func(i int) string { return fmt.Sprintf("other%d", i) }
	for range 3 {
		report, err := w.Sweep(t.Context(), "crowd")
		if err != nil || !strings.Contains(report.Refused, "names of other people") {
			t.Fatalf("report %+v, %v", report, err)
		}
	}
	rows, err := s.Accounts(t.Context(), "crowd", "", 1000)
	if err != nil || slices.ContainsFunc(rows, func(r model.AccountRow) bool { return r.Due || r.State != model.StateInSync }) {
		t.Errorf("rows %+v, %v", rows, err)
	}
}

// TestSweepsLetOthersGoFirst: what is leisurely waits for what is not.
func TestSweepsLetOthersGoFirst(t *testing.T) {
	t.Parallel()
	g := newGate(1, time.Now)
	if err := g.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 3)
	enter := func(name string, ctx context.Context, waiting int) {
		go func() {
			if g.take(ctx) == nil {
				order <- name
			}
		}()
		if err := waitFor(t, func() (bool, error) { _, _, n := g.state(); return n == waiting, nil }); err != nil {
			t.Fatal(err)
		}
	}
	enter("sweep", leisurely(t.Context()), 1)
	enter("normal", t.Context(), 2)
	for _, want := range []string{"normal", "sweep"} {
		g.give("user.get", time.Now(), nil)
		if got := <-order; got != want {
			t.Errorf("%s went before %s", got, want)
		}
	}
}

// TestSweepDeletedThereAgain: the account of a leaver that the hub deleted, and that the
// application shows again under its id, is taken away at once; that of somebody who was
// asked for anew is not.
func TestSweepDeletedThereAgain(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var risen atomic.Pointer[string]
	var off atomic.Int64
	w := worldWith(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := risen.Load()
		if id == nil {
			a.Handler().ServeHTTP(w, r)
			return
		}
		user := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":%q,"userName":"anna","active":%v}`, *id, off.Load() == 0)
		w.Header().Set("Content-Type", mediaType)
		switch {
		case strings.HasSuffix(r.URL.Path, "/Users/"+*id):
			if r.Method == http.MethodDelete || r.Method == http.MethodPatch {
				off.Add(1)
				user = strings.Replace(user, "true", "false", 1)
			}
			_, _ = w.Write([]byte(user))
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Users") && r.URL.Query().Get("filter") == "":
			_, _ = w.Write([]byte(`{"totalResults":1,"Resources":[` + user + `]}`))
		default:
			a.Handler().ServeHTTP(w, r)
		}
	}), func(t *model.Target) { t.Leaver, t.Drift.Changed = model.LeaverPolicy{First: "delete"}, "report" })
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")})
	id := w.allIn(model.StateInSync)["a"].RemoteID
	w.left("a", true)
	if w.rows()["a"].State != model.StateDeleted {
		t.Fatalf("row %+v", w.rows()["a"])
	}
	risen.Store(&id)
	if report := w.sweep(); report.Kinds[driftResurrected] != 1 || report.Kinds[driftUnknown] != 0 {
		t.Errorf("report %+v", report)
	}
	w.until("taken away again", func(map[string]model.AccountRow) bool { return off.Load() > 0 })
}

// TestNoPhantoms: right after a sync no application shows drift, however it writes what
// it was given.
func TestNoPhantoms(t *testing.T) {
	t.Parallel()
	for _, name := range app.ProfileNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := app.New(app.Options{Profile: name})
			if err != nil {
				t.Fatal(err)
			}
			w := worldWith(t, a, a.Handler(), func(t *model.Target) {
				if slices.Contains(ProfileNames(), name) {
					t.Profile = name
				}
			})
			w.start()
			var rows []model.AccountRow
			for i, user := range []string{"anna", "ben", "cleo"} {
				d := account(user)
				d.Attrs["displayName"], d.Attrs["name.givenName"] = strings.ToUpper(user), user
				d.Attrs[`emails[type eq "work"].value`] = user + "@example.com"
				d.UserName = user + "@example.com"
				if name == "slack" {
					d.UserName = user
				}
				d.Active = i != 2
				rows = append(rows, model.AccountRow{Identity: user, Desired: d})
			}
			w.want(rows...)
			settled := func(rows map[string]model.AccountRow) bool {
				for _, r := range rows {
					if r.Due && r.State != model.StateFailed {
						return false
					}
				}
				return true
			}
			w.until("nothing is under way", settled)
			w.stop()
			for range 2 {
				report := w.sweep()
				if n := report.Kinds[driftChanged] + report.Kinds[driftMissing] + report.Kinds[driftResurrected] + report.Kinds[driftMembership]; n != 0 || report.Refused != "" {
					t.Errorf("report %+v: %+v", report, w.foundOf(""))
				}
			}
		})
	}
}
