package store_test

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// What is due at the end of a grace period is no backlog, and who waits for a person no
// failure.
func TestWaiting(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), storetest.URL(t, dialect), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			later := s.Now().Add(time.Hour)
			for id, row := range map[string]model.AccountRow{
				"pending":   {State: model.StatePending, Due: true},
				"retried":   {State: model.StateFailed, Due: true, NextAttempt: later, ErrorClass: "server"},
				"asked":     {State: model.StatePending, Due: true, NextAttempt: later, ErrorClass: "awaits-person"},
				"scheduled": {State: model.StateDisabled, Due: true, NextAttempt: later},
				"deleting":  {State: model.StateDisabled, Due: true},
				"done":      {State: model.StateInSync},
			} {
				row.Target, row.Identity = "git", id
				err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SetDesired(row) })
				if err != nil {
					t.Fatal(err)
				}
				rows, err := s.AccountsNamed(t.Context(), "git", []string{id})
				if err != nil || len(rows) != 1 {
					t.Fatal(rows, err)
				}
				stored := rows[0]
				stored.State, stored.Due, stored.NextAttempt, stored.ErrorClass = row.State, row.Due, row.NextAttempt, row.ErrorClass
				if err := s.Settle(t.Context(), "git", []store.Settlement{{Row: stored}}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Waiting(t.Context(), "git")
			if want := (store.Waiting{Pending: 4, People: 1, Scheduled: 1}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			counts, err := s.ErrorCounts(t.Context(), "git")
			if err != nil || len(counts) != 1 || counts["server"] != 1 {
				t.Errorf("errors: %v, %v", counts, err)
			}
			if none, err := s.Waiting(t.Context(), "chat"); err != nil || none != (store.Waiting{}) {
				t.Errorf("another target: %+v, %v", none, err)
			}
		})
	}
}
