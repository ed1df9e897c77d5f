package hub

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

// handOver keeps roles that a mover no longer matches for as long as the role's
// hand-over says, and of what these inherit what was held, too.
//
//	why the role is no longer given                      it is kept
//	---------------------------------------------------------------------------
//	the facts changed: its rule no longer matches        yes
//	a deny rule matches, a conflict took it              no
//	a request ended, or the rule waits for an approval   no
//	the person has left, or is not to be in yet          no
//
// The end is noted in the grant the first time and never put off; what is regained
// meanwhile loses the mark.
func (d *Decision) handOver(doc *config.Document, k Known, s settledConflicts, now time.Time) {
	o := handing{doc: doc, now: now, held: map[string]model.Grant{}, gone: map[string]bool{}, kept: map[string]model.Grant{}}
	due := map[string]bool{}
	for _, g := range d.Grants {
		due[g.Role] = true
	}
	for _, g := range k.Held {
		if !due[g.Role] {
			o.held[g.Role] = g
		}
	}
	if len(o.held) == 0 {
		return
	}
	for _, role := range slices.Concat(s.refused, s.result.Barred) {
		o.gone[role] = true
	}
	for _, x := range d.Denied {
		o.gone[x.Role] = true
	}
	for _, x := range s.result.Wanted {
		o.gone[x.Role] = true
	}
	for again := true; again; again = o.yield(d.Grants, k) { // what gives way gives nothing on
		clear(o.kept)
		for _, role := range slices.Sorted(maps.Keys(o.held)) {
			o.begin(role, due)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(o.kept)) {
		d.Grants = append(d.Grants, o.kept[role])
	}
	slices.SortStableFunc(d.Grants, func(a, b model.Grant) int { return strings.Compare(a.Role, b.Role) })
}

// handing works out what is kept for hand-over.
type handing struct {
	doc  *config.Document
	now  time.Time
	held map[string]model.Grant // before, and not given any more
	gone map[string]bool        // roles that must not be kept, and give nothing
	kept map[string]model.Grant
}

// begin keeps a role whose own hand-over runs, with what it inherits.
func (o *handing) begin(role string, due map[string]bool) {
	c, ok := o.doc.Role(role)
	if !ok || c.HandOver <= 0 || o.gone[role] {
		return
	}
	g := o.held[role]
	until := o.now.Add(c.HandOver)
	if isHandOver(g) && g.Until != nil && g.Until.Before(until) {
		until = *g.Until
	}
	if !o.now.Before(until) {
		return
	}
	var reasons []model.Reason
	for _, r := range g.Because {
		if r.Request == "" && !o.gone[r.Role] && !slices.ContainsFunc(r.Via, func(via string) bool { return o.gone[via] }) {
			r.HandOver, r.Exception = true, ""
			reasons = append(reasons, r)
		}
	}
	if len(reasons) == 0 {
		return
	}
	o.keep(role, reasons, until)
	o.below(c, reasons, until, due, map[string]bool{role: true})
}

// below keeps what a role inherits, as far as it was held.
func (o *handing) below(c config.Role, reasons []model.Reason, until time.Time, due, seen map[string]bool) {
	for _, parent := range slices.Sorted(slices.Values(c.Inherits)) {
		_, held := o.held[parent]
		if seen[parent] || o.gone[parent] || !held && !due[parent] {
			continue
		}
		seen[parent] = true
		further := make([]model.Reason, len(reasons))
		for i, r := range reasons {
			r.Via = append(slices.Clone(r.Via), parent)
			further[i] = r
		}
		if held {
			o.keep(parent, further, until)
		}
		if next, ok := o.doc.Role(parent); ok {
			o.below(next, further, until, due, seen)
		}
	}
}

// keep notes that a role is kept until a moment at least.
func (o *handing) keep(role string, reasons []model.Reason, until time.Time) {
	g, already := o.kept[role]
	if !already {
		g = o.held[role]
		g.Because, g.ApprovedBy, g.Until = nil, "", nil
	}
	if g.Until == nil || until.After(*g.Until) {
		g.Until = &until
	}
	for _, r := range reasons {
		r.KeptUntil = nil // of all reasons together, see below
		known := slices.ContainsFunc(g.Because, func(o model.Reason) bool {
			o.KeptUntil = nil
			return sameReasons([]model.Reason{o}, []model.Reason{r})
		})
		if !known {
			g.Because = append(g.Because, r)
		}
	}
	for i := range g.Because {
		g.Because[i].KeptUntil = g.Until
	}
	slices.SortStableFunc(g.Because, func(a, b model.Reason) int { // from whichever role one comes to it
		return cmp.Or(cmp.Compare(len(a.Via), len(b.Via)), strings.Compare(policy.ReasonText(a), policy.ReasonText(b)), cmp.Compare(a.Version, b.Version))
	})
	o.kept[role] = g
}

// yield finds what conflicts with a role that is given, or that is kept and stands
// before it; it reports whether there is any, which is gone then.
func (o *handing) yield(grants []model.Grant, k Known) (found bool) {
	if len(o.doc.Conflicts) == 0 || len(o.kept) == 0 {
		return false
	}
	let := func(role string) { o.gone[role], found = true, true }
	given := policy.Result{Grants: grants}
	for _, role := range slices.Sorted(maps.Keys(o.kept)) {
		set := newRoleSet(k, given, []model.Grant{{Role: role}})
		if slices.ContainsFunc(clashes(o.doc, k, set, o.now), func(x clash) bool {
			return (x.stays == role || x.goes == role) && x.exception == "" && forbids(x.conflict)
		}) {
			let(role)
		}
	}
	for _, x := range clashes(o.doc, k, newRoleSet(k, policy.Result{Grants: slices.Collect(maps.Values(o.kept))}, nil), o.now) {
		if !o.gone[x.stays] && !o.gone[x.goes] && x.exception == "" && forbids(x.conflict) {
			let(x.goes)
		}
	}
	return found
}

// isHandOver reports whether a grant is kept for hand-over and given by nothing.
func isHandOver(g model.Grant) bool {
	return len(g.Because) > 0 && every(g.Because, func(r model.Reason) bool { return r.HandOver })
}
