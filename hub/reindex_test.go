package hub_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

const formerURN = "urn:acme:former:2.0:User"

// formerFiles are an extension with something secret, and the type that has it.
func formerFiles(name string) ([]byte, error) {
	if name == "ext.json" {
		return json.Marshal(map[string]any{"id": formerURN, "name": "Former", "attributes": []any{
			map[string]any{"name": "badge", "type": "string"},
			map[string]any{"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"}}})
	}
	return json.Marshal([]any{map[string]any{"id": "User", "name": "User", "endpoint": "/Users", "schema": scim.URNUser,
		"schemaExtensions": []any{map[string]any{"schema": formerURN, "required": false}}}})
}

// TestSchemaTakenAway: what a schema defined that is no more in the configuration is
// kept, but never passed on, for it may be what the schema said is never returned.
func TestSchemaTakenAway(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		activate := func(text string) *scim.ResourceType {
			w.t.Helper()
			snap, err := hub.Compile(1, "hub.yaml", config.Bundle([]byte(text), formerFiles), nil)
			if err != nil {
				w.t.Fatal(err)
			}
			w.Activate(snap)
			if err := w.LearnIndexed(ctxOf(w)); err != nil {
				w.t.Fatal(err)
			}
			u, _ := snap.Doc.Registry.Type("User")
			return u
		}
		passed := func(u *scim.ResourceType, id string) bool {
			w.t.Helper()
			want := scim.Fields{PassOn: true}
			r, err := w.Get(ctxOf(w), by("hr"), u, id, want)
			if err != nil {
				w.t.Fatal(err)
			}
			page, err := w.List(ctxOf(w), by("hr"), u, scim.Query{StartIndex: 1, Count: 9, Fields: want})
			if err != nil || (page.Resources[0].Encoded != nil) != (r.Encoded != nil) {
				w.t.Errorf("a list differs: %v, %v", page, err)
			}
			if shown := u.Render(r, "", scim.Fields{}); r.Encoded == nil && len(shown["schemas"].([]any)) != 1 {
				w.t.Errorf("shown %v", shown)
			}
			return r.Encoded != nil
		}
		rounds := func(want bool) {
			w.t.Helper()
			if differed, err := w.Reindex(ctxOf(w), time.Time{}); err != nil || differed != want {
				w.t.Errorf("differed %t, %v", differed, err)
			}
			if _, err := w.Reindex(ctxOf(w), w.clock.Now().Add(-time.Minute)); err != nil {
				w.t.Error(err)
			}
		}
		plain := activate(oneSource)
		ada := w.person("ada")
		if !passed(plain, ada.ID) {
			w.t.Error("not passed on, though nothing was ever configured otherwise")
		}
		own := activate(oneSource + "schemas: [ext.json]\nresource_types: [rt.json]\n")
		rounds(true)
		_, err := w.Modify(ctxOf(w), by("hr"), own, ada.ID, always, scim.Change{Replace: map[string]any{"schemas": []any{scim.URNUser, formerURN},
			"userName": "ada", formerURN: map[string]any{"badge": "B1", "pin": "s3cret"}}}, scim.Fields{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, when := range []string{"before", "after"} {
			if plain = activate(oneSource); passed(plain, ada.ID) {
				w.t.Errorf("passed on %s it was indexed anew", when)
			}
			rounds(when == "before")
		}
		put := scim.Change{Replace: map[string]any{"schemas": []any{scim.URNUser}, "userName": "ada"}}
		if _, err := w.Modify(ctxOf(w), by("hr"), plain, ada.ID, always, put, scim.Fields{}); err != nil {
			w.t.Fatal(err)
		}
		activate(oneSource + "schemas: [ext.json]\nresource_types: [rt.json]\n")
		rounds(true)
		plain = activate(oneSource)
		rounds(true)
		if !passed(plain, ada.ID) {
			w.t.Error("not passed on, though nothing is left of it")
		}
	})
}
