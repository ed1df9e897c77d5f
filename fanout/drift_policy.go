package fanout

import (
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// comparison is how an account that a target shows differs from what was applied.
type comparison struct {
	seen        model.Account     // what the target shows of what the hub owns
	fields      []model.FieldDiff // attributes, userName and active
	resurrected bool              // the hub disabled it and it is active
	joined      []string          // groups that it is in though the hub did not put it there
	parted      []string          // groups that it is not in any more
}

func (c comparison) differs() bool {
	return len(c.fields)+len(c.joined)+len(c.parted) > 0
}

// compareAccount compares one of our accounts with what the target shows. groups are
// those that it is in, of which known tells whose members were read.
func compareAccount(p Profile, row model.AccountRow, u RemoteUser, groups []string, known func(string) bool) comparison {
	if erased(row) {
		c := comparison{seen: model.Account{Active: u.Active}}
		if u.Active {
			c.resurrected = true
			c.fields = []model.FieldDiff{{Path: "active", Before: false, After: true}}
		}
		return c
	}
	applied := p.Canonical(*row.Applied)
	c := comparison{seen: observe(p, u, &applied)}
	for _, g := range applied.Groups {
		if !known(g) || slices.Contains(groups, g) {
			c.seen.Groups = append(c.seen.Groups, g)
			continue
		}
		if row.Desired != nil { // else it is where it should be
			c.parted = append(c.parted, g)
		}
	}
	for _, g := range groups {
		if known(g) && !slices.Contains(applied.Groups, g) && !maybeIn(row, g) {
			c.joined = append(c.joined, g)
			c.seen.Groups = append(c.seen.Groups, g)
		}
	}
	slices.Sort(c.seen.Groups)
	c.fields = differences(applied, c.seen)
	c.resurrected = !applied.Active && c.seen.Active
	if row.Drift == "" && !c.resurrected && applied.Active == c.seen.Active {
		c.fields = slices.DeleteFunc(c.fields, func(f model.FieldDiff) bool { return ownForm(p, row, applied, c.seen, f) })
	}
	return c
}

// maybeIn reports whether a write that was not heard of may have put the account into
// a group; that is no drift, and is put right with the next change.
func maybeIn(row model.AccountRow, group string) bool {
	return slices.ContainsFunc(row.Sent, func(a model.Account) bool { return slices.Contains(a.Groups, group) })
}

// ownForm reports whether a difference is what the target makes of our writes: it
// showed the same after the last one, or it is its own way of writing a value that it
// has not shown since it was written.
func ownForm(p Profile, row model.AccountRow, applied, seen model.Account, f model.FieldDiff) bool {
	if f.Path == "active" {
		return false
	}
	if row.Observed == nil {
		return f.Path != "userName" && ((f.After == nil && !p.EchoesBody) || sameLetters(f.Before, f.After))
	}
	before := p.Canonical(*row.Observed)
	switch {
	case before.Active != applied.Active:
		return false
	case f.Path == "userName":
		return before.UserName == seen.UserName
	case sameValue(plain(before.Attrs[f.Path]), f.After):
		return true
	}
	// Shown as it was written only where nothing was shown: see unechoed.
	return row.VerifiedAt == nil && sameValue(plain(before.Attrs[f.Path]), f.Before) && sameLetters(f.Before, f.After)
}

// sameLetters reports whether two texts differ by case, spaces and punctuation alone.
func sameLetters(a, b any) bool {
	x, y := letters(scalarText(a)), letters(scalarText(b))
	return x != "" && x == y
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t-_.,;:()/+", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// reaction is what follows from a difference.
type reaction struct {
	action string // report, revert, adopt, recreate, disable
	needed int    // sweeps in a row that have to see it
	urgent bool   // at once, whatever else the sweep finds: a leaver is let in
}

// reactionTo applies the drift policy. takes says that acting on it takes something
// away from somebody.
//
//	kind         takes  row                    action              needed
//	------------------------------------------------------------------------
//	changed                                    policy changed      1
//	membership   no     was parted by hand     policy changed      1
//	membership   yes    was joined by hand     policy changed      sightings where it is reverted
//	resurrected         of a leaver, erased    revert; observe: report   none, at once
//	resurrected         of anybody else        policy changed      sightings where it is reverted
//	missing                                    policy missing      1; see doubt
//	unknown                                    policy unknown      sightings where it is disabled
func reactionTo(t model.Target, kind string, row model.AccountRow, takes bool) reaction {
	sightings := t.Drift.Sightings
	if sightings <= 0 {
		sightings = 2
	}
	out := reaction{needed: 1}
	switch kind {
	case driftMissing:
		out.action = t.Drift.Missing
	case driftUnknown:
		out.action = t.Drift.Unknown
		takes = out.action == "disable"
	case driftResurrected:
		if row.Leaver || erased(row) {
			if t.Mode == model.ModeObserve {
				return reaction{action: "report", needed: 1}
			}
			return reaction{action: "revert", needed: 1, urgent: true}
		}
		out.action, takes = t.Drift.Changed, true
	default:
		out.action = t.Drift.Changed
	}
	if out.action == "" {
		out.action = "report"
	}
	if takes && (out.action == "revert" || out.action == "disable") {
		out.needed = sightings
	}
	return out
}

// SightingsNeeded is how many sweeps in a row have to see a difference before what its
// action says follows.
func SightingsNeeded(t model.Target, f store.Finding) int {
	takes := f.Kind == driftMembership && joinedByHand(f)
	re := reactionTo(t, f.Kind, model.AccountRow{Leaver: f.Kind == driftResurrected && f.Done != nil && f.Sightings <= 1}, takes)
	if f.Action == "report" {
		return 1
	}
	return re.needed
}

// joinedByHand tells a membership that somebody else gave from one that they took.
func joinedByHand(f store.Finding) bool {
	return len(f.Fields) == 1 && f.Fields[0].Path == "groups" && f.Fields[0].Before == nil
}

// rest is the state of a row in which nothing is left to do.
func rest(row model.AccountRow) model.AccountState {
	switch {
	case row.Desired != nil:
		return model.StateInSync
	case row.Applied != nil:
		return model.StateDisabled
	}
	return model.StateDeleted
}

// missing applies the drift policy to an account that the target no longer has.
// One that was not wanted any more is simply deleted.
func (r *runner) missing(row *model.AccountRow, now time.Time) {
	row.Observed, row.Sent = nil, nil
	switch {
	case row.Desired == nil:
		r.gone(row)
		row.State, row.Drift, row.Due, row.LastError, row.ErrorClass = model.StateDeleted, "", false, "", ""
	case r.target.Drift.Missing == "recreate":
		row.FormerID, row.GoneAt = row.RemoteID, &now
		row.Applied, row.RemoteID, row.Owned = nil, "", ""
		row.State, row.Drift, row.Due, row.NextAttempt = model.StatePending, driftMissing, true, now
	default:
		row.State, row.Drift, row.Due = model.StateDrifted, driftMissing, false
		row.LastError = "the account is no longer at the target"
	}
}
