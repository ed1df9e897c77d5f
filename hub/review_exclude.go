package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// What a reviewer takes away is kept away by an exclusion: a row that says so, and that
// every evaluation keeps to.
//
//	an exclusion of a role               what follows
//	---------------------------------------------------------------------------
//	its moment has not come              the role ends then
//	in force, a rule gives the role      the role is denied, with the reviewer's words
//	in force, a request gives it         the request is revoked
//	a later request is approved          the exclusion ends: somebody said yes since
//	the rule matches by other facts      the exclusion ends: what was judged is no more
//	the person has left                  the exclusion ends
//
// A fact that is missing is no other fact: a source that failed gives nothing back.

// excluded are the roles that reviewers keep from the person now, sorted. Exclusions
// that end are in d.Excluded, as they are from now on.
func (d *Decision) excluded(snap *Snapshot, k Known, inForce []model.Request, now time.Time) (roles []string) {
	if len(k.Exclusions) == 0 {
		return nil
	}
	given := d.givenOtherwise(snap, k, inForce, now)
	for _, e := range k.Exclusions {
		if e.Role == "" {
			continue
		}
		if why := d.outlived(e, given, inForce, now); why != "" {
			d.endExclusion(e, why, now)
			continue
		}
		if !e.InForce(now) {
			continue
		}
		roles = append(roles, e.Role)
		if _, ok := given[e.Role]; ok {
			d.Denied = append(d.Denied, model.Denied{Role: e.Role, Because: []model.Reason{{Role: e.Role, Rule: exclusionText(e), Version: snap.Version}}})
		}
	}
	return unique(roles)
}

// givenOtherwise are the roles that the person would hold without exclusions, with their
// reasons; nil where no exclusion of a role is in force.
func (d *Decision) givenOtherwise(snap *Snapshot, k Known, inForce []model.Request, now time.Time) map[string][]model.Reason {
	if !slices.ContainsFunc(k.Exclusions, func(e model.Exclusion) bool { return e.Role != "" && e.InForce(now) }) {
		return nil
	}
	out := map[string][]model.Reason{}
	for _, g := range snap.Policy.Evaluate(asPresent(d.Identity, d.Stage), inForce, now).Grants {
		out[g.Role] = g.Because
	}
	return out
}

// outlived says why an exclusion no longer holds; empty: it does.
func (d *Decision) outlived(e model.Exclusion, given map[string][]model.Reason, inForce []model.Request, now time.Time) string {
	for _, r := range inForce {
		if r.Role == e.Role && r.Approved != nil && r.Approved.After(e.Created) {
			return "approved since, with request " + r.ID
		}
	}
	reasons, gives := given[e.Role]
	if !e.InForce(now) || !gives {
		return ""
	}
	current := factsOf(reasons)
	current[departmentPath] = departmentOf(d.Identity.User)
	for _, path := range slices.Sorted(maps.Keys(current)) {
		if was, noted := e.Facts[path]; noted && current[path] != "" && was != "" && !strings.EqualFold(was, current[path]) {
			return fmt.Sprintf("%s was %s when it was reviewed, now %s", path, was, current[path])
		}
	}
	return ""
}

func (d *Decision) endExclusion(e model.Exclusion, why string, now time.Time) {
	e.Ended, e.EndedBy, e.EndedWhy = &now, "hub", why
	d.Excluded = append(d.Excluded, e)
}

// leaveExclusions ends what reviewers keep from somebody who has left, for good.
func (d *Decision) leaveExclusions(k Known, now time.Time) {
	if d.Stage != model.Leaver || mistaken(k.Row, now) {
		return
	}
	for _, e := range k.Exclusions {
		d.endExclusion(e, k.Row.Name+" has left", now)
	}
}

// exclusionsAfter are the exclusions as the decision leaves them.
func (d *Decision) exclusionsAfter(k Known) (out []model.Exclusion) {
	for _, e := range k.Exclusions {
		if !slices.ContainsFunc(d.Excluded, func(x model.Exclusion) bool { return x.ID == e.ID }) {
			out = append(out, e)
		}
	}
	return out
}

// limitGrants has roles end that a reviewer lets somebody keep until a moment only.
func (d *Decision) limitGrants(k Known, now time.Time) {
	for _, e := range k.Exclusions {
		if e.Role == "" || e.Ended != nil || e.InForce(now) || slices.ContainsFunc(d.Excluded, func(x model.Exclusion) bool { return x.ID == e.ID }) {
			continue
		}
		for i, g := range d.Grants {
			if g.Role == e.Role && (g.Until == nil || e.From.Before(*g.Until)) {
				from := e.From
				d.Grants[i].Until = &from
			}
		}
	}
}

// withhold takes entitlements that no role gives, and that a reviewer took away, out of
// what a target should hold.
func withhold(k Known, target string, desired policy.Desired, now time.Time) policy.Desired {
	if desired.Account == nil {
		return desired
	}
	for _, e := range k.Exclusions {
		if e.Role != "" || e.Target != target || !e.InForce(now) {
			continue
		}
		mirrored := func(r model.Reason) bool { return r.Group != "" && strings.EqualFold(r.Group, e.Group) }
		because := map[string][]model.Reason{}
		for key, list := range desired.Because {
			if left := slices.DeleteFunc(slices.Clone(list), mirrored); len(left) > 0 {
				because[key] = left
			}
		}
		if len(because) == 0 {
			return policy.Desired{}
		}
		account := *desired.Account
		account.Groups = slices.DeleteFunc(slices.Clone(account.Groups), func(g string) bool { return because[g] == nil })
		desired = policy.Desired{Account: &account, Because: because}
	}
	return desired
}

// excludedWhy says by which exclusion a request is over; empty: by none.
func (c *requestCase) excludedWhy() string {
	for _, e := range c.env.known.Exclusions {
		if e.Role == c.Role && e.InForce(c.env.now) && c.Approved != nil && !c.Approved.After(e.Created) {
			return exclusionText(e)
		}
	}
	return ""
}

// exclusionText is why something is kept from somebody, in words.
func exclusionText(e model.Exclusion) string {
	return withReason(fmt.Sprintf("taken away by %s in a review on %s", e.By, e.From.UTC().Format(time.DateOnly)), e.Reason)
}

// saveExclusions stores the exclusions that a decision ended. Those of somebody who may
// have left by a mistake stay.
func saveExclusions(tx *store.Tx, d Decision, next store.IdentityRow) (entries []store.AuditEntry, err error) {
	if d.Stage == model.Leaver && mistaken(next, tx.Now) {
		return nil, nil
	}
	for _, e := range d.Excluded {
		saved, err := tx.SaveExclusion(e)
		if err != nil {
			return nil, err
		}
		if !saved {
			continue
		}
		entry, err := tellExclusion(tx, "hub", "review.exclusion_ended", e)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// tellExclusion adds what became of an exclusion to the person's timeline, and gives the
// audit entry.
func tellExclusion(tx *store.Tx, actor, action string, e model.Exclusion) (store.AuditEntry, error) {
	data := map[string]any{"exclusion": e.ID, "review": e.Review, "item": e.Item, "from": e.From}
	for key, text := range map[string]string{"role": e.Role, "target": e.Target, "group": e.Group, "reason": e.Reason, "why": e.EndedWhy} {
		if text != "" {
			data[key] = text
		}
	}
	if err := tx.AddEvent(store.Event{Type: action, Identity: e.Identity, Data: data}); err != nil {
		return store.AuditEntry{}, err
	}
	body, err := json.Marshal(data)
	return store.AuditEntry{Actor: actor, Action: action, Object: "exclusion/" + e.ID, Identity: e.Identity, Data: body}, err
}

// factsOf are the facts that reasons rest on, by attribute, as text.
func factsOf(reasons []model.Reason) model.Facts {
	out := model.Facts{}
	for _, r := range reasons {
		for path, v := range r.Facts {
			out[path] = factText(v)
		}
	}
	return out
}

// departmentOf is the department of a merged user; empty: none is known.
func departmentOf(user map[string]any) string {
	enterprise, _ := user[scim.URNEnterprise].(map[string]any)
	text, _ := model.Member(enterprise, "department").(string)
	return text
}

func factText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v) // keys are sorted
	if err != nil || string(text) == "null" || string(text) == "[]" || string(text) == "{}" {
		return ""
	}
	return string(text)
}
