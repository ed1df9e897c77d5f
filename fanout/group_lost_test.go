package fanout

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// The answer to the creation of a group is lost, and before it is looked for it gets
// another name: it is found under the name it was made by, and there is one group.
func TestLostGroupIsRenamed(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	var once sync.Once
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != app.Prefix+"/Groups" {
			a.Handler().ServeHTTP(rw, r)
			return
		}
		lost := false
		once.Do(func() {
			lost = true
			a.Handler().ServeHTTP(httptest.NewRecorder(), r)
			w.retitle("old", "new")
		})
		if lost {
			panic(http.ErrAbortHandler) // the answer is lost
		}
		a.Handler().ServeHTTP(rw, r)
	})
	w = worldWith(t, a, handler, nil)
	w.grant("old")
	w.start()
	w.until("it has its new name", func(map[string]model.AccountRow) bool {
		g := w.group("new")
		return g.State == string(model.StateInSync) && !g.Due && g.Applied == "new"
	})
	if got := groupTitles(w.groups()); !slices.Equal(got, []string{"new"}) {
		t.Errorf("groups %q", got)
	}
	if g := w.group("new"); g.Owned != model.OwnedCreated {
		t.Errorf("owned %q", g.Owned)
	}
}
