package fanout

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// firstGroup is a world whose application has the first request to make a group answered
// by made, which is given what the application would do.
func firstGroup(t *testing.T, made func(w *world, answer http.HandlerFunc) http.HandlerFunc) *world {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	var once sync.Once
	w = worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := a.Handler().ServeHTTP
		if r.Method == http.MethodPost && r.URL.Path == app.Prefix+"/Groups" {
			once.Do(func() { answer = made(w, answer) })
		}
		answer(rw, r)
	}), nil)
	return w
}

// The answer to the creation of a group is lost, and before it is looked for it gets
// another name: it is found under the name it was made by, and there is one group.
func TestLostGroupIsRenamed(t *testing.T) {
	t.Parallel()
	w := firstGroup(t, func(w *world, answer http.HandlerFunc) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			answer(httptest.NewRecorder(), r)
			w.retitle("old", "new")
			panic(http.ErrAbortHandler) // the answer is lost
		}
	})
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

// While a group is being made it gets another name, and somebody is to be in it under
// that one: whoever puts them in waits for the one who makes it. There is one group.
func TestGroupRenamedWhileItIsMade(t *testing.T) {
	t.Parallel()
	w := firstGroup(t, func(w *world, answer http.HandlerFunc) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			w.retitle("old", "new")
			w.want(model.AccountRow{Identity: "id-p", Desired: account("p", "new")})
			over := time.Now().Add(time.Second) // whoever does not wait has made another one by then
			for w.app.Stats().Kinds["group.create"] == 0 && time.Now().Before(over) {
				<-time.After(5 * time.Millisecond)
			}
			answer(rw, r)
		}
	})
	w.grant("old")
	w.start()
	w.until("it has its new name, and its member", func(rows map[string]model.AccountRow) bool {
		g := w.group("new")
		return g.Applied == "new" && !g.Due && rows["id-p"].State == model.StateInSync
	})
	if got := w.groups(); len(got) != 1 || memberCount(got["new"]) != 1 {
		t.Errorf("groups %v", got)
	}
}
