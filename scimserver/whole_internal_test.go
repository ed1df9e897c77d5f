package scimserver

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
)

// TestWhole: the quick way of writing a resource says what the usual way says.
func TestWhole(t *testing.T) {
	t.Parallel()
	user, _ := scim.DefaultRegistry().Type("User")
	at := time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC)
	for name, r := range map[string]scim.Resource{
		"plain":       {ID: "a1", Encoded: []byte(`{"schemas":["s"],"userName":"mira"}`), Meta: scim.Meta{Created: at, LastModified: at, Version: 7}},
		"empty":       {ID: "a1", Encoded: []byte(`{}`), Meta: scim.Meta{Created: at, LastModified: at}},
		"no times":    {ID: "a1", Encoded: []byte(`{"userName":"mira"}`)},
		"strange ids": {ID: "a/ü \"<\x01>", Encoded: []byte(`{"userName":"mira"}`)},
	} {
		for _, base := range []string{"http://hub.test/scim/v2", "http://hub.test/\"x\"/ü"} {
			quick, err := appendJSON(nil, whole{user, r, base})
			if err != nil {
				t.Fatal(err)
			}
			rest := user.Render(r, base, scim.Fields{})
			delete(rest, "schemas")
			usual, err := appendJSON(nil, passedOn{r.Encoded, rest})
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(quick, &got); err != nil {
				t.Fatalf("%s: %v: %s", name, err, quick)
			}
			if err := json.Unmarshal(usual, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}
