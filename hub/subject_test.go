package hub_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/casbin/casbin/v2"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestExportAnswersAsTheHub: a plain Casbin enforcer that is given the people of the
// hub as subjects says what the hub stored of them.
func TestExportAnswersAsTheHub(t *testing.T) {
	t.Parallel()
	const rules = oneSource + `identity: {leave: {when: 'user.nickName == "away"'}}
`
	each(t, rules, func(w *world) {
		w.person("ann", "title", "Engineer")
		w.person("bob", "title", "Engineer", "userType", "contractor")
		w.person("cid", "active", false)
		w.person("dan", "active", false, "title", "Engineer", "nickName", "away")
		w.person("eve", "emails", []any{map[string]any{"value": "eve@docs.example"}})
		member := w.person("fay")
		w.team("team", member.ID)
		w.evaluate()
		snap := w.Snapshot()
		x, err := snap.Policy.Casbin()
		if err != nil || len(x.Left) > 0 {
			w.t.Fatal(err, x.Left)
		}
		dir := w.t.TempDir()
		conf, csv := filepath.Join(dir, "model.conf"), filepath.Join(dir, "policy.csv")
		for file, text := range map[string]string{conf: x.Model, csv: x.Policy} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
		enforcer, err := casbin.NewEnforcer(conf, csv)
		if err != nil {
			w.t.Fatal(err)
		}
		ids, err := w.Store.IdentityIDs(w.t.Context(), "", 100)
		if err != nil || len(ids) != 6 {
			w.t.Fatal(ids, err)
		}
		var judged []hub.Judged
		err = w.Store.View(w.t.Context(), func(tx *store.Tx) (err error) {
			judged, err = w.Judge(tx, snap, ids)
			return err
		})
		if err != nil || len(judged) != len(ids) {
			w.t.Fatal(judged, err)
		}
		stages, answers := map[model.Stage]int{}, map[bool]int{}
		for _, j := range judged {
			stages[j.Stage]++
			var subject map[string]any
			body, err := json.Marshal(x.Subject(j.Identity, j.Asked, j.Present))
			if err == nil {
				err = json.Unmarshal(body, &subject)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			for _, role := range snap.Policy.Roles() {
				got, err := enforcer.Enforce(subject, role)
				want := slices.Contains(w.state(j.Identity.ID).roles, role)
				if err != nil || got != want {
					w.t.Errorf("%s %s: Casbin says %v, %v; the hub %v", j.Identity.Name(), role, got, err, want)
				}
				answers[got]++
			}
		}
		if stages[model.Active] != 4 || stages[model.Leave] != 1 || stages[model.Leaver] != 1 || answers[true] < 6 || answers[false] < 6 {
			w.t.Errorf("stages %v, answers %v", stages, answers)
		}
	})
}
