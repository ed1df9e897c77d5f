package fanout

import (
	"context"
	"fmt"
	"time"
)

// deletedWatched is how long after its deletion the account of a leaver is looked for
// where no list shows everybody.
const deletedWatched = 90 * 24 * time.Hour

// deletedAgain reads, by their ids, the accounts of leavers that were deleted, or were
// not found when they left. A list shows by itself which of them are there again.
func (s *sweeping) deletedAgain(soft, hard context.Context) error {
	if s.byList() {
		return nil
	}
	for after := ""; ; {
		ids, err := s.r.w.Store.DeletedLeavers(soft, s.r.target.Name, s.at.Began.Add(-deletedWatched), after, sweepBatch)
		if err != nil {
			return fmt.Errorf("read which accounts were deleted: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if err := s.halt(soft); err != nil {
			return err
		}
		after = ids[len(ids)-1]
		var there []RemoteUser
		for _, id := range ids {
			var u RemoteUser
			err := s.patiently(soft, func() (err error) {
				u, err = s.r.get(hard, id)
				return err
			})
			switch {
			case err == nil && u.Active:
				there = append(there, u)
			case err != nil && ClassOf(err).ofTarget():
				return err
			}
		}
		if err := s.strange(hard, there); err != nil {
			return err
		}
	}
}
