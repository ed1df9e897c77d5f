package fanout

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// grant says that source groups of these names are mirrored to the target.
func (w *world) grant(names ...string) {
	w.t.Helper()
	w.groupTx(func(tx *store.Tx) error {
		for _, name := range names {
			g, known, err := tx.GroupNamed(w.target.Name, name)
			if err == nil && known {
				err = tx.WantGroup(w.target.Name, g.Name, true)
			} else if err == nil {
				err = tx.AddGroup(store.TargetGroup{Target: w.target.Name, Name: name, Wanted: true, State: string(model.StatePending), Due: true})
			}
			if err == nil {
				err = tx.AddOrigin(w.target.Name, store.GroupOrigin{Kind: store.OriginMirror, Ref: "id-" + name, Label: name, Source: "hr", Name: name})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ungrant says that nothing grants a group any longer.
func (w *world) ungrant(name string) {
	w.t.Helper()
	w.groupTx(func(tx *store.Tx) error {
		if err := tx.DropOrigin(w.target.Name, store.GroupOrigin{Kind: store.OriginMirror, Ref: "id-" + name, Label: name}); err != nil {
			return err
		}
		return tx.WantGroup(w.target.Name, name, false)
	})
}

// retitle renames a group at its source.
func (w *world) retitle(from, to string) {
	w.t.Helper()
	w.groupTx(func(tx *store.Tx) error {
		g, _, err := tx.GroupNamed(w.target.Name, from)
		if err != nil {
			return err
		}
		return tx.RenameWanted(g, to)
	})
}

func (w *world) groupTx(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
}

// group is what is known of one group.
func (w *world) group(name string) store.TargetGroup {
	w.t.Helper()
	list, err := w.store.TargetGroups(w.t.Context(), w.target.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range list {
		if g.Name == name {
			return g
		}
	}
	return store.TargetGroup{}
}

// groupIn waits until a group is in a state and there is nothing to do about it.
func (w *world) groupIn(name string, state model.AccountState) store.TargetGroup {
	w.t.Helper()
	var g store.TargetGroup
	w.until(fmt.Sprintf("group %s %s", name, state), func(map[string]model.AccountRow) bool {
		g = w.group(name)
		return g.State == string(state) && (!g.Due || state == model.StateFailed)
	})
	return g
}

func (w *world) groupGone(name string) {
	w.t.Helper()
	w.until("group "+name+" gone", func(map[string]model.AccountRow) bool { return w.group(name).Name == "" })
}

func groupTitles(groups map[string]map[string]any) (out []string) {
	for name := range groups {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func TestGroupsExistWithoutMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.grant("empty", "full")
	w.start()
	w.want(model.AccountRow{Identity: "i1", Desired: account("ada", "full")})
	w.allIn(model.StateInSync)
	g := w.groupIn("empty", model.StateInSync)
	if g.Owned != model.OwnedCreated || g.Applied != "empty" || g.RemoteID == "" {
		t.Errorf("row: %+v", g)
	}
	if groups := w.groups(); memberCount(groups["full"]) != 1 || groups["empty"] == nil || len(groups) != 2 {
		t.Errorf("at the target: %v", groups)
	}
}

// Who is in a group that is renamed stays in it, and no membership is touched.
func TestGroupIsRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Guard = model.Guard{Percent: 1, Floor: 1, Window: time.Hour} }, "")
	w.grant("old")
	w.start()
	w.wantMany(30, "old")
	w.allIn(model.StateInSync)
	id := w.groups()["old"]["id"]
	w.retitle("old", "new")
	w.wantMany(30, "new")
	rows := w.allIn(model.StateInSync)
	w.groupIn("new", model.StateInSync)
	groups := w.groups()
	if diff := cmp.Diff([]string{"new"}, groupTitles(groups)); diff != "" || groups["new"]["id"] != id || memberCount(groups["new"]) != 30 {
		t.Errorf("at the target: %v", groups)
	}
	for _, r := range rows {
		if !slices.Equal(r.Applied.Groups, []string{"new"}) {
			t.Fatalf("applied: %v", r.Applied.Groups)
		}
	}
	// Somebody who is decided about late still knows it by its old name.
	late := rows["id-user00000"]
	w.want(model.AccountRow{Identity: late.Identity, Desired: account("user00000")})
	w.until("left", func(rows map[string]model.AccountRow) bool { return rows[late.Identity].State == model.StateInSync })
	if n := memberCount(w.groups()["new"]); n != 29 {
		t.Errorf("%d members, want 29", n)
	}
}

// Where groups keep their names another is made, its members move, and the old one goes
// by rule; nobody is without a group in between for longer than the move takes.
func TestGroupThatKeepsItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) {
		t.Overrides = map[string]any{"rename": map[string]any{"group": false}}
		t.Groups.Remove = "delete"
	}, "")
	w.grant("old")
	w.start()
	w.wantMany(12, "old")
	w.allIn(model.StateInSync)
	w.stop()
	w.retitle("old", "new")
	w.wantMany(12, "new")
	w.start()
	w.until("moved", func(rows map[string]model.AccountRow) bool {
		groups := w.groups()
		return memberCount(groups["new"]) == 12 && groups["old"] == nil
	})
	w.allIn(model.StateInSync)
	w.groupGone("old")
	if g := w.groupIn("new", model.StateInSync); g.Owned != model.OwnedCreated {
		t.Errorf("the new group: %+v", g)
	}
}

func TestGroupAdoption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		adopt string
		state model.AccountState
		words string
	}{
		{"auto", model.StateInSync, ""},
		{"ask", model.StateHeld, heldAdoptGroup},
		{"never", model.StateHeld, neverAdoptGroup},
	} {
		t.Run(c.adopt, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(t *model.Target) { t.Groups = model.GroupPolicy{Adopt: c.adopt, Remove: "delete"} }, "")
			w.byHand("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"theirs"}`)
			theirs := w.users()["theirs"]["id"].(string)
			w.byHand("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng","members":[{"value":"`+theirs+`"}]}`)
			w.grant("eng")
			w.start()
			w.want(model.AccountRow{Identity: "i1", Desired: account("ada", "eng")})
			w.allIn(c.state)
			g := w.groupIn("eng", c.state)
			if g.LastError != c.words || len(w.groups()) != 1 {
				t.Errorf("%q, %v", g.LastError, w.groups())
			}
			if c.adopt == "ask" { // released by digest, both group and who waits for it
				if n := memberCount(w.groups()["Eng"]); n != 1 {
					t.Errorf("%d members before anybody approved", n)
				}
				change, _, _ := newGroupDiffer(w.target, groupProfile(t, w.target)).change(g)
				w.groupTx(func(tx *store.Tx) error {
					return tx.ReleaseGroups("git", "ops", []store.GroupApproval{{Group: "eng", Digest: Digest("git", change)}})
				})
				w.allIn(model.StateInSync)
			}
			if c.adopt == "never" {
				return
			}
			if g = w.groupIn("eng", model.StateInSync); g.Owned != model.OwnedAdopted || g.Applied != "Eng" {
				t.Errorf("adopted: %+v", g)
			}
			if n := memberCount(w.groups()["Eng"]); n != 2 {
				t.Errorf("%d members: who was in it must stay", n)
			}
			// What was there before the hub is never deleted.
			w.want(model.AccountRow{Identity: "i1", Desired: account("ada")})
			w.ungrant("eng")
			w.allIn(model.StateInSync)
			if g = w.groupIn("eng", model.StateInSync); !strings.Contains(g.LastError, "was there before the hub") || memberCount(w.groups()["Eng"]) != 1 {
				t.Errorf("%+v, %v", g, w.groups())
			}
		})
	}
}

func groupProfile(t *testing.T, target model.Target) Profile {
	t.Helper()
	p, err := ProfileOf(target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGroupRemoval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Groups.Remove = "delete" }, "")
	w.grant("a", "b")
	w.start()
	w.want(model.AccountRow{Identity: "i1", Desired: account("ada", "a", "b")})
	w.allIn(model.StateInSync)
	w.groupIn("b", model.StateInSync)
	w.byHand("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"theirs"}`)
	theirs := w.users()["theirs"]["id"].(string)
	b := w.groups()["b"]["id"].(string)
	w.byHand("PATCH", "/Groups/"+b, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"`+theirs+`"}]}]}`)

	w.ungrant("a")
	w.ungrant("b")
	w.until("waits for its members", func(map[string]model.AccountRow) bool {
		return strings.Contains(w.group("a").LastError, "last of 1 members")
	})
	if w.groups()["a"] == nil {
		t.Fatal("a group went before those who are in it had left")
	}
	w.want(model.AccountRow{Identity: "i1", Desired: account("ada")})
	w.groupGone("a")
	g := w.groupIn("b", model.StateHeld)
	if !strings.Contains(g.LastError, "1 members whom the hub did not put there") || w.groups()["b"] == nil {
		t.Errorf("%q, %v", g.LastError, w.groups())
	}
	change, _, _ := newGroupDiffer(w.target, groupProfile(t, w.target)).change(g)
	w.groupTx(func(tx *store.Tx) error {
		return tx.ReleaseGroups("git", "ops", []store.GroupApproval{{Group: "b", Digest: Digest("git", change)}})
	})
	w.groupGone("b")
	if len(w.groups()) != 0 {
		t.Errorf("left at the target: %v", w.groups())
	}
}

// A filter that is mistyped must not remove all groups at once.
func TestGroupRemovalStopsAtTheGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) {
		t.Groups.Remove = "delete"
		t.Guard = model.Guard{Percent: 0, Floor: 2, Window: time.Hour}
		t.Rate.Concurrency = 1
	}, "")
	list := []string{"a", "b", "c", "d", "e"}
	w.grant(list...)
	w.start()
	for _, name := range list {
		w.groupIn(name, model.StateInSync)
	}
	for _, name := range list {
		w.ungrant(name)
	}
	held := 0
	w.until("three held", func(map[string]model.AccountRow) bool {
		held = 0
		for _, name := range list {
			if g := w.group(name); g.State == string(model.StateHeld) && strings.Contains(g.LastError, "removal 3 of at most 2") {
				held++
			}
		}
		return held == 3
	})
	if n := len(w.groups()); n != 3 {
		t.Errorf("%d groups left, want 3", n)
	}
}

func TestGroupsAtApplicationWithoutThem(t *testing.T) {
	t.Parallel()
	asked := 0
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/Groups") {
			asked++
		}
		a.Handler().ServeHTTP(rw, req)
	}), func(t *model.Target) { t.Overrides = map[string]any{"resource_types": []any{"User"}} })
	w.grant("eng")
	w.start()
	w.want(model.AccountRow{Identity: "i1", Desired: account("ada", "eng")})
	rows := w.allIn(model.StateHeld)
	g := w.groupIn("eng", model.StateHeld)
	if g.LastError != heldNoGroups || rows["i1"].LastError != heldNoGroups || asked != 0 {
		t.Errorf("%q, %q, %d requests about groups", g.LastError, rows["i1"].LastError, asked)
	}
	if w.users()["ada"]["active"] != true {
		t.Error("the account itself waits for what cannot be")
	}
}

// A target that answers a create and whose answer is lost has the group once.
func TestGroupCreatedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Groups.Adopt = "never" }, "reset-after:60%")
	list := []string{"a", "b", "c", "d", "e", "f"}
	w.grant(list...)
	w.start()
	w.until("tried", func(map[string]model.AccountRow) bool {
		return slices.ContainsFunc(list, func(n string) bool { return w.group(n).Attempts > 0 })
	})
	if err := w.app.SetFaults(""); err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		if g := w.groupIn(name, model.StateInSync); g.Owned != model.OwnedCreated {
			t.Errorf("%s: %+v", name, g)
		}
	}
	if diff := cmp.Diff(list, groupTitles(w.groups())); diff != "" {
		t.Error(diff)
	}
}
