package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

// Of roles that nobody may hold together the one that stands first in the conflict's
// list stays; the others go, unless an exception is in force. What is decided follows
// from the facts of the moment alone, never from what was held first.
//
//	the one that stays    the other           action             the other
//	-----------------------------------------------------------------------------------
//	held                  held                report             stays; a finding
//	held                  held, exempt        refuse, approve    stays, and names the exception
//	held                  held                refuse, approve    goes; a finding
//	its rule failed       held since before   any                stays; a finding
//	its rule failed       new                 refuse, approve    is not given; a finding
//	held, or rule failed  kept for hand-over  refuse, approve    goes
//
// A role goes only for one that stays to the end: what is about to go itself, or is
// held through one that is, takes nothing away from anybody.

// clash is two roles that stand against each other.
type clash struct {
	conflict  *config.Conflict
	stays     string
	goes      string
	exception string // by which both may be held; empty: none
	failed    bool   // a rule failed, and for as long as it does neither is taken
}

func (c clash) text() string {
	switch {
	case c.failed:
		return fmt.Sprintf("%s and %s should not be held together (conflict %q); a rule could not be decided, so neither is taken", c.stays, c.goes, c.conflict.Name)
	case c.conflict.Action == "report":
		return fmt.Sprintf("%s and %s should not be held together (conflict %q)", c.stays, c.goes, c.conflict.Name)
	}
	return fmt.Sprintf("%s is not given beside %s (conflict %q)", c.goes, c.stays, c.conflict.Name)
}

// forbids reports whether the conflict takes roles, rather than only telling of them.
func forbids(c *config.Conflict) bool { return c.Action != "report" }

// roleSet says how roles are held: decided, or kept since their rule failed.
type roleSet struct {
	held   map[string]bool // the role is held; true: it was before, too
	failed map[string]bool // of these, those whose rule failed
}

func newRoleSet(k Known, result policy.Result, kept []model.Grant) roleSet {
	s := roleSet{held: make(map[string]bool, len(result.Grants)+len(kept)), failed: map[string]bool{}}
	before := make(map[string]bool, len(k.Held))
	for _, g := range k.Held {
		before[g.Role] = true
	}
	for _, g := range result.Grants {
		s.held[g.Role] = before[g.Role]
	}
	for _, g := range kept {
		s.held[g.Role], s.failed[g.Role] = true, true
	}
	return s
}

// clashes lists the pairs of roles that are held and conflict, in the order of the
// configuration.
func clashes(doc *config.Document, k Known, s roleSet, now time.Time) (out []clash) {
	for i := range doc.Conflicts {
		c := &doc.Conflicts[i]
		for n, first := range c.Roles {
			before, held := s.held[first]
			if !held {
				continue
			}
			for _, second := range c.Roles[n+1:] {
				beforeToo, heldToo := s.held[second]
				if !heldToo || first == second {
					continue
				}
				x := clash{conflict: c, stays: first, goes: second, exception: exempt(k, first, second, now)}
				switch { // what is new is not taken from anybody
				case s.failed[second] && !s.failed[first] && !before && forbids(c):
					x.stays, x.goes = second, first
				case s.failed[first] && !s.failed[second] && !beforeToo && forbids(c):
				default:
					x.failed = s.failed[first] || s.failed[second]
				}
				out = append(out, x)
			}
		}
	}
	return out
}

// exempt is the exception by which two roles may be held together; empty: none.
func exempt(k Known, a, b string, now time.Time) string {
	for _, e := range k.Exceptions {
		if e.InForce(now) && slices.Contains(e.Roles, a) && slices.Contains(e.Roles, b) {
			return e.ID
		}
	}
	return ""
}

// settledConflicts is what conflicts leave of what the policy says.
type settledConflicts struct {
	result  policy.Result
	kept    []model.Grant // held since before, of rules that failed
	denied  []model.Denied
	refused []string // roles that were taken, and those held only through them; sorted
	taken   []clash
	left    []clash // that nothing is taken for, among what is in result and kept
}

// settleConflicts takes roles until nobody holds two that conflict. again evaluates
// without some roles; kept gives what stays of rules that failed.
func settleConflicts(snap *Snapshot, k Known, first policy.Result, again func(without []string) policy.Result,
	kept func(policy.Result) []model.Grant, now time.Time,
) settledConflicts {
	doc := snap.Doc
	out := settledConflicts{result: first, kept: kept(first)}
	if len(doc.Conflicts) == 0 {
		return out
	}
	var without []string
	stand := map[string]bool{}
	for {
		out.left = clashes(doc, k, newRoleSet(k, out.result, out.kept), now)
		x, found := nextTaken(out.left, out.result.Grants, stand)
		if !found {
			break
		}
		stand[x.stays] = true
		without = append(without, x.goes)
		out.taken = append(out.taken, x)
		out.denied = append(out.denied, model.Denied{Role: x.goes, Because: []model.Reason{{
			Role: x.goes, Rule: fmt.Sprintf("not beside %s (conflict %q)", x.stays, x.conflict.Name), Version: snap.Version}}})
		out.result = again(without)
		out.kept = kept(out.result)
	}
	if len(without) > 0 {
		role := func(g model.Grant) string { return g.Role }
		left := names(out.result.Grants, role)
		for _, r := range names(first.Grants, role) {
			if !slices.Contains(left, r) {
				out.refused = append(out.refused, r)
			}
		}
	}
	out.nameExceptions(out.left)
	return out
}

// nextTaken is the next role to take: for one that nothing takes and that is not held
// only through one that goes. Where the lists of several conflicts go round in a
// circle there is none such, and the first pair of the configuration decides; who
// stood in it, stays.
func nextTaken(list []clash, grants []model.Grant, stand map[string]bool) (clash, bool) {
	list = slices.DeleteFunc(slices.Clone(list), func(x clash) bool { return x.failed || x.exception != "" || !forbids(x.conflict) })
	if len(list) == 0 {
		return clash{}, false
	}
	going := map[string]bool{}
	for i, x := range list {
		if stand[x.goes] && !stand[x.stays] {
			x.stays, x.goes = x.goes, x.stays
			list[i] = x
		}
		going[x.goes] = true
	}
	through := func(r model.Reason) bool {
		return going[r.Role] || slices.ContainsFunc(r.Via, func(role string) bool { return going[role] })
	}
	for _, x := range list {
		at := slices.IndexFunc(grants, func(g model.Grant) bool { return g.Role == x.stays })
		if !going[x.stays] && (at < 0 || !every(grants[at].Because, through)) {
			return x, true
		}
	}
	return list[0], true
}

func every[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(e T) bool { return !holds(e) })
}

// nameExceptions writes into the reasons of roles by which exception they are held.
func (s *settledConflicts) nameExceptions(list []clash) {
	for _, x := range list {
		if x.exception == "" || !forbids(x.conflict) {
			continue
		}
		at := slices.IndexFunc(s.result.Grants, func(g model.Grant) bool { return g.Role == x.goes })
		if at < 0 {
			continue
		}
		reasons := slices.Clone(s.result.Grants[at].Because)
		for i := range reasons {
			reasons[i].Exception = x.exception
		}
		s.result.Grants[at].Because = reasons
	}
}

// conflictFindings say, for each conflict, what was taken and what is held together
// all the same.
func conflictFindings(doc *config.Document, k Known, s settledConflicts, grants []model.Grant, now time.Time) (out []model.Finding) {
	if len(doc.Conflicts) == 0 {
		return nil
	}
	list, left := slices.Clone(s.taken), s.left
	if len(grants) != len(s.result.Grants)+len(s.kept) { // with what is kept for hand-over
		left = clashes(doc, k, newRoleSet(k, policy.Result{Grants: grants}, s.kept), now)
	}
	for _, x := range left {
		if x.exception == "" && (x.failed || !forbids(x.conflict)) {
			list = append(list, x)
		}
	}
	for i := range doc.Conflicts {
		c := &doc.Conflicts[i]
		var texts []string
		for _, x := range list {
			if x.conflict == c {
				texts = append(texts, x.text())
			}
		}
		if len(texts) > 0 {
			out = append(out, model.Finding{Kind: model.FindingConflict, Subject: c.Name, Message: strings.Join(texts, "; ")})
		}
	}
	return out
}
