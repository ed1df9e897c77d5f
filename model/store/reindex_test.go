package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestReindex: a schema that says something else of attributes holds for what was
// stored before, too.
func TestReindex(t *testing.T) {
	t.Parallel()
	typ := func(code scim.Attribute) *scim.ResourceType {
		code.Name = "code"
		acme := &scim.Schema{ID: "urn:acme:changing:2.0:User", Name: "Changing", Attributes: []*scim.Attribute{&code}}
		r, err := scim.NewRegistry(&scim.ResourceType{Name: "User", Endpoint: "/Users", Schema: userType(t).Schema, Extensions: []scim.Extension{{Schema: acme}}})
		if err != nil {
			t.Fatal(err)
		}
		u, _ := r.Type("User")
		return u
	}
	loose, exact, unique := typ(scim.Attribute{}), typ(scim.Attribute{CaseExact: true}), typ(scim.Attribute{Uniqueness: "server"})
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		user := func(rt *scim.ResourceType, id, code string) store.ResourceWrite {
			w := newUser(t, id, id, map[string]any{"urn:acme:changing:2.0:User": map[string]any{"code": code}})
			w.Type = rt
			return w
		}
		update(t, db, func(tx *store.Tx) error {
			for i := range 450 { // more than a batch
				if err := tx.CreateResource(user(loose, numbered("u", i), numbered("Code", i))); err != nil {
					return err
				}
			}
			return nil
		})
		create(t, db, user(loose, "v1", "Twice"), user(loose, "v2", "twice"))
		find := func(rt *scim.ResourceType, code string, want ...string) {
			t.Helper()
			f := filterOf(t, rt, `urn:acme:changing:2.0:User:code eq "`+code+`"`)
			if ids, _ := list(t, db, "hr", rt, scim.Query{Filter: f, StartIndex: 1, Count: 9}); !slices.Equal(ids, want) {
				t.Errorf("%s finds %v, want %v", code, ids, want)
			}
		}
		reindex := func(rt *scim.ResourceType, want int) {
			t.Helper()
			if done, err := db.Reindex(t.Context(), rt, time.Time{}); err != nil || done != (store.Reindexed{Taken: want}) {
				t.Errorf("%+v, want %d taken, %v", done, want, err)
			}
		}
		find(loose, "code000444", "u000444")
		reindex(exact, 0)
		find(exact, "code000444")
		find(exact, "Code000444", "u000444")
		reindex(unique, 1)
		reindex(unique, 1) // still
		find(unique, "TWICE", "v1", "v2")
		for _, code := range []string{"code000444", "tWICE"} {
			if attr, ok := asTaken(db.CreateResource(t.Context(), user(unique, "new", code))); !ok || attr != "urn:acme:changing:2.0:User:code" {
				t.Errorf("%s was given twice", code)
			}
		}
		reindex(loose, 0)
		create(t, db, user(loose, "new", "code000444"))
	})
}

// TestReindexNames: users whose names an earlier program made keys of in another way
// are found, and kept apart from others, as if they were written now.
func TestReindexNames(t *testing.T) {
	t.Parallel()
	rt := userType(t)
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		long := strings.Repeat("L", 300)
		create(t, db, newUser(t, "u1", "İx", map[string]any{"externalId": strings.Repeat("e", 300)}), newUser(t, "u2", long, nil), newUser(t, "u3", "held", nil), newUser(t, "u4", "ada", nil))
		db.Exec(t, `UPDATE resources SET key = 'ix', external_id = '' WHERE id = 'u1'`)
		db.Exec(t, `UPDATE resources SET key = ? WHERE id = 'u2'`, strings.ToLower(long))
		db.Exec(t, `UPDATE resources SET key = 'other' WHERE id = 'u3'`)
		db.Exec(t, `UPDATE resources SET key = 'held' WHERE id = 'u4'`) // somebody has it: both stay
		if done, err := db.Reindex(t.Context(), rt, time.Time{}); err != nil || done.Taken != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		for name, id := range map[string]string{"İx": "u1", long: "u2"} {
			if ids, _ := list(t, db, "hr", rt, scim.Query{Filter: filterOf(t, rt, `userName eq "`+name+`"`), StartIndex: 1, Count: 9}); !slices.Equal(ids, []string{id}) {
				t.Errorf("%.10s finds %v", name, ids)
			}
			if attr, ok := asTaken(db.CreateResource(t.Context(), newUser(t, "new", name, nil))); !ok || attr != "userName" {
				t.Errorf("%.10s was given twice", name)
			}
		}
		if n := db.Int(t, `SELECT count(*) FROM resources WHERE external_id = ''`); n != 3 {
			t.Errorf("%d without externalId", n)
		}
	})
}
