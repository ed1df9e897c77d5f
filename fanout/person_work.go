package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// person works on the claimed row of one person to its end; false: it was decided about
// anew meanwhile, and is to be read again.
func (r *runner) person(soft, hard context.Context, v *visit, row model.AccountRow, mark *claim) (settled bool) {
	if r.idle(hard, row) {
		r.compareOne(hard, v, row)
		return true
	}
	if row.RemoteID != "" && row.Applied != nil && r.target.Manual == nil {
		v.trace.say(StepMatched, "account %s is the hub's (%s)", row.RemoteID, row.Owned)
	}
	var j *job
	r.chunk(soft, hard, portion{rows: []model.AccountRow{row}, marks: []*claim{mark}, width: 1}, func(done *job) { j = done })
	if !j.drop && !j.yielded {
		r.readPersonBack(hard, j)
	}
	r.settle(hard, []*job{j})
	r.note(hard, true)
	r.stamp(hard, true)
	if j.drop || j.yielded || j.again {
		return false
	}
	v.planned(j.changes)
	r.report(v, j)
	return true
}

// idle reports whether there is nothing to do about a row that is settled.
func (r *runner) idle(ctx context.Context, row model.AccountRow) bool {
	switch row.State {
	case model.StateInSync, model.StateDisabled, model.StateDeleted, model.StateDrifted, model.StateUnknown:
	default:
		return false
	}
	if len(row.Sent) > 0 || row.Due && !row.NextAttempt.After(r.w.Now()) {
		return false
	}
	if row.Applied == nil && row.Desired == nil {
		return true
	}
	rows, _, err := withReferences(ctx, r.w.Store, r.target.Name, r.profile, []model.AccountRow{row}, false)
	return err == nil && len(Diff(r.inForce(), r.profile, rows, r.w.Now()).Changes) == 0
}

// compareOne reads an account of which nothing is to be changed, and says whether it is
// as it was written.
func (r *runner) compareOne(ctx context.Context, v *visit, row model.AccountRow) {
	trace := traceOf(ctx)
	if row.Drift != "" {
		trace.say(StepMatched, "the last drift sweep found it %s", row.Drift)
	}
	switch {
	case row.RemoteID == "" || row.Applied == nil:
		v.end(RunNothing, row.State, "no account is due there, and none of the hub's is there")
		return
	case r.target.Manual != nil:
		v.end(RunInSync, row.State, "nothing to do; nothing can be read there")
		return
	}
	trace.say(StepMatched, "account %s is the hub's (%s)", row.RemoteID, row.Owned)
	u, err := r.get(ctx, row.RemoteID)
	switch {
	case ClassOf(err) == Missing:
		v.end(RunDrifted, row.State, "the account is not there any more; `scimhub target drift %s` looks at everybody and does what the drift policy says (missing: %s)", r.target.Name, r.target.Drift.Missing)
		return
	case err != nil:
		trace.say(StepVerified, "no: %s", err.Error())
		v.end(RunFailed, row.State, "it could not be read")
		return
	}
	seen := observe(r.profile, u, row.Applied)
	seen.Groups = row.Applied.Groups
	if diffs := r.strange(row, seen); len(diffs) > 0 {
		trace.say(StepVerified, "it differs from what was written: %s", shownWords(diffs))
		v.end(RunDrifted, row.State, "nothing is to be changed, and somebody else changed it there; `scimhub target drift %s` does what the drift policy says (changed: %s)", r.target.Name, r.target.Drift.Changed)
		return
	}
	trace.say(StepVerified, "yes: it is there as it was written")
	v.end(RunInSync, row.State, "nothing to do")
}

// strange is in what an account differs from what was written, but for what the target
// made of it when it was written.
func (r *runner) strange(row model.AccountRow, seen model.Account) []model.FieldDiff {
	diffs := differences(*row.Applied, seen)
	if row.Observed == nil {
		return slices.DeleteFunc(diffs, func(f model.FieldDiff) bool { return f.After == nil }) // not every target shows everything
	}
	known := differences(*row.Applied, *row.Observed)
	return slices.DeleteFunc(diffs, func(f model.FieldDiff) bool {
		return slices.ContainsFunc(known, func(k model.FieldDiff) bool { return k.Path == f.Path && sameJSON(k.After, f.After) })
	})
}

// readPersonBack reads what was written, which a lane does for leavers alone.
func (r *runner) readPersonBack(ctx context.Context, j *job) {
	trace := traceOf(ctx)
	switch {
	case j.leaving.verified != nil:
		trace.say(StepVerified, "yes: access is gone")
		return
	case j.leaving.awaits:
		trace.say(StepVerified, "not yet: the application shows changes only after a while; it is read again")
		return
	case j.err != nil || len(j.done) == 0:
		return
	case r.target.Manual != nil:
		trace.say(StepVerified, "nothing can be read there: it counts on the word of the person who did it")
		return
	}
	if j.row.RemoteID != "" && j.row.Applied != nil {
		u, err := r.get(ctx, j.row.RemoteID)
		switch {
		case err != nil && r.inconsistency() > 0:
			trace.say(StepVerified, "not yet: the application shows changes only after a while (%s)", err.Error())
		case err != nil:
			trace.say(StepVerified, "no: %s", err.Error())
		default:
			r.seenAgain(ctx, j, u)
		}
	}
	r.membershipsBack(ctx, j)
}

// seenAgain compares what the target shows with what was written.
func (r *runner) seenAgain(ctx context.Context, j *job, u RemoteUser) {
	trace := traceOf(ctx)
	seen := observe(r.profile, u, j.row.Applied)
	seen.Groups = j.row.Applied.Groups
	diffs := differences(*j.row.Applied, seen)
	switch {
	case len(diffs) == 0:
		trace.say(StepVerified, "yes: the account reads as it was written")
	case r.inconsistency() > 0:
		trace.say(StepVerified, "not yet: the application shows changes only after a while, and still %s", shownWords(diffs))
		return
	case slices.ContainsFunc(diffs, func(f model.FieldDiff) bool { return f.Path == "active" || f.Path == "userName" }):
		trace.say(StepVerified, "no: the account reads otherwise than it was written: %s", shownWords(diffs))
	default:
		trace.say(StepVerified, "yes, but for what the application made of it or does not show: %s", shownWords(diffs))
	}
	r.echo(j, &u)
}

// membershipsBack reads whether the groups that were joined or left show it.
func (r *runner) membershipsBack(ctx context.Context, j *job) {
	trace := traceOf(ctx)
	for _, c := range j.done {
		if c.Verb != model.Join && c.Verb != model.Part {
			continue
		}
		if !r.profile.MembersReadable {
			trace.say(StepVerified, "group %q: confirmed; the application does not show who is in its groups", c.Group)
			continue
		}
		is, known, err := r.isMember(ctx, c.Group, j.row.RemoteID)
		switch {
		case err != nil:
			trace.say(StepVerified, "group %q: not readable: %s", c.Group, err.Error())
		case !known:
			trace.say(StepVerified, "group %q: confirmed; it is too large to be read through", c.Group)
		case is == (c.Verb == model.Join):
			trace.say(StepVerified, "group %q: yes", c.Group)
		case r.inconsistency() > 0:
			trace.say(StepVerified, "group %q: not yet: the application shows changes only after a while", c.Group)
		default:
			trace.say(StepVerified, "group %q: no: the application confirmed it and shows otherwise", c.Group)
		}
	}
}

// isMember reads a group until it meets an account; known is false where that takes too
// long.
func (r *runner) isMember(ctx context.Context, group, id string) (is, known bool, err error) {
	g, ok, err := r.knownGroup(ctx, group)
	if err != nil || !ok || g.RemoteID == "" {
		return false, err == nil && ok, err
	}
	read := 0
	for got, err := range r.conn.Members(ctx, g.RemoteID) {
		if err != nil {
			return false, false, err
		}
		if got == id {
			return true, true, nil
		}
		if read++; read >= verifyRead {
			return false, false, nil
		}
	}
	return false, true, nil
}

// report puts the outcome of a job into words.
func (r *runner) report(v *visit, j *job) {
	trace, state := v.trace, j.row.State
	v.trace.changes(j.changes, j.held)
	if words := r.answeredOtherwise(j); words != "" {
		trace.say(StepAnswered, "the application shows %s", words)
	}
	if j.note != "" {
		trace.say(StepAnswered, "%s", j.note)
	}
	held := j.held
	for _, c := range j.changes {
		if held == "" {
			held = c.Held
		}
	}
	switch {
	case ClassOf(j.err) == AwaitsPerson:
		v.end(RunWaits, state, "%s", asClientError(j.err).Detail)
	case j.err != nil:
		if state == model.StatePending || state == model.StateDrifted {
			v.end(RunFailed, state, "%s", j.err.Error())
			return
		}
		v.end(RunFailed, state, "%s; %s", j.err.Error(), again(j.row))
	case held != "":
		v.end(RunHeld, state, "%s", held)
	case j.leaving.awaits:
		v.end(RunDone, state, "done, and confirmed; it is read again until it shows")
	case len(j.done) > 0:
		v.end(RunDone, state, "done")
	case j.row.Applied == nil && j.row.Desired == nil:
		v.end(RunNothing, state, "no account is due there, and none of the hub's is there")
	default:
		v.end(RunInSync, state, "nothing to do")
	}
}

// again says when a failed row is tried again.
func again(row model.AccountRow) string {
	if !row.Due {
		return "it is not tried again by itself"
	}
	return "it is tried again at " + row.NextAttempt.UTC().Format(time.RFC3339)
}

// answeredOtherwise is what the target made of what was written.
func (r *runner) answeredOtherwise(j *job) string {
	if len(j.done) == 0 || j.row.Applied == nil || j.row.Observed == nil {
		return ""
	}
	return shownWords(differences(*j.row.Applied, *j.row.Observed))
}

// shownWords says what a target shows in place of what was written.
func shownWords(diffs []model.FieldDiff) string {
	parts := make([]string, len(diffs))
	for i, f := range diffs {
		parts[i] = fmt.Sprintf("%s %s in place of %s", printable(f.Path), value(f.After), value(f.Before))
	}
	return strings.Join(parts, ", ")
}
