package proxy

import (
	"testing"

	"github.com/scimhub/scimhub/model/scim"
)

// An application whose dates are whole seconds changes more than once in a second.
func TestVersionsTellStatesApart(t *testing.T) {
	t.Parallel()
	user, _ := scim.DefaultRegistry().Type("User")
	doc := func(name string, more ...string) map[string]any {
		d := map[string]any{"id": "1", "userName": "a@ex.com", "displayName": name, "meta": map[string]any{"lastModified": "2026-11-23T08:48:36Z"}}
		for _, m := range more {
			d[m] = []any{map[string]any{"value": "7"}}
		}
		return d
	}
	version := func(d map[string]any) int64 { return shown(user, "1", d).Meta.Version }
	again := version(doc("A"))
	switch {
	case version(doc("A")) == version(doc("B")):
		t.Error("two states have the same version")
	case version(doc("A")) != again:
		t.Error("one state has two versions")
	case version(doc("A")) != version(doc("A", "groups", "members")):
		t.Error("what is not always asked for changes the version")
	case version(doc("A")) <= 0:
		t.Errorf("the version is %d", version(doc("A")))
	}
}
