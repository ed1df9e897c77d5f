package hub_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// exportAll is everybody, by way of the text of a file.
func (w *world) exportAll() (out []hub.Known) {
	w.t.Helper()
	ids, err := w.Store.IdentityIDs(w.t.Context(), "", 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.Store.View(w.t.Context(), func(tx *store.Tx) error {
		people, err := w.Export(tx, w.Snapshot(), ids)
		for _, p := range people {
			line, err := json.Marshal(p)
			if err != nil {
				return err
			}
			k, err := hub.ParseExported(line)
			if err != nil {
				return err
			}
			out = append(out, k)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestExportedPeople: of exported people the same is decided as of those in the
// database, under the same configuration and under another.
func TestExportedPeople(t *testing.T) {
	t.Parallel()
	other := strings.Replace(oneSource, `user.title == "Engineer"`, `user.title == "Writer"`, 1)
	each(t, oneSource, func(w *world) {
		a := w.person("ada", "title", "Engineer", scim.URNEnterprise, map[string]any{"department": "R&D", "employeeNumber": "17"},
			"emails", []any{map[string]any{"value": "ada@docs.example", "primary": true}})
		w.person("bob", "title", "Writer", "userType", "contractor")
		gone := w.person("eve", "title", "Engineer")
		w.team("team", a.ID)
		w.evaluate()
		w.remove("hr", w.user, gone.ID)
		w.evaluate()
		for _, k := range w.exportAll() {
			p := hub.PlanOne(w.Snapshot(), k, w.clock.Now())
			if !p.Effect.Empty() {
				w.t.Errorf("%s: under the same configuration %+v", k.Row.Name, p.Effect)
			}
		}
		next, err := hub.Compile(2, "hub.yaml", []byte(other), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		ids, _ := w.Store.IdentityIDs(w.t.Context(), "", 1000)
		effects := map[string]string{}
		err = w.Store.View(w.t.Context(), func(tx *store.Tx) error {
			planned, err := w.DecideAll(tx, next, ids)
			for _, p := range planned {
				effects[p.Effect.Identity] = jsonText(w.t, p.Effect)
			}
			return err
		})
		if err != nil || len(effects) != 3 {
			w.t.Fatalf("%d effects: %v", len(effects), err)
		}
		for _, k := range w.exportAll() {
			if got := jsonText(w.t, hub.PlanOne(next, k, w.clock.Now()).Effect); got != effects[k.Row.ID] {
				w.t.Errorf("%s: exported\n%s\nin the database\n%s", k.Row.Name, got, effects[k.Row.ID])
			}
		}
	})
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBadExports: what is no export is refused with a reason.
func TestBadExports(t *testing.T) {
	t.Parallel()
	for _, line := range []string{``, `{}`, `[]`, `null`, `{"id":"x"}`, `{"id":"x","known":{"row":{"ID":"y"}}}`, `{"id":1}`, `{"id":"x","surprise":1}`, strings.Repeat("[", 100_000)} {
		if _, err := hub.ParseExported([]byte(line)); model.CodeOf(err) != model.Invalid {
			t.Errorf("%.40s: %v", line, err)
		}
	}
	for _, line := range []string{``, `{}`, `{"scimhub_people":2}`, `{"scimhub_people":"1"}`, `a: b`} {
		if _, err := hub.ParseExportHead([]byte(line)); model.CodeOf(err) != model.Invalid {
			t.Errorf("%.40s: %v", line, err)
		}
	}
	if head, err := hub.ParseExportHead([]byte(`{"scimhub_people":1,"config_version":3,"at":"2027-01-01T00:00:00Z"}`)); err != nil || head.Version != 3 || !head.At.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v %v", head, err)
	}
}
