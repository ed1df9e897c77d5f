package fanout

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

func TestWaves(t *testing.T) {
	t.Parallel()
	rename := func(from, to string) []model.Change {
		return []model.Change{{Verb: model.Update, Before: account(from), After: account(to)}}
	}
	held := rename("d", "e")
	held[0].Held = "mode"
	for _, tt := range []struct {
		name    string
		changes [][]model.Change
		want    [][]int
	}{
		{"nobody", [][]model.Change{nil, nil}, [][]int{{0, 1}}},
		{"one", [][]model.Change{rename("a", "b"), nil}, [][]int{{0, 1}}},
		{"chain", [][]model.Change{rename("a", "b"), rename("b", "c"), rename("c", "d"), nil}, [][]int{{2, 3}, {1}, {0}}},
		{"case", [][]model.Change{rename("A", "B"), rename("b", "C")}, [][]int{{1}, {0}}},
		{"circle", [][]model.Change{rename("a", "b"), rename("b", "a"), rename("x", "y")}, [][]int{{0, 1, 2}}},
		{"behind a circle", [][]model.Change{rename("a", "b"), rename("b", "a"), rename("x", "y"), rename("z", "x")}, [][]int{{0, 1, 2}, {3}}},
		{"held", [][]model.Change{rename("c", "d"), held}, [][]int{{0, 1}}},
	} {
		var jobs []*job
		for i, c := range tt.changes {
			jobs = append(jobs, &job{changes: c, row: model.AccountRow{Identity: fmt.Sprint(i)}})
		}
		var got [][]int
		for _, wave := range waves(jobs) {
			var ids []int
			for _, j := range wave {
				var id int
				_, _ = fmt.Sscan(j.row.Identity, &id)
				ids = append(ids, id)
			}
			got = append(got, ids)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What an application never changes is held in words; everything else is written.
func TestDiffFixed(t *testing.T) {
	t.Parallel()
	before, after := account("anna"), account("anne")
	before.Attrs["emails"] = []any{map[string]any{"value": "anna@x.example"}}
	after.Attrs["emails"] = []any{map[string]any{"value": "anne@x.example"}}
	after.Attrs["title"] = "Manager"
	away := *after
	away.Active = false
	off := *before
	off.Active = false
	for _, tt := range []struct {
		name      string
		overrides map[string]any
		row       model.AccountRow
		want      []string // verb, paths, part of why it is held
	}{
		{"all may change", nil, model.AccountRow{Desired: after, Applied: before}, []string{"update userName,emails,externalId,name.familyName,title"}},
		{"no rename", map[string]any{"rename": map[string]any{"user": false}}, model.AccountRow{Desired: after, Applied: before},
			[]string{"update emails,externalId,name.familyName,title", `update userName cannot rename accounts: this one stays "anna", for "anne" a new account would be needed`}},
		{"no other address", map[string]any{"rename": map[string]any{"email": false}}, model.AccountRow{Desired: after, Applied: before},
			[]string{"update userName,externalId,name.familyName,title", "update emails cannot change the e-mail address"}},
		{"fixed", map[string]any{"attr_limits": map[string]any{"title": map[string]any{"fixed": true}, "name": map[string]any{"fixed": true}}}, model.AccountRow{Desired: after, Applied: before},
			[]string{"update userName,emails,externalId", "update name.familyName,title never changes it"}},
		{"found", map[string]any{"rename": map[string]any{"user": false}}, model.AccountRow{Desired: after, Observed: before, RemoteID: "1"},
			[]string{"adopt emails,externalId,name.familyName,title", "update userName cannot rename accounts"}},
		{"switched off", map[string]any{"update_when_inactive": "with_reactivation"}, model.AccountRow{Desired: &away, Applied: &off},
			[]string{"update userName,emails,externalId,name.familyName,title does not change an account that is switched off"}},
		{"comes back", map[string]any{"update_when_inactive": "with_reactivation"}, model.AccountRow{Desired: after, Applied: &off},
			[]string{"update active,userName,emails,externalId,name.familyName,title"}},
	} {
		target := model.Target{Name: "git", Mode: model.ModeEnforce, Overrides: tt.overrides}
		p, err := ProfileOf(target)
		if err != nil {
			t.Fatal(err)
		}
		tt.row.Target, tt.row.Identity = "git", "i"
		if tt.row.Applied != nil {
			tt.row.RemoteID, tt.row.Owned = "1", model.OwnedCreated
		}
		changes := Diff(target, p, []model.AccountRow{tt.row}, time.Unix(0, 0)).Changes
		if len(changes) != len(tt.want) {
			t.Errorf("%s: %d changes: %+v", tt.name, len(changes), changes)
			continue
		}
		for i, c := range changes {
			var paths []string
			for _, f := range c.Fields {
				paths = append(paths, f.Path)
			}
			head := string(c.Verb) + " " + strings.Join(paths, ",")
			why, ok := strings.CutPrefix(tt.want[i], head)
			if why = strings.TrimSpace(why); !ok || (why == "") != (c.Held == "") || !strings.Contains(c.Held, why) {
				t.Errorf("%s: %s held %q, want %s", tt.name, head, c.Held, tt.want[i])
			}
			if fields := differences(*c.Before, *c.After); len(fields) != len(c.Fields) {
				t.Errorf("%s: %s writes %v", tt.name, head, fields)
			}
		}
	}
}

func renamedTo(from, to string) *model.Account {
	a := account(to)
	a.Attrs["externalId"] = "x-" + from
	return a
}

// Everybody moves up by one name: whoever gives up a name goes first, and the target
// refuses nothing.
func TestWorkerRenameChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	names := []string{"a", "b", "c", "d"}
	for _, n := range names {
		w.want(model.AccountRow{Identity: "id-" + n, Desired: account(n)})
	}
	w.start()
	w.allIn(model.StateInSync)
	w.stop()
	for i, n := range names {
		w.want(model.AccountRow{Identity: "id-" + n, Desired: renamedTo(n, string(rune('a'+i+1)))})
	}
	w.start()
	w.allIn(model.StateInSync)
	for i, n := range names {
		if got := w.users()[string(rune('a'+i+1))]["externalId"]; got != "x-"+n {
			t.Errorf("%c is %v", 'a'+i+1, got)
		}
	}
	if n := w.app.Stats().DuplicatesRefused; n != 0 {
		t.Errorf("%d refusals", n)
	}
}

// People in a circle swap their names in the end, and somebody new gets a name that is
// being given up.
func TestWorkerRenameCircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	names := []string{"a", "b", "c"}
	for _, n := range names {
		w.want(model.AccountRow{Identity: "id-" + n, Desired: account(n)})
	}
	w.start()
	w.allIn(model.StateInSync)
	w.stop()
	for i, n := range names {
		w.want(model.AccountRow{Identity: "id-" + n, Desired: renamedTo(n, names[(i+1)%3])})
	}
	w.start()
	w.allIn(model.StateInSync)
	users := w.users()
	for i, n := range names {
		if got := users[names[(i+1)%3]]["externalId"]; got != "x-"+n {
			t.Errorf("%s is %v", names[(i+1)%3], got)
		}
	}
	if text := w.audit(); !strings.Contains(text, "swap their user names") {
		t.Error("the audit trail does not say why somebody was renamed in between")
	}
}

// A name that somebody keeps is refused in words that say whose it is.
func TestWorkerRenameTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.want(model.AccountRow{Identity: "id-a", Desired: account("a")}, model.AccountRow{Identity: "id-b", Desired: account("b")})
	w.start()
	w.allIn(model.StateInSync)
	w.want(model.AccountRow{Identity: "id-a", Desired: renamedTo("a", "b")})
	rows := w.until("refused", func(rows map[string]model.AccountRow) bool { return state(rows, "id-a", model.StateFailed) })
	if r := rows["id-a"]; !strings.Contains(r.LastError, `the user name "b" is that of identity id-b`) || r.ErrorClass != string(Conflict) {
		t.Errorf("%s: %s", r.ErrorClass, r.LastError)
	}
}

// A name that becomes free between the refusal and the look at who has it is taken at
// once: there is nobody to wait for.
func TestWorkerRenameFreed(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	var once sync.Once
	var stranger string
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch || !strings.Contains(readBody(r), `"b"`) || stranger == "" {
			a.Handler().ServeHTTP(rw, r)
			return
		}
		a.Handler().ServeHTTP(rw, r)
		once.Do(func() {
			w.byHand("PATCH", "/Users/"+stranger, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"userName","value":"z"}]}`)
		})
	})
	w = worldWith(t, a, handler, nil)
	w.byHand("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"b"}`)
	w.want(model.AccountRow{Identity: "id-a", Desired: account("a")})
	w.start()
	w.allIn(model.StateInSync)
	w.stop()
	stranger = w.users()["b"]["id"].(string)
	w.want(model.AccountRow{Identity: "id-a", Desired: renamedTo("a", "b")})
	w.start()
	w.until("it has the name", func(rows map[string]model.AccountRow) bool {
		r := rows["id-a"]
		if r.Attempts > 0 {
			t.Fatalf("%s: %s", r.ErrorClass, r.LastError)
		}
		return r.State == model.StateInSync && r.Applied.UserName == "b"
	})
	if n := w.app.Stats().DuplicatesRefused; n != 1 {
		t.Errorf("%d refusals", n)
	}
}
