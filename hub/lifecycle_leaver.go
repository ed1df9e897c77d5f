package hub

import (
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// nextRow is the identity's row after the decision. The first evaluation that
// sees a person gone notes when the fact came and, if they have something to lose,
// whether the source has more leavers in its window than its guard allows. The
// window is that of the fact: what came together counts together, even if it is
// worked on long after. Who leaves as planned passes and counts for nothing. Of whom no
// source says that they leave, because it is the configuration that changed, the
// accounts go as any removal does, under the guards of the targets; if a source says so
// later, it is then that they leave.
func (h *Hub) nextRow(tx *store.Tx, snap *Snapshot, d Decision, row store.IdentityRow, m store.Mark, access bool) (store.IdentityRow, error) {
	next := d.row(row, tx.Now)
	if d.Stage != model.Leaver || d.Identity.MergedInto != "" {
		return next, nil
	}
	said := saidSo(d, row, m, tx.Now)
	switch {
	case next.LeftAt == nil:
	case next.LeftSource == leftByConfig && said:
		next.LeftSource = ""
	default:
		return next, releasePlanned(tx, snap, &next)
	}
	next.LeftAt = &m.MarkedAt
	if purge, due := purgeMoment(snap, d.Identity, next.LeftAt); due {
		next.NextAt = &purge
	}
	if row.Stage != model.Active && row.Stage != model.Leave && !access {
		return next, nil // was never in: nothing that a guard would count
	}
	if !said {
		next.LeftSource = leftByConfig
		if until := mendedUntil(next); next.NextAt == nil || until.Before(*next.NextAt) {
			next.NextAt = &until
		}
		return next, nil
	}
	next.LeftSource = leftSource(snap, row, d, tx.Now)
	source, ok := snap.Doc.Source(next.LeftSource)
	if !ok {
		return next, nil
	}
	var err error
	if next.LeftPlanned, err = passesAsPlanned(tx, next, source, m.MarkedAt); err != nil || next.LeftPlanned {
		return next, err
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

// leftByConfig stands in the place of the source of those who are leavers because the
// configuration changed what facts mean: an end at another path, another zone, other
// authority. No source has this name.
const leftByConfig = "(configuration)"

// saidSlack is how much earlier than its mark a resource may have been written.
const saidSlack = time.Minute

// saidSo reports whether a fact or a date made the person a leaver, rather than a change
// of the configuration: the mark is pressing, nothing describes them any more, an end
// that was known has come, or one of their resources was written since they were marked.
// Who is a leaver by the configuration already becomes one by what came after that; marks
// that are pressing because time has passed say nothing then.
func saidSo(d Decision, row store.IdentityRow, m store.Mark, now time.Time) bool {
	already := row.LeftSource == leftByConfig && row.LeftAt != nil
	if m.Urgent && !already || len(d.Identity.Links) == 0 {
		return true
	}
	if end := d.Identity.EndsAt; end != nil && !now.Before(*end) && sameMoment(end, row.EndsAt) && (!already || end.After(*row.LeftAt)) {
		return true
	}
	return slices.ContainsFunc(d.Identity.Links, func(l model.Link) bool { return l.ModifiedAt.After(m.MarkedAt.Add(-saidSlack)) })
}

// pressingSince is since when a leaver's accounts wait in the urgent lane; nil: they go
// the ordinary way.
func pressingSince(row store.IdentityRow) *time.Time {
	if row.LeftSource == leftByConfig {
		return nil
	}
	return row.LeftAt
}

// secondThoughts is for how long what depends on a person or a role that the
// configuration took away is kept as it is, so that it is all there again when the
// configuration is mended.
const secondThoughts = 7 * 24 * time.Hour

// mendedUntil is until when somebody may turn out to have left by a mistake of the
// configuration; zero: they did not leave that way.
func mendedUntil(row store.IdentityRow) time.Time {
	if row.LeftSource != leftByConfig || row.LeftAt == nil {
		return time.Time{}
	}
	return row.LeftAt.Add(secondThoughts)
}

// mistaken reports whether somebody may have left by a mistake: the source's guard holds
// them, or the configuration has only just made them a leaver.
func mistaken(row store.IdentityRow, now time.Time) bool {
	return row.OverGuard || now.Before(mendedUntil(row))
}

// releasePlanned lets somebody go whom the guard holds and whose end has come
// meanwhile, which was known before: no export is needed to believe that. Who was held
// when the end came stays held.
func releasePlanned(tx *store.Tx, snap *Snapshot, next *store.IdentityRow) error {
	source, ok := snap.Doc.Source(next.LeftSource)
	if !ok || !next.OverGuard || next.EndsAt == nil || !next.EndsAt.After(*next.LeftAt) {
		return nil
	}
	passes, err := passesAsPlanned(tx, *next, source, tx.Now)
	if passes {
		next.OverGuard, next.LeftPlanned = false, true
	}
	return err
}

// lookAtEnd has somebody looked at again whom the guard holds when their end comes.
func lookAtEnd(next *store.IdentityRow, now time.Time) {
	if next.OverGuard && next.EndsAt != nil && next.EndsAt.After(now) && (next.NextAt == nil || next.EndsAt.Before(*next.NextAt)) {
		next.NextAt = next.EndsAt
	}
}

// How long before it an end must have been known to be a plan, and to be one that needs
// no counting.
const (
	plannedFor = 24 * time.Hour
	provenFor  = 7 * 24 * time.Hour
)

// passesAsPlanned reports whether somebody leaves at an end that was known before. It
// rests on what was known before, so that it does not matter whether the source also
// deletes them that day. A broken export may move everybody's end to a day that is still
// to come, so plans are counted, too, until they have stood for a week:
//
//	known before the end            passes as planned
//	------------------------------------------------------------------------
//	7 days, and the window          yes
//	24 hours, and the window        no more in a window than the guard allows
//	less                            no
//
// Who does not pass is counted as anybody else who leaves.
func passesAsPlanned(tx *store.Tx, row store.IdentityRow, source config.Source, left time.Time) (bool, error) {
	g := source.Guard
	if row.EndsAt == nil || row.EndsKnownAt == nil || left.Before(*row.EndsAt) {
		return false, nil
	}
	known := row.EndsAt.Sub(*row.EndsKnownAt)
	switch {
	case known < max(g.Window, plannedFor):
		return false, nil
	case known >= max(g.Window, provenFor):
		return true, nil
	}
	n, people, err := tx.LeftAsPlanned(source.Name, left.Add(-g.Window), provenFor)
	return n+1 <= g.Limit(people), err
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
