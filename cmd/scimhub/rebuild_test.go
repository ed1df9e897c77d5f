package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// rebuildProfiles are applications that differ in what they list, match and show.
func rebuildProfiles() []string {
	return []string{"generic", "github", "google-cloud-identity", "slack"}
}

// rebuildPeople is how many people a rebuild is tried with.
func rebuildPeople() int {
	if os.Getenv("SCIMHUB_TEST_FULL") == "1" {
		return 300
	}
	return 25
}

// settledWrites are the requests of an application that change something, by kind.
func (w *lifeWorld) settledWrites() map[string]int {
	out := map[string]int{}
	for kind, n := range w.app.Stats().Kinds {
		if !strings.HasSuffix(kind, ".get") && !strings.HasSuffix(kind, ".list") {
			out[kind] += n
		}
	}
	return out
}

// written is what was written since.
func (w *lifeWorld) written(since map[string]int) map[string]int {
	out := map[string]int{}
	for kind, n := range w.settledWrites() {
		if n != since[kind] {
			out[kind] = n - since[kind]
		}
	}
	return out
}

// lose takes the database away, and starts the hub as after a loss.
func (w *lifeWorld) lose(dialect string) {
	w.t.Helper()
	w.stop()
	w.config = w.configuration(storetest.Migrated(w.t, dialect))
	w.boot()
	w.t.Cleanup(func() { w.stop() }) // before the new database goes
	w.must(w.hub.awaitRebuild(w.t.Context(), io.Discard))
	for _, p := range w.people {
		p.id = ""
	}
	for _, g := range w.groups {
		g.id = ""
	}
	w.everybody()
}

// everybody pushes all there is, and who manages whom when that is known.
func (w *lifeWorld) everybody() {
	w.t.Helper()
	for _, p := range w.people {
		w.push(p)
	}
	for _, g := range w.projects() {
		w.pushGroup(g)
	}
	for _, p := range w.people {
		if p.manager != nil {
			w.push(p)
		}
	}
}

// rebuildPhase waits until the recovery is in a phase; empty: until it is over.
func (w *lifeWorld) rebuildPhase(phase string) *store.Recovery {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for n := 1; ; n++ {
		st, err := w.hub.store.TargetState(w.t.Context(), lifeTarget)
		w.must(err)
		switch {
		case st.Recovery == nil && phase == "", st.Recovery != nil && st.Recovery.Phase == phase:
			return st.Recovery
		}
		select {
		case <-deadline:
			w.t.Fatalf("the recovery is %+v (%s), not %q", st.Recovery, st.DriftRefused, phase)
		case <-tick.C:
			if n%20 == 0 {
				w.hub.hub.Wake()
				w.hub.worker.Nudge()
				w.clock.leap(time.Second)
			}
		}
	}
}

// After a total loss every account is recognised, nothing is written but what truly
// differs, and nothing is taken away.
func TestRebuild(t *testing.T) {
	t.Parallel()
	for i, profile := range rebuildProfiles() {
		dialect := storetest.Dialects()[i%2]
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w := newLifeWorld(t, profile, dialect, rebuildPeople(), 3)
			w.joiners()
			w.rest(time.Hour)
			before := w.state()
			had := w.settledWrites()
			w.lose(dialect)
			w.quiet()
			w.admin("POST", "/rebuild", nil, nil)
			found := w.rebuildPhase(store.RecoveryWaiting).Found
			if n := w.written(had); len(n) > 0 {
				t.Errorf("written before anybody agreed: %v", n)
			}
			t.Logf("%s: %+v", profile, found)
			if found.Missing > 0 || found.Ambiguous > 0 || found.Recognised == 0 {
				t.Errorf("found %+v", found)
			}
			w.admin("POST", "/rebuild/settle", nil, nil)
			w.rest(time.Hour)
			if n := w.written(had); len(n) > 0 {
				t.Errorf("written though nothing differs: %v", n)
			}
			after := w.state()
			if len(after.Users) != len(before.Users) || len(after.Groups) != len(before.Groups) {
				t.Errorf("%d users and %d groups became %d and %d", len(before.Users), len(before.Groups), len(after.Users), len(after.Groups))
			}
			w.rebuildPhase("")
		})
	}
}

// What was done by hand is seen as what it is: a membership that nothing grants any more
// is kept until somebody approves that it goes.
func TestRebuildKeepsWhatIsNotExplained(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newLifeWorld(t, "generic", dialect, 12, 2)
			w.joiners()
			w.rest(time.Hour)
			state := w.state()
			at := slices.IndexFunc(state.Groups, func(g map[string]any) bool { return g["displayName"] == "proj-01" })
			if at < 0 {
				t.Fatal("the application has no group proj-01")
			}
			group := state.Groups[at]
			id, _ := group["id"].(string)
			members, _ := group["members"].([]any)
			in := map[string]bool{}
			for _, m := range members {
				v, _ := m.(map[string]any)["value"].(string)
				in[v] = true
			}
			var outsider string
			for _, u := range state.Users {
				name, _ := u["userName"].(string)
				if uid, _ := u["id"].(string); !in[uid] && outsider == "" && strings.HasPrefix(name, "p00") {
					outsider = uid
				}
			}
			w.must(w.byHand("PATCH", "/Groups/"+id, map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
				"Operations": []any{map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": outsider}}}}}, nil))
			had := w.settledWrites()
			w.lose(dialect)
			w.quiet()
			w.admin("POST", "/rebuild", nil, nil)
			w.rebuildPhase(store.RecoveryWaiting)
			w.quiet()
			var shown struct{ Items []admin.RebuildView }
			w.admin("GET", "/rebuild", nil, &shown)
			if f := shown.Items[0].Recovery.Found; f.Differ != 1 || f.Missing > 0 || f.Same != 11 {
				t.Errorf("found %+v", f)
			}
			w.admin("POST", "/rebuild/settle", nil, nil)
			w.rest(24 * time.Hour)
			if n := w.written(had); len(n) > 0 {
				t.Errorf("written: %v", n)
			}
			if rec := w.rebuildPhase(store.RecoverySettling); rec == nil {
				t.Fatal("the recovery is over though something waits")
			}
			var view admin.HeldPage
			w.admin("GET", "/targets/"+lifeTarget+"/held", nil, &view)
			if view.Total != 1 || view.Items[0].Verb != model.Part || view.Items[0].Held != store.HeldSinceRebuilt {
				t.Fatalf("held: %+v", view)
			}
			w.admin("POST", "/targets/"+lifeTarget+"/release", map[string]any{"digest": view.Digest}, nil)
			w.rest(time.Hour)
			if n := w.written(had); len(n) != 1 {
				t.Errorf("written after the release: %v", n)
			}
			w.rebuildPhase("")
		})
	}
}

// A backup that is restored, into the other database at that, leaves nothing to do and
// nothing is written; the recovery ends by itself.
func TestRestoredPlanEmpty(t *testing.T) {
	t.Parallel()
	for i, dialect := range storetest.Dialects() {
		t.Run("from "+dialect, func(t *testing.T) {
			t.Parallel()
			w := newLifeWorld(t, "generic", dialect, 12, 2)
			for _, p := range w.people {
				w.push(p)
			}
			w.rest(time.Hour)
			var body bytes.Buffer
			c := &client{server: w.hub.URL, token: storySecret}
			sum, err := c.takeBackup(t.Context(), &body, func(int) {})
			w.must(err)
			if sum.Tables["identities"] != 12 {
				t.Errorf("%d people in the backup", sum.Tables["identities"])
			}
			had := w.settledWrites()
			w.stop()
			url := storetest.URL(t, storetest.Dialects()[1-i])
			_, err = store.Restore(t.Context(), url, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body.Bytes())), nil }, store.RestoreOptions{Now: w.clock.Now})
			w.must(err)
			w.config = w.configuration(url)
			w.boot()
			t.Cleanup(func() { w.stop() })
			var plan admin.PlanAnswer
			w.admin("POST", "/plan", admin.PlanRequest{}, &plan)
			for _, p := range plan.Plans {
				if len(p.Changes) > 0 {
					t.Errorf("plan: %+v", p.Changes)
				}
			}
			w.rebuildPhase("")
			w.rest(time.Hour)
			if n := w.written(had); len(n) > 0 {
				t.Errorf("written: %v", n)
			}
		})
	}
}
