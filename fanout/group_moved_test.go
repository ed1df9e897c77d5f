package fanout

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
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
	}), func(t *model.Target) { t.Rate.Concurrency = 1 }) // one group after the other, by name
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

// So they do where the group has a third name by then.
func TestGroupRenamedTwiceAfterThePlan(t *testing.T) {
	t.Parallel()
	w, r, j, _ := movedWorld(t, false)
	w.retitle("old", "new")
	w.retitle("new", "newest")
	j.change(model.Join, "new")
	j.change(model.Part, "old")
	r.memberships(t.Context(), []*job{j}, 1)
	if n := memberCount(w.groups()["old"]); n != 1 || j.err != nil || !slices.Equal(j.row.Applied.Groups, []string{"new"}) {
		t.Errorf("%d members there, applied %v, %v", n, j.row.Applied.Groups, j.err)
	}
}

// What a replica sent before it lost the lease, under a name that the group had long ago,
// takes nobody out of it.
func TestGroupSentByAFormerName(t *testing.T) {
	t.Parallel()
	w, _, j, _ := movedWorld(t, false)
	w.retitle("old", "new")
	w.retitle("new", "newest")
	w.want(model.AccountRow{Identity: j.row.Identity, Desired: j.row.Desired}) // decided before the last one
	row := w.rows()[j.row.Identity]
	row.Sent = []model.Account{*row.Applied}
	applied := *row.Applied
	applied.Groups = row.Desired.Groups
	row.Applied = &applied
	if err := w.store.Settle(t.Context(), w.target.Name, []store.Settlement{{Row: row}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.allIn(model.StateInSync)
	w.groupIn("newest", model.StateInSync)
	if n := memberCount(w.groups()["newest"]); n != 1 {
		t.Errorf("%d members there", n)
	}
}

// A group that nothing grants is not made for somebody who is being decided anew: it may
// be one that is there already, under a name that it is about to get.
func TestGroupWaitsForDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.groupTx(func(tx *store.Tx) error { return tx.Mark(false, "id-user00000") })
	w.start()
	w.wantMany(1, "new")
	w.until("it waits", func(rows map[string]model.AccountRow) bool {
		return strings.Contains(rows["id-user00000"].LastError, "decided about anew")
	})
	if len(w.groups()) != 0 {
		t.Errorf("groups %v", w.groups())
	}
	w.grant("old")
	w.groupIn("old", model.StateInSync)
	w.retitle("old", "new")
	marks, err := w.store.ClaimMarks(t.Context(), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	w.groupTx(func(tx *store.Tx) error { return tx.UnmarkAll(marks) })
	w.allIn(model.StateInSync)
	if groups := groupTitles(w.groups()); !slices.Equal(groups, []string{"new"}) || memberCount(w.groups()["new"]) != 1 {
		t.Errorf("groups %v", groups)
	}
}
