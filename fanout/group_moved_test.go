package fanout

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// movedWorld is a group "old" with one member at an application; the worker is stopped.
// renameOn has the group called "new" while a request that takes a member out is under
// way.
func movedWorld(t *testing.T, renameOn bool) (*world, *runner, *job, *atomic.Bool) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	var armed atomic.Bool
	w = worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if renameOn && r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") && armed.CompareAndSwap(true, false) {
			w.retitle("old", "new")
		}
		a.Handler().ServeHTTP(rw, r)
	}), nil)
	w.grant("old")
	w.start()
	w.wantMany(1, "old")
	rows := w.allIn(model.StateInSync)
	w.stop()
	r, err := w.worker.newRunner(w.target)
	if err != nil {
		t.Fatal(err)
	}
	j := &job{mark: &claim{}, out: func(*job) {}}
	for _, row := range rows {
		j.row = row
	}
	desired := *j.row.Desired
	desired.Groups = []string{"new"}
	j.row.Desired = &desired
	return w, r, j, &armed
}

func (j *job) change(v model.Verb, group string) {
	j.changes = append(j.changes, model.Change{Verb: v, Group: group, Identity: j.row.Identity, RemoteID: j.row.RemoteID})
}

// Whoever was to leave a group under its old name and to join it under the new one, as
// it seemed before the group was renamed, stays in it.
func TestGroupRenamedAfterThePlan(t *testing.T) {
	t.Parallel()
	w, r, j, _ := movedWorld(t, false)
	w.retitle("old", "new")
	j.change(model.Join, "new")
	j.change(model.Part, "old")
	r.memberships(t.Context(), []*job{j}, 1)
	if n := memberCount(w.groups()["old"]); n != 1 || j.err != nil || !slices.Equal(j.row.Applied.Groups, []string{"new"}) {
		t.Errorf("%d members there, applied %v, %v", n, j.row.Applied.Groups, j.err)
	}
}

// Where the group is renamed while somebody is taken out of it, they are to join it again.
func TestGroupRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	w, r, j, armed := movedWorld(t, true)
	applied := *j.row.Applied
	applied.Groups = []string{"new", "old"} // it was joined by its new name before
	j.row.Applied = &applied
	j.change(model.Part, "old")
	armed.Store(true)
	r.memberships(t.Context(), []*job{j}, 1)
	if n := memberCount(w.groups()["old"]); n != 0 || j.err == nil || len(j.row.Applied.Groups) != 0 {
		t.Errorf("%d members there, applied %v, %v", n, j.row.Applied.Groups, j.err)
	}
}
