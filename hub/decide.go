package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Known is everything that a decision about one person rests on, as stored.
type Known struct {
	Row        store.IdentityRow
	Users      []store.SourceUser   // what the sources say
	Groups     []model.Membership   // of the sources
	Held       []model.Grant        // now
	Requests   []model.Request      // open ones
	Exceptions []model.Exception    // to conflicts, not ended
	Case       *model.Case          // open: several people could be meant; nil: none
	Manager    *model.Manager       // nil: none is named
	Namesakes  []string             // others who have the same number, by name
	Accounts   []model.AccountRow   // at all targets
	Drill      *model.LeaverRun     // open; nil: none
	Approvers  map[string]Approvers // who could decide, by configured approver, of the open requests' steps
	Exclusions []model.Exclusion    // what reviewers took away, not ended

	past  bool             // of an earlier moment: Row has the merged record, Users only name the resources
	asked []model.Request  // closed ones of which something may still become
	noted store.ManagerSet // the manager at the last evaluation
}

// Decision is everything that follows from what is known of one person under one
// configuration at one moment. It is computed without I/O.
type Decision struct {
	Identity model.Identity
	Stage    model.Stage
	Grants   []model.Grant             // roles held from now on
	Denied   []model.Denied            // roles that would be held but for a deny rule or a conflict
	Desired  map[string]policy.Desired // by target; a target that could not be decided is left out
	Requests []model.Request           // those that change, as they are from now on; those without an id are new
	Findings []model.Finding           // what is wrong with the facts, and what could not be decided
	Gained   []string                  // roles
	Lost     []string
	Number   string            // that nobody else should have, see store.NumberKey
	Event    string            // see Transition
	Next     time.Time         // when time alone may change any of it; zero: never
	Purge    bool              // the person's data is to be erased now
	Excluded []model.Exclusion // those that end, as they are from now on

	drill *model.LeaverRun // that the person takes part in
	off   map[string]bool  // targets whose accounts it keeps off now
}

// Decide evaluates one person. What cannot be decided stays as it was: a role
// whose rule fails is kept by those who hold it, and a target whose scope or
// mapping fails is left out of Desired. A date that cannot be read takes nobody's
// access and lets nobody in: the first or the last day may be what it said.
func Decide(snap *Snapshot, k Known, now time.Time) Decision {
	identity, findings := Resolve(snap, k)
	stage := stageOf(snap.Doc.Identity, identity, findings, k.Row.Stage, now)
	d := Decision{Identity: identity, Stage: stage, Findings: findings, Desired: map[string]policy.Desired{}}
	requests := settleRequests(snap.Doc, k, d.Identity, d.Stage, datesRead(findings), now)
	if d.present() && !blocked(k) {
		d.roles(snap, k, &requests, now)
	}
	d.leaveExclusions(k, now)
	d.Requests = requests.changed
	d.Findings = append(d.Findings, requests.findings...)
	d.targets(snap, k, now)
	d.practise(k, now)
	d.Findings = append(d.Findings, caseFinding(k)...)
	d.Findings = append(d.Findings, quality(snap, k, d.Identity, d.Stage)...)
	d.Number = numberOf(snap.Doc, d.Identity, d.Stage)
	d.Gained, d.Lost = rolesDiffer(k.Held, d.Grants)
	d.Event = d.eventOf(snap, k)
	if d.Identity.MergedInto != "" { // nobody has left
		d.Event = ""
	}
	d.Next = nextMoment(d, requests, k, now)
	d.purge(snap, k, now)
	return d
}

// present reports whether the person is with the organisation: at work or away.
func (d *Decision) present() bool { return d.Stage == model.Active || d.Stage == model.Leave }

// blocked reports whether the person waits for a decision on who they are.
func blocked(k Known) bool { return k.Case != nil && k.Case.Blocks }

// roles decides which roles the person holds: what rules and approved requests give,
// without what conflicts take, with what is kept for a while.
func (d *Decision) roles(snap *Snapshot, k Known, requests *settledRequests, now time.Time) {
	person := asPresent(d.Identity, d.Stage)
	kept := d.excluded(snap, k, requests.inForce, now)
	result := snap.Policy.EvaluateWithout(person, requests.inForce, kept, now)
	if requests.askByRule(result) {
		result = snap.Policy.EvaluateWithout(person, requests.inForce, kept, now)
	}
	for _, e := range result.Errors {
		d.Findings = append(d.Findings, model.Finding{Kind: model.FindingRule, Subject: e.Role, Message: e.Error()})
	}
	again := func(without []string) policy.Result {
		return snap.Policy.EvaluateWithout(person, requests.inForce, slices.Concat(kept, without), now)
	}
	settled := settleConflicts(snap, k, result, again, func(r policy.Result) []model.Grant { return keptUndecided(k, r, requests.inForce, now) }, now)
	d.Grants = append(settled.result.Grants, settled.kept...)
	d.Denied = slices.Concat(d.Denied, settled.result.Denied, settled.denied)
	d.handOver(snap.Doc, k, settled, now)
	d.limitGrants(k, now)
	d.Findings = append(d.Findings, conflictFindings(snap.Doc, k, settled, d.Grants, now)...)
}

// keptUndecided are the roles held before whose rules failed. What had an end that has
// come is not among them: of that the rule decides nothing.
func keptUndecided(k Known, r policy.Result, inForce []model.Request, now time.Time) (out []model.Grant) {
	for _, g := range k.Held {
		ended := g.Until != nil && !now.Before(*g.Until) &&
			!slices.ContainsFunc(inForce, func(q model.Request) bool { return q.Role == g.Role })
		if slices.Contains(r.Undecided, g.Role) && !ended {
			out = append(out, g)
		}
	}
	return out
}

// asPresent is the identity as rules see it: who is away on leave holds what they
// held at work, though their accounts are inactive, so that nothing has to be asked
// and granted again when they are back.
func asPresent(i model.Identity, stage model.Stage) model.Identity {
	if stage != model.Leave || i.Enabled() {
		return i
	}
	user := maps.Clone(i.User)
	user["active"] = true
	i.User = user
	return i
}

// targets works out what every target should hold.
func (d *Decision) targets(snap *Snapshot, k Known, now time.Time) {
	for _, t := range snap.Doc.Targets {
		if !d.present() || blocked(k) {
			d.Desired[t.Name] = policy.Desired{}
			continue
		}
		desired, err := snap.Policy.Desire(t, asPresent(d.Identity, d.Stage), d.Grants, d.Stage)
		if err != nil {
			d.Findings = append(d.Findings, model.Finding{Kind: model.FindingMapping, Subject: t.Name, Message: err.Error()})
			d.suspend(snap, k, t.Name)
			continue
		}
		d.Desired[t.Name] = withhold(k, t.Name, desired, now)
	}
}

// suspend makes an account inactive, and changes nothing else, that could not be
// decided while the person is away: that they are away does not depend on it.
func (d *Decision) suspend(snap *Snapshot, k Known, target string) {
	if d.Stage != model.Leave || snap.Doc.Identity.Leave.Access == "keep" {
		return
	}
	for _, a := range k.Accounts {
		if a.Target == target && a.Desired != nil {
			account := *a.Desired
			account.Active = false
			d.Desired[target] = policy.Desired{Account: &account, Because: a.Because}
		}
	}
}

// nextMoment is when time alone may change the decision.
func nextMoment(d Decision, requests settledRequests, k Known, now time.Time) time.Time {
	next := d.Identity.NextChange(now)
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, g := range d.Grants {
		if g.Until != nil {
			sooner(*g.Until)
		}
	}
	sooner(requests.next)
	if d.drill != nil && drillRuns(*d.drill, now) {
		sooner(*d.drill.Until)
	}
	for _, e := range k.Exceptions {
		sooner(e.From)
		sooner(e.Until)
	}
	for _, e := range k.Exclusions {
		sooner(e.From)
	}
	return next
}

// Rows turns the decision into the rows of accounts that differ from what is
// stored. For a leaver the rows carry the urgent lane, since leftAt; where that is nil
// it is not on a source's word that they left, and their accounts go the ordinary way.
func (d Decision) Rows(stored []model.AccountRow, leftAt *time.Time, overGuard bool) (changed, reasonsOnly []model.AccountRow) {
	have := map[string]model.AccountRow{}
	for _, a := range stored {
		have[a.Target] = a
	}
	for _, target := range slices.Sorted(maps.Keys(d.Desired)) { // rows are locked in one order by all
		want := d.Desired[target]
		old, exists := have[target]
		if d.Stage == model.Leave && want.Account != nil && !want.Account.Active && nothingMade(old) {
			want = policy.Desired{} // nobody gets an account while away
		}
		next := old
		next.Target, next.Identity, next.Desired, next.Because = target, d.Identity.ID, want.Account, want.Because
		leaving := leftAt != nil && want.Account == nil && d.Identity.MergedInto == "" && (d.Stage == model.Leaver || d.Stage == model.Purged)
		next.Leaver, next.LeaverAt, next.LeaverHeld = leaving, nil, leaving && overGuard
		if leaving {
			next.LeaverAt = leftAt
		}
		if next.Drill = d.practises(target); d.off[target] {
			next.Leaver, next.LeaverAt = true, &d.drill.ReceivedAt
		}
		switch {
		case !exists && want.Account == nil:
		case exists && sameAccount(old.Desired, next.Desired) && old.Leaver == next.Leaver && old.LeaverHeld == next.LeaverHeld && old.Drill == next.Drill:
			if !sameBecause(old.Because, next.Because) {
				reasonsOnly = append(reasonsOnly, next)
			}
		default:
			changed = append(changed, settleNew(next))
		}
	}
	return changed, reasonsOnly
}

// settleNew decides whether there is anything to do: where nothing is wanted and
// nothing was ever made there is not.
func settleNew(a model.AccountRow) model.AccountRow {
	a.Due, a.State = true, model.StatePending
	if a.Desired == nil && nothingMade(a) {
		a.Due, a.State = false, model.StateDeleted
	}
	return a
}

func nothingMade(a model.AccountRow) bool {
	return a.Applied == nil && a.RemoteID == "" && a.Owned == ""
}

func sameAccount(a, b *model.Account) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UserName == b.UserName && a.Active == b.Active && slices.Equal(a.Groups, b.Groups) &&
		(len(a.Attrs) == 0 && len(b.Attrs) == 0 || reflect.DeepEqual(a.Attrs, b.Attrs))
}

// sameBecause compares reasons but for the configuration version they name: a new
// version that says the same is no news.
func sameBecause(a, b map[string][]model.Reason) bool {
	if len(a) != len(b) {
		return false
	}
	for key, list := range a {
		if !sameReasons(list, b[key]) {
			return false
		}
	}
	return true
}

// sameJSON compares what would be stored: a number of facts read back is no
// int64 any more, and an empty list may be none.
func sameJSON(x, y model.Reason) bool {
	a, err1 := json.Marshal(x)
	b, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

func sameReasons(a, b []model.Reason) bool {
	return slices.EqualFunc(a, b, func(x, y model.Reason) bool {
		x.Version, y.Version = 0, 0
		return reflect.DeepEqual(x, y) || sameJSON(x, y)
	})
}
