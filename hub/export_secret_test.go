package hub_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

const neverReturned = `[{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": "urn:acme:ext:1.0:User", "name": "Acme", "attributes": [
  {"name": "ssn", "type": "string", "returned": "never"},
  {"name": "badge", "type": "string"},
  {"name": "card", "type": "complex", "subAttributes": [{"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"}, {"name": "no", "type": "string"}]}]}]`

// TestNeverReturned: what a source gives never to be returned is neither in files of
// people nor in the history.
func TestNeverReturned(t *testing.T) {
	t.Parallel()
	text := config.Bundle([]byte(strings.Replace(oneSource, "sources:", "schemas: [ext.json]\nsources:", 1)),
		func(string) ([]byte, error) { return []byte(neverReturned), nil })
	each(t, string(text), func(w *world) {
		w.user, _ = w.Snapshot().Doc.Registry.Type("User")
		ada := w.person("ada", "title", "Engineer", "password", "pass-word-1", "urn:acme:ext:1.0:User",
			map[string]any{"ssn": "secret-ssn", "badge": "b17", "card": map[string]any{"pin": "secret-pin", "no": "c42"}})
		w.evaluate()
		w.patch(w.user, ada.ID, `[{"op":"replace","path":"urn:acme:ext:1.0:User:ssn","value":"secret-two"}]`)
		w.evaluate()
		texts := w.db.Strings(t, `SELECT doc FROM identity_history`)
		err := w.Store.View(t.Context(), func(tx *store.Tx) error {
			people, err := w.Export(tx, w.Snapshot(), []string{w.identityOf(ada.ID)})
			body, _ := json.Marshal(people)
			texts = append(texts, string(body))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if strings.Contains(text, "secret-") || strings.Contains(text, "pass-word") || !strings.Contains(text, "b17") || !strings.Contains(text, "c42") {
				t.Errorf("%s", text)
			}
		}
		for _, k := range w.exportAll() {
			if p := hub.PlanOne(w.Snapshot(), k, w.clock.Now()); !p.Effect.Empty() {
				t.Errorf("decided otherwise: %+v", p.Effect)
			}
		}
		if !slices.Contains(w.state(w.identityOf(ada.ID)).roles, "engineer") {
			t.Errorf("%v", w.state(w.identityOf(ada.ID)).roles)
		}
	})
}
