package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// groupsOf lists "group type" of a user, as GET shows them.
func (w *world) groupsOf(user string) []string {
	w.t.Helper()
	r, err := w.Get(ctxOf(w), by("hr"), w.user, user, scim.Fields{})
	if err != nil {
		w.t.Fatal(err)
	}
	return groupTypes(r)
}

func groupTypes(r scim.Resource) []string {
	list, _ := r.Attrs["groups"].([]any)
	out := []string{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		out = append(out, fmt.Sprint(m["display"], " ", m["type"]))
	}
	slices.Sort(out)
	return out
}

// TestNestedGroups: who is in a group of a group is in both; rules see it, and every
// change of the way there is noticed.
func TestNestedGroups(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		inner := w.team("inner", ada.ID)
		outer := w.team("team", inner.ID, bob.ID)
		person := w.identityOf(ada.ID)
		want := func(when string, groups ...string) {
			w.t.Helper()
			if diff := cmp.Diff(append([]string{}, groups...), w.groupsOf(ada.ID)); diff != "" {
				w.t.Errorf("groups %s:\n%s", when, diff)
			}
			if !slices.Contains(w.marked(), person) {
				w.t.Errorf("%s nobody marked ada", when)
			}
			w.evaluate()
			inTeam := slices.ContainsFunc(groups, func(g string) bool { return strings.HasPrefix(g, "team ") })
			if has := slices.Contains(w.state(person).roles, "team"); has != inTeam {
				w.t.Errorf("%s the rule about the group says %t", when, has)
			}
		}
		want("nested", "inner direct", "team indirect")
		w.patch(w.group, outer.ID, `[{"op":"replace","path":"displayName","value":"crew"}]`)
		want("after the outer group's new name", "crew indirect", "inner direct")
		w.patch(w.group, outer.ID, `[{"op":"replace","path":"displayName","value":"team"}]`)
		want("after its old name", "inner direct", "team indirect")
		w.patch(w.group, outer.ID, `[{"op":"remove","path":"members[value eq \"`+inner.ID+`\"]"}]`)
		want("without the inner group", "inner direct")
		w.patch(w.group, outer.ID, `[{"op":"add","path":"members","value":[{"value":"`+inner.ID+`"}]}]`)
		want("with it again", "inner direct", "team indirect")
		w.patch(w.group, inner.ID, `[{"op":"add","path":"members","value":[{"value":"`+outer.ID+`"}]}]`) // a circle
		want("in a circle", "inner direct", "team indirect")
		changed := w.patch(w.user, ada.ID, `[{"op":"replace","path":"title","value":"x"}]`)
		if diff := cmp.Diff([]string{"inner direct", "team indirect"}, groupTypes(changed)); diff != "" {
			w.t.Errorf("groups in the answer to PATCH:\n%s", diff)
		}
		page, err := w.List(ctxOf(w), by("hr"), w.user, scim.Query{StartIndex: 1, Count: 5})
		if err != nil || len(page.Resources) != 2 || !slices.Equal(groupTypes(page.Resources[0]), []string{"inner direct", "team indirect"}) {
			w.t.Errorf("groups in a list: %v %v", page, err)
		}
		w.evaluate()
		w.remove("hr", w.group, inner.ID)
		want("after the inner group was deleted")
		if g, err := w.Get(ctxOf(w), by("hr"), w.group, outer.ID, scim.Fields{}); err != nil || len(members(g)) != 1 || g.Meta.Version != 6 {
			w.t.Errorf("the outer group is %v, version %d, %v", members(g), g.Meta.Version, err)
		}
	})
}

// TestLeavingMovesGroups: whoever is deleted is no member any more, and the groups
// have other versions.
func TestLeavingMovesGroups(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		one, two, other := w.team("one", ada.ID, bob.ID), w.team("two", ada.ID), w.team("other", bob.ID)
		w.clock.Add(1e9)
		w.remove("hr", w.user, ada.ID)
		for _, tt := range []struct {
			id      string
			version int64
			members int
		}{{one.ID, 2, 1}, {two.ID, 2, 0}, {other.ID, 1, 1}} {
			g, err := w.Get(ctxOf(w), by("hr"), w.group, tt.id, scim.Fields{})
			if err != nil || g.Meta.Version != tt.version || len(members(g)) != tt.members || g.Meta.LastModified.Equal(g.Meta.Created) != (tt.version == 1) {
				w.t.Errorf("%v: version %d, %d members, %v", g.Attrs["displayName"], g.Meta.Version, len(members(g)), err)
			}
		}
	})
}

// TestJoinsBelow: somebody joins a group deep down while one above it is nested into
// another: whoever comes last marks them.
func TestJoinsBelow(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		if !w.Store.Postgres() {
			w.t.Skip("one writer at a time")
		}
		ada := w.person("ada")
		deep := w.team("deep")
		inner, outer := w.team("inner", deep.ID), w.team("team")
		w.evaluate()
		nested := make(chan error, 1)
		err := w.Store.Update(ctxOf(w), func(tx *store.Tx) error {
			held, err := tx.ResourceForUpdate("hr", w.group, deep.ID, nil, false, scim.Fields{})
			if err != nil {
				return err
			}
			go func() {
				_, err := w.tryPatch(w.group, outer.ID, `[{"op":"add","path":"members","value":[{"value":"`+inner.ID+`"}]}]`)
				nested <- err
			}()
			select {
			case err := <-nested:
				nested <- err
			case <-time.After(200 * time.Millisecond): // it waits
			}
			held.Resource.Meta.Version++
			return tx.ModifyResource(store.ResourceWrite{Source: "hr", Type: w.group, Action: "modify", Resource: held.Resource,
				Before: held.Resource.Attrs, Joined: []store.Member{{ID: ada.ID, Type: "User"}}}) // marks would hide the other's
		})
		if err := errors.Join(err, <-nested); err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff([]string{w.identityOf(ada.ID)}, w.marked()); diff != "" {
			w.t.Errorf("marked:\n%s", diff)
		}
	})
}

// TestLeavingElsewhere: whoever is deleted at one source is none of the business of a
// group of another that happens to name the id.
func TestLeavingElsewhere(t *testing.T) {
	t.Parallel()
	each(t, twoSources, func(w *world) {
		eve := w.create("okta", w.user, map[string]any{"userName": "eve"})
		foreign := w.create("okta", w.group, map[string]any{"displayName": "theirs", "members": memberList(eve.ID)})
		g := w.team("ours", eve.ID, foreign.ID)
		w.remove("okta", w.user, eve.ID)
		w.remove("okta", w.group, foreign.ID)
		got, err := w.Get(ctxOf(w), by("hr"), w.group, g.ID, scim.Fields{})
		if err != nil || got.Meta.Version != 1 || len(members(got)) != 2 {
			w.t.Errorf("the other source's group: version %d, %d members, %v", got.Meta.Version, len(members(got)), err)
		}
	})
}

// TestReferences: members that exist are told what they are; those that do not are
// kept, and refused where the dialect is strict.
func TestReferences(t *testing.T) {
	t.Parallel()
	each(t, twoSources, func(w *world) {
		ada, inner, foreign := w.person("ada"), w.team("inner"), w.create("okta", w.user, map[string]any{"userName": "eve"})
		g := w.team("team", ada.ID, inner.ID, "nobody", foreign.ID)
		read, err := w.Get(ctxOf(w), by("hr"), w.group, g.ID, scim.Fields{})
		if err != nil {
			w.t.Fatal(err)
		}
		kinds := func(r scim.Resource) map[string]any {
			out := map[string]any{}
			for _, e := range members(r) {
				m, _ := e.(map[string]any)
				out[m["value"].(string)] = m["type"]
			}
			return out
		}
		want := map[string]any{ada.ID: "User", inner.ID: "Group", "nobody": nil, foreign.ID: nil}
		if diff := cmp.Diff(want, kinds(g)); diff != "" {
			w.t.Errorf("answered:\n%s", diff)
		}
		if diff := cmp.Diff(want, kinds(read)); diff != "" {
			w.t.Errorf("read:\n%s", diff)
		}
		again := w.patch(w.group, g.ID, `[{"op":"replace","path":"members","value":[{"value":"`+ada.ID+`"},{"value":"`+inner.ID+`"},{"value":"nobody"},{"value":"`+foreign.ID+`"}]}]`)
		if again.Meta.Version != 1 {
			w.t.Error("the same members again are a change")
		}

		strict := by("hr")
		strict.StrictReferences = true
		refused := func(what string, err error, id string) {
			w.t.Helper()
			if e, ok := scim.AsError(err); !ok || e.Status != 400 || e.Type != scim.InvalidValue || !strings.Contains(e.Detail, id) {
				w.t.Errorf("%s: %v", what, err)
			}
		}
		for _, id := range []string{"nobody", foreign.ID} {
			_, err = w.Create(ctxOf(w), strict, w.group, map[string]any{"displayName": "x", "members": memberList(ada.ID, id)})
			refused("a group with "+id, err, id)
		}
		add := scim.Change{Patch: patchOf(w, `[{"op":"add","path":"members","value":[{"value":"missing"}]}]`)}
		_, err = w.Modify(ctxOf(w), strict, w.group, g.ID, always, add, scim.Fields{})
		refused("a new member", err, "missing")
		boss := func(id string) map[string]any {
			return map[string]any{"userName": "u-" + id, scim.URNEnterprise: map[string]any{"manager": map[string]any{"value": id}}}
		}
		_, err = w.Create(ctxOf(w), strict, w.user, boss("missing"))
		refused("a manager", err, "missing")
		_, err = w.Create(ctxOf(w), strict, w.user, boss(inner.ID))
		refused("a group as manager", err, inner.ID)
		u, err := w.Create(ctxOf(w), strict, w.user, boss(ada.ID))
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = w.Modify(ctxOf(w), strict, w.user, u.ID, always, scim.Change{Replace: boss("missing")}, scim.Fields{})
		refused("another manager", err, "missing")
		_, err = w.Create(ctxOf(w), by("hr"), w.group, map[string]any{"displayName": "x", "members": memberList(strings.Repeat("x", 3000))})
		refused("an id that nobody can have", err, "members")
		if _, err := w.Create(ctxOf(w), by("hr"), w.user, boss("later")); err != nil {
			w.t.Errorf("a manager who comes later: %v", err)
		}
	})
}

// TestUniqueGroupNames: where the dialect asks for it, and only there.
func TestUniqueGroupNames(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.team("Old")
		w.team("old")
		entra := by("hr")
		entra.UniqueGroupNames = true
		group := func(name string) (scim.Resource, error) {
			return w.Create(ctxOf(w), entra, w.group, map[string]any{"displayName": name})
		}
		first, err := group("Payroll")
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = group("payROLL")
		if e, ok := scim.AsError(err); !ok || e.Status != 409 || e.Type != scim.Uniqueness || !strings.HasPrefix(e.Detail, "displayName:") {
			w.t.Errorf("a second group of one name: %v", err)
		}
		second, err := group("Sales")
		if err != nil {
			w.t.Fatal(err)
		}
		rename := func(id, name string) error {
			_, err := w.Modify(ctxOf(w), entra, w.group, id, always, scim.Change{Patch: patchOf(w, `[{"op":"replace","path":"displayName","value":"`+name+`"}]`)}, scim.Fields{})
			return err
		}
		if err := rename(second.ID, "PAYROLL"); status(err) != 409 {
			w.t.Errorf("renamed to a taken name: %v", err)
		}
		if err := rename(first.ID, "PAYROLL"); err != nil {
			w.t.Errorf("renamed to its own name in other letters: %v", err)
		}
		w.remove("hr", w.group, first.ID)
		if err := rename(second.ID, "payroll"); err != nil {
			w.t.Errorf("renamed to a name that is free: %v", err)
		}
	})
}

// TestMembersTogether: members that many add and remove at once are all there, and
// all gone.
func TestMembersTogether(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		const writers = 50
		before := make([]string, writers)
		for i := range before {
			before[i] = fmt.Sprintf("old%02d", i)
		}
		g := w.team("team", before...)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for _, operations := range []string{
					fmt.Sprintf(`[{"op":"add","path":"members","value":[{"value":"new%02d"}]}]`, i),
					fmt.Sprintf(`[{"op":"remove","path":"members[value eq \"old%02d\"]"}]`, i),
				} {
					if _, err := w.tryPatch(w.group, g.ID, operations); err != nil {
						w.t.Errorf("%s: %v", operations, err)
					}
				}
			})
		}
		wg.Wait()
		read, err := w.Get(ctxOf(w), by("hr"), w.group, g.ID, scim.Fields{})
		if err != nil {
			w.t.Fatal(err)
		}
		if read.Meta.Version != 1+2*writers || len(members(read)) != writers {
			w.t.Errorf("version %d, %d members", read.Meta.Version, len(members(read)))
		}
		for _, e := range members(read) {
			if m, _ := e.(map[string]any); !strings.HasPrefix(fmt.Sprint(m["value"]), "new") {
				w.t.Errorf("%v is still there", m)
			}
		}
	})
}

// TestOneOfMany: of a hundred who create one name at once, one does.
func TestOneOfMany(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string]string{"one source": oneSource, "more sources": twoSources} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, configuration, func(w *world) {
				const writers = 100
				results := make([]int, writers)
				var wg sync.WaitGroup
				for i := range writers {
					wg.Go(func() {
						name := "Ada"
						if i%2 == 1 {
							name = "aDA"
						}
						_, err := w.Create(ctxOf(w), hub.Actor{Source: "hr"}, w.user, map[string]any{"userName": name})
						switch {
						case err == nil:
							results[i] = 201
						case status(err) == 409:
							results[i] = 409
						default:
							w.t.Error(err)
						}
					})
				}
				wg.Wait()
				slices.Sort(results)
				if results[0] != 201 || results[1] != 409 {
					w.t.Errorf("%v", results)
				}
				if n := w.db.Int(w.t, `SELECT count(*) FROM identities`); n != 1 {
					w.t.Errorf("%d people of one name", n)
				}
			})
		})
	}
}
