package hub

import (
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// nextRow is the identity's row after the decision. The first evaluation that
// sees a person gone notes when the fact came and, if they have something to lose,
// whether the source has more leavers in its window than its guard allows. The
// window is that of the fact: what came together counts together, even if it is
// worked on long after. Who leaves as planned passes and counts for nothing.
func (h *Hub) nextRow(tx *store.Tx, snap *Snapshot, d Decision, row store.IdentityRow, m store.Mark, access bool) (store.IdentityRow, error) {
	next := d.row(row, tx.Now)
	if d.Stage != model.Leaver || d.Identity.MergedInto != "" {
		return next, nil
	}
	if next.LeftAt != nil {
		releasePlanned(snap, &next, tx.Now)
		return next, nil
	}
	next.LeftAt = &m.MarkedAt
	if purge, due := purgeMoment(snap, d.Identity, next.LeftAt); due {
		next.NextAt = &purge
	}
	if row.Stage != model.Active && row.Stage != model.Leave && !access {
		return next, nil // was never in: nothing that a guard would count
	}
	next.LeftSource = leftSource(snap, row, d, tx.Now)
	source, ok := snap.Doc.Source(next.LeftSource)
	if !ok {
		return next, nil
	}
	if next.LeftPlanned = planned(next, source.Guard, m.MarkedAt); next.LeftPlanned {
		return next, nil
	}
	left, people, err := tx.Left(source.Name, m.MarkedAt.Add(-source.Guard.Window))
	next.OverGuard = left+1 > source.Guard.Limit(people)
	if err != nil || !next.OverGuard {
		return next, err
	}
	released, err := tx.Released(source.Name, m.MarkedAt) // with the import that said so
	next.OverGuard = !released
	lookAtEnd(&next, tx.Now)
	return next, err
}

// releasePlanned lets somebody go whom the guard holds and whose end has come
// meanwhile, which was known before: no export is needed to believe that.
func releasePlanned(snap *Snapshot, next *store.IdentityRow, now time.Time) {
	source, ok := snap.Doc.Source(next.LeftSource)
	if ok && next.OverGuard && planned(*next, source.Guard, now) {
		next.OverGuard, next.LeftPlanned = false, true
	}
}

// lookAtEnd has somebody looked at again whom the guard holds when their end comes.
func lookAtEnd(next *store.IdentityRow, now time.Time) {
	if next.OverGuard && next.EndsAt != nil && next.EndsAt.After(now) && (next.NextAt == nil || next.EndsAt.Before(*next.NextAt)) {
		next.NextAt = next.EndsAt
	}
}

// planned reports whether somebody who leaves does so at an end that was known before
// the window of the source's guard began, counted from that end: dates that a broken
// export moves to today, or to yesterday, are no plan. It rests on what was known
// before, so that it does not matter whether the source also deletes them that day.
func planned(row store.IdentityRow, g model.Guard, left time.Time) bool {
	return row.EndsAt != nil && row.EndsKnownAt != nil && !left.Before(*row.EndsAt) &&
		row.EndsKnownAt.Before(row.EndsAt.Add(-g.Window))
}

// noteEnd keeps since when the end of the row is known. Of who has no resource left
// the end known last stays.
func (d Decision) noteEnd(row store.IdentityRow, next *store.IdentityRow, now time.Time) {
	if len(d.Identity.Links) == 0 || sameMoment(row.EndsAt, d.Identity.EndsAt) {
		return
	}
	next.EndsAt, next.EndsKnownAt = d.Identity.EndsAt, nil
	if next.EndsAt != nil {
		next.EndsKnownAt = &now
	}
}

// hasAccess reports whether an account lets somebody in, or may.
func hasAccess(a model.AccountRow) bool {
	return a.Desired != nil || a.Applied != nil && a.Applied.Active || a.Owned == model.OwnedCreating
}

// leftSource is the source whose word made the person a leaver: the one that the end
// came from, if it has come, or active, or else the first that described them.
func leftSource(snap *Snapshot, row store.IdentityRow, d Decision, now time.Time) string {
	if end := d.Identity.EndsAt; end != nil && !now.Before(*end) {
		if s := originOf(endPath(snap.Doc.Identity), d.Identity.Origin); s != "" {
			return s
		}
	}
	if s := d.Identity.Origin["active"]; s != "" {
		return s
	}
	for _, l := range d.Identity.Links {
		return l.Source
	}
	if s := row.Origin["userName"]; s != "" {
		return s
	}
	return ""
}

// purgeMoment is when somebody's data is to be erased who has left at a moment and
// whom no source describes any more; false: never.
func purgeMoment(snap *Snapshot, i model.Identity, leftAt *time.Time) (time.Time, bool) {
	after := snap.Doc.Identity.PurgeAfter
	if after <= 0 || leftAt == nil || len(i.Links) > 0 || i.ErasedAt != nil {
		return time.Time{}, false
	}
	return leftAt.Add(after), true
}
