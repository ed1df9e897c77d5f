package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

func TestCreateModifyDelete(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		made := w.person("ada", "title", "Engineer", "password", "s3cret-pw")
		got, err := w.Get(ctxOf(w), by("hr"), w.user, made.ID, scim.Fields{})
		if err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff(made, got); diff != "" {
			w.t.Errorf("answered and stored differ:\n%s", diff)
		}
		changed := w.patch(w.user, made.ID, `[{"op":"replace","path":"title","value":"Chief"},{"op":"replace","path":"password","value":"s3cret-pw"}]`)
		if changed.Attrs["title"] != "Chief" || changed.Meta.Version != 2 {
			w.t.Errorf("after PATCH: %v", changed)
		}
		for _, table := range []string{"resources", "events", "audit", "identities"} {
			column := map[string]string{"resources": "doc || search", "identities": "user_doc"}[table]
			if column == "" {
				column = "data"
			}
			if table == "resources" && w.Store.Postgres() {
				column = "doc || search::text"
			}
			for _, text := range w.db.Strings(w.t, `SELECT `+column+` FROM `+table) {
				if strings.Contains(text, "s3cret") {
					w.t.Errorf("the password is in %s: %s", table, text)
				}
			}
		}
		w.remove("hr", w.user, made.ID)
		if _, err := w.Get(ctxOf(w), by("hr"), w.user, made.ID, scim.Fields{}); status(err) != 404 {
			w.t.Errorf("after DELETE: %v", err)
		}
		actions := w.db.Strings(w.t, `SELECT action FROM audit ORDER BY at, action`)
		slices.Sort(actions)
		if diff := cmp.Diff([]string{"scim.create", "scim.delete", "scim.modify"}, actions); diff != "" {
			w.t.Error(diff)
		}
	})
}

func status(err error) int {
	e, ok := scim.AsError(err)
	if !ok {
		return 0
	}
	return e.Status
}

func TestModifyWithoutEffectWritesNothing(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "title", "Engineer")
		g := w.team("team", u.ID)
		before := w.counts()
		same := w.patch(w.user, u.ID, `[{"op":"replace","path":"title","value":"Engineer"},{"op":"add","path":"active","value":true}]`)
		again := w.patch(w.group, g.ID, `[{"op":"add","path":"members","value":[{"value":"`+u.ID+`"}]},{"op":"remove","path":"members[value eq \"nobody\"]"}]`)
		if same.Meta.Version != 1 || again.Meta.Version != 1 {
			w.t.Errorf("versions %d and %d", same.Meta.Version, again.Meta.Version)
		}
		if after := w.counts(); after != before {
			w.t.Errorf("events, audit entries, generations: %v before, %v after", before, after)
		}
		failed := errors.New("precondition")
		_, err := w.Modify(ctxOf(w), by("hr"), w.user, u.ID, func(scim.Meta) error { return failed }, scim.Change{Replace: map[string]any{"userName": "eve"}}, scim.Fields{})
		if !errors.Is(err, failed) || w.counts() != before {
			w.t.Errorf("a failed precondition: %v, %v", err, w.counts())
		}
	})
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.person("ada")
		bob := w.person("bob")
		before := w.counts()
		_, err := w.Create(ctxOf(w), by("hr"), w.user, map[string]any{"userName": "ADA"})
		_, err2 := w.tryPatch(w.user, bob.ID, `[{"op":"replace","path":"userName","value":"aDa"}]`)
		for _, err := range []error{err, err2} {
			if e, ok := scim.AsError(err); !ok || e.Status != 409 || e.Type != scim.Uniqueness {
				w.t.Errorf("taken userName: %v", err)
			}
		}
		if after := w.counts(); after != before {
			w.t.Errorf("refused writes left something: %v before, %v after", before, after)
		}
		if _, err := w.tryPatch(w.user, "none", `[{"op":"replace","path":"title","value":"x"}]`); status(err) != 404 {
			w.t.Errorf("unknown id: %v", err)
		}
		if err := w.Delete(ctxOf(w), by("okta"), w.user, bob.ID, always); status(err) != 404 {
			w.t.Errorf("another source's: %v", err)
		}
	})
}

// TestMembersMark: a change of members marks those who came and went, a new name
// of the group all, and a change of nothing that counts nobody.
func TestMembersMark(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		var ids, people []string
		for i := range 5 {
			u := w.person(fmt.Sprint("u", i))
			ids, people = append(ids, u.ID), append(people, w.identityOf(u.ID))
		}
		g := w.team("team", ids[0], ids[1], "nobody")
		w.evaluate()
		steps := []struct {
			operations string
			want       []int
		}{
			{`[{"op":"add","path":"members","value":[{"value":"` + ids[2] + `"}]}]`, []int{2}},
			{`[{"op":"remove","path":"members[value eq \"` + ids[0] + `\"]"}]`, []int{0}},
			{`[{"op":"replace","path":"members","value":[{"value":"` + ids[2] + `"},{"value":"` + ids[3] + `"}]}]`, []int{1, 3}},
			{`[{"op":"replace","path":"externalId","value":"x"}]`, nil},
			{`[{"op":"replace","path":"displayName","value":"crew"}]`, []int{2, 3}},
			{`[{"op":"remove","path":"members"}]`, []int{2, 3}},
		}
		for _, s := range steps {
			w.patch(w.group, g.ID, s.operations)
			var want []string
			for _, i := range s.want {
				want = append(want, people[i])
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, w.marked()); diff != "" {
				w.t.Errorf("%s marks (-want +got):\n%s", s.operations, diff)
			}
			w.evaluate()
		}
		w.patch(w.group, g.ID, `[{"op":"add","path":"members","value":[{"value":"`+ids[4]+`"}]}]`)
		w.evaluate()
		w.remove("hr", w.group, g.ID)
		if diff := cmp.Diff([]string{people[4]}, w.marked()); diff != "" {
			w.t.Errorf("delete marks:\n%s", diff)
		}
	})
}

// TestBigGroup: to add one member to 10,000 loads one row, not all.
func TestBigGroup(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		many := make([]string, 10_000)
		for i := range many {
			many[i] = fmt.Sprintf("m%05d", i)
		}
		g := w.team("big", many...)
		u := w.person("ada")
		w.evaluate()
		add := scim.Change{Patch: patchOf(w, `[{"op":"add","path":"members","value":[{"value":"`+u.ID+`"}]}]`)}
		named, all := add.MemberScope()
		if all || !slices.Equal(named, []string{u.ID}) {
			w.t.Fatalf("the change concerns %v, all %v", named, all)
		}
		err := w.Store.Update(ctxOf(w), func(tx *store.Tx) error {
			held, err := tx.ResourceForUpdate("hr", w.group, g.ID, named, all, scim.Fields{Exclude: []scim.Path{{Attr: "members"}}})
			if n := len(members(held.Resource)); n != 0 {
				w.t.Errorf("%d members loaded", n)
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		r, err := w.Modify(ctxOf(w), by("hr"), w.group, g.ID, always, add, scim.Fields{Exclude: []scim.Path{{Attr: "members"}}})
		if err != nil || r.Meta.Version != 2 || len(members(r)) > 1 {
			w.t.Errorf("%d members answered, version %d, %v", len(members(r)), r.Meta.Version, err)
		}
		full, err := w.Get(ctxOf(w), by("hr"), w.group, g.ID, scim.Fields{})
		if err != nil || len(members(full)) != 10_001 {
			w.t.Errorf("%d members stored, %v", len(members(full)), err)
		}
		if diff := cmp.Diff([]string{w.identityOf(u.ID)}, w.marked()); diff != "" {
			w.t.Errorf("marks:\n%s", diff)
		}
	})
}

func patchOf(w *world, operations string) scim.Patch {
	w.t.Helper()
	p, err := scim.ParsePatch([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":`+operations+`}`), w.group, scim.Dialect{})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func members(r scim.Resource) []any {
	list, _ := r.Attrs["members"].([]any)
	return list
}
