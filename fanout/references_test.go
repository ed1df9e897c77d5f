package fanout

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

func TestReferences(t *testing.T) {
	t.Parallel()
	p, err := ProfileNamed("generic")
	if err != nil {
		t.Fatal(err)
	}
	whole := scim.URNEnterprise + ":manager"
	for _, tt := range []struct {
		name  string
		attrs map[string]any
		value string
		with  map[string]any // as id 7 says it
		none  map[string]any
	}{
		{"none", map[string]any{"title": "x"}, "", nil, nil},
		{"empty", map[string]any{managerPath: ""}, "", nil, nil},
		{"value", map[string]any{managerPath: "m", "title": "x"}, "m", map[string]any{managerPath: "7", "title": "x"}, map[string]any{"title": "x"}},
		{"whole", map[string]any{whole: map[string]any{"value": "m", "$ref": "../m", "displayName": "Boss"}}, "m",
			map[string]any{whole: map[string]any{"value": "7", "displayName": "Boss"}}, map[string]any{}},
		{"whole without value", map[string]any{whole: map[string]any{"displayName": "Boss"}}, "", nil, nil},
	} {
		a := model.Account{UserName: "anna", Attrs: tt.attrs}
		refs := p.referencesIn(a)
		if (len(refs) == 1) != (tt.value != "") || len(refs) == 1 && refs[0].value != tt.value {
			t.Errorf("%s: %+v", tt.name, refs)
			continue
		}
		if tt.value == "" {
			continue
		}
		if diff := cmp.Diff(tt.with, referring(a, refs[0], "7").Attrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.none, referring(a, refs[0], "").Attrs); diff != "" {
			t.Errorf("%s left out (-want +got):\n%s", tt.name, diff)
		}
	}
}

// person adds an identity under its own id.
func (w *world) person(ids ...string) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.AddIdentity(id, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func reporting(name, manager string) *model.Account {
	a := account(name)
	a.Attrs[managerPath] = manager
	return a
}

func (w *world) managerOf(userName string) string {
	w.t.Helper()
	ext, _ := w.users()[userName][scim.URNEnterprise].(map[string]any)
	m, _ := ext["manager"].(map[string]any)
	id, _ := m["value"].(string)
	return id
}

// References wait for nobody: they are written when the other account comes, and taken
// away when it goes; circles do no harm, and in the end there is nothing left to do.
func TestWorkerReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Leaver.First = "delete" }, "")
	w.person("anna", "ben", "zoe")
	w.start()
	w.want(model.AccountRow{Identity: "anna", Desired: reporting("anna", "ben")})
	rows := w.allIn(model.StateInSync)
	if got := w.managerOf("anna"); got != "" || rows["anna"].LastError == "" {
		t.Errorf("a manager %q who is not there; the row says %q", got, rows["anna"].LastError)
	}
	w.want(model.AccountRow{Identity: "ben", Desired: reporting("ben", "anna")}, model.AccountRow{Identity: "zoe", Desired: reporting("zoe", "zoe")})
	settled := func(want map[string]string) map[string]model.AccountRow {
		t.Helper()
		return w.until("references are written", func(rows map[string]model.AccountRow) bool {
			for name, manager := range want {
				if rows[name].State != model.StateInSync || rows[name].Due || w.managerOf(name) != rows[manager].RemoteID {
					return false
				}
			}
			return true
		})
	}
	rows = settled(map[string]string{"anna": "ben", "ben": "anna", "zoe": "zoe"})
	if rows["anna"].LastError != "" {
		t.Errorf("the row still says %q", rows["anna"].LastError)
	}
	plan, err := Preview(t.Context(), w.store, w.target, PreviewFacts{Now: time.Now()})
	if err != nil || len(plan.Changes) != 0 {
		t.Errorf("phantom differences: %+v, %v", plan.Changes, err)
	}
	writes := func() int {
		s := w.app.Stats().Requests
		return s[http.MethodPatch]["200"] + s[http.MethodPatch]["204"]
	}
	before := writes()
	w.want(model.AccountRow{Identity: "anna", Desired: reporting("anna", "ben")}) // the same again
	settled(map[string]string{"anna": "ben"})
	if n := writes() - before; n != 0 {
		t.Errorf("%d writes though nothing differs", n)
	}
	w.want(model.AccountRow{Identity: "ben"})
	w.until("ben is gone and nobody refers to him", func(rows map[string]model.AccountRow) bool {
		return rows["ben"].State == model.StateDeleted && rows["anna"].State == model.StateInSync && w.managerOf("anna") == ""
	})
	w.want(model.AccountRow{Identity: "ben", Desired: account("ben")})
	settled(map[string]string{"anna": "ben"})
}
