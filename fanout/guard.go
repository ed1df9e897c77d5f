package fanout

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// heldLeaver says that the source, not the target, waits for a person.
const heldLeaver = "more leavers at the source than its guard allows; the source's leavers wait for approval"

// GuardFacts is what the guard has to know beside the plan.
type GuardFacts struct {
	Guard          model.Guard
	Population     int               // accounts active at the target when the window began: active now, or removed since
	AlreadyRemoved int               // accounts removed within the window, those under way included
	Approved       map[string]string // digest of a change -> who approved it
	LeaverHeld     map[string]bool   // identities held by their source's guard
	Asked          map[string]bool   // identities that a person has been asked to take access from, and has not yet
}

// Guard holds removals beyond the target's limit. It is pure and keeps the order.
//
//	change                                   result
//	--------------------------------------------------------------------------
//	held already by mode or protection       stays held
//	waits for approval, digest approved      passes
//	not a removal                            passes
//	removal, digest approved                 passes, counts
//	removal of a leaver                      passes, counts
//	removal of a leaver, source's guard hit  held
//	any other, limit not reached             passes, counts
//	any other, limit reached                 held
//
// An account counts once, be it disabled, deleted or parted from many groups; one that
// a person was asked about counts while the task is open, and is not held again.
func Guard(p model.Plan, f GuardFacts) model.Plan {
	out := model.Plan{Target: p.Target, Changes: slices.Clone(p.Changes)}
	limit := f.Guard.Limit(f.Population)
	count := f.AlreadyRemoved + len(f.Asked)
	counted, refused, released := map[string]bool{}, map[string]string{}, map[string]bool{}
	for id := range f.Asked {
		counted[id] = true
	}
	untaken := map[string]bool{} // found and not ours, and held
	admit := func(identity string) {
		if !counted[identity] {
			counted[identity] = true
			count++
		}
	}
	for i := range out.Changes {
		c := &out.Changes[i]
		_, approved := f.Approved[Digest(p.Target, *c)]
		if awaitsApproval(c.Held) && (approved || (c.Verb == model.Join && released[c.Identity])) {
			// An account that may be taken over or made may also join its groups.
			c.Held, released[c.Identity] = "", true
		}
		if c.Held == "" && c.Verb == model.Join && untaken[c.Identity] {
			c.Held = refused[c.Identity] // no memberships for an account that is not taken
		}
		if c.Held != "" || !c.Removes() {
			continue
		}
		switch {
		case approved:
			admit(c.Identity)
		case f.LeaverHeld[c.Identity]:
			c.Held = heldLeaver
		case c.Urgent, counted[c.Identity]:
			admit(c.Identity)
		case count < limit:
			admit(c.Identity)
		default:
			if refused[c.Identity] == "" {
				refused[c.Identity] = beyond(f, count+len(refused)+1, limit)
			}
			c.Held = refused[c.Identity]
			untaken[c.Identity] = c.Verb == model.Adopt
		}
	}
	return out
}

func awaitsApproval(held string) bool {
	switch held {
	case heldAdopt, heldTransfer, heldIrreversible, heldInvitation, heldPerhaps, heldDestroys, store.HeldUntilRebuilt, store.HeldSinceRebuilt:
		return true
	}
	return false
}

func beyond(f GuardFacts, n, limit int) string {
	of := fmt.Sprintf("%s%% of %d accounts", strconv.FormatFloat(f.Guard.Percent, 'g', -1, 64), f.Population)
	if limit == f.Guard.Floor {
		of = fmt.Sprintf("floor %d", f.Guard.Floor)
	}
	return fmt.Sprintf("removal %d of at most %d within %s (%s)", n, limit, f.Guard.Window, of)
}
