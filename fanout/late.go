package fanout

import (
	"time"

	"github.com/scimhub/scimhub/model"
)

// A request whose answer was lost may still be on its way: an application, or a proxy
// before it, may carry it out after the account was read and put right, over newer
// values. So accounts of which something was sent and not heard of are read once more
// when no request of that time can arrive any longer.

// arrival is how long after it was sent a request may still be carried out.
func (r *runner) arrival() time.Duration {
	if r.w.Timeout > 0 {
		return 2 * r.w.Timeout
	}
	return 2 * requestTimeout
}

// mayArrive plans the last look at a row that is settled otherwise. class is the error
// class that it had: what was answered, or never left, does not arrive later.
func (r *runner) mayArrive(j *job, class Class, now time.Time) {
	row := &j.row
	if len(j.before) == 0 || row.SentAt == nil || r.target.Manual != nil || class != "" && class != UnknownOutcome && class != Timeout {
		return
	}
	at := row.SentAt.Add(r.arrival())
	settled := row.State == model.StateInSync || row.State == model.StateDisabled || row.State == model.StateDeleted
	if !settled || !now.Before(at) {
		return
	}
	switch {
	case row.Applied != nil && row.RemoteID != "":
		if len(row.Sent) == 0 {
			row.Sent = []model.Account{*row.Applied} // says nothing, but that it is read
		}
	case row.Applied == nil && row.Desired == nil && j.intent:
		// The account of somebody who has left may be made yet.
		row.Owned, row.Sent = model.OwnedCreating, nil
		for _, s := range j.before {
			s.Active, s.Groups = false, nil
			row.Sent = withSent(row.Sent, s)
		}
	default:
		return
	}
	if !row.Due || at.Before(row.NextAttempt) {
		row.Due, row.NextAttempt = true, at
	}
}
