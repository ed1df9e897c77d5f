package fanout

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// An operator who has mended a target does not wait for its back-off to end.
func TestSyncEndsTheWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	retryAt := func(at *time.Time) {
		t.Helper()
		if err := w.store.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) { st.RetryAt, st.Failures = at, 7 }); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Hour)
	retryAt(&later)
	w.start()
	w.want(model.AccountRow{Identity: "leaver", Leaver: true}, model.AccountRow{Identity: "i", Desired: account("anna")})
	// The urgent lane works, so the runner has read the state by now; nobody else is let through.
	w.until("the leaver is settled", func(rows map[string]model.AccountRow) bool { return rows["leaver"].State == model.StateDeleted })
	if r := w.rows()["i"]; r.State != model.StatePending {
		t.Fatalf("the back-off was not heeded: %+v", r)
	}
	retryAt(nil)
	w.worker.Nudge("git")
	w.until("anna is made", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateInSync })
}
