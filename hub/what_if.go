package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Supposed is what is supposed to be otherwise.
type Supposed struct {
	Facts  map[string]any // by SCIM path; nil: nobody says it any more
	Groups []string       // display names of source groups, instead of those that there are; nil: as they are
	At     *time.Time     // nil: now
}

// WhatIf is what would follow for one person, beside what follows from the facts as
// they are.
type WhatIf struct {
	Row    store.IdentityRow
	At     time.Time
	Now    Planned // from the facts as they are, now
	Then   Planned
	Effect Effect // of one against the other
	Asks   []WouldAsk
}

// WouldAsk is a request that a rule would make, and the people who could decide its
// first step.
type WouldAsk struct {
	Role      string
	Approvers []string // names, or how the configuration calls whom nobody is found for
}

// WhatIf decides about one person as if some facts were otherwise, or it were later.
// Nothing is stored. Invalid names the fact that cannot be.
func (h *Hub) WhatIf(ctx context.Context, person string, s Supposed) (out WhatIf, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return out, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		row, err := tx.FindIdentity(person)
		if err != nil {
			return err
		}
		known, err := gather(tx, snap, []string{row.ID})
		if err != nil {
			return err
		}
		k, ok := known[row.ID]
		if !ok || k.Row.ErasedAt != nil {
			return model.Fail(model.NotFound, fmt.Sprintf("nothing is known of %q any more", person), nil)
		}
		out = WhatIf{Row: row, At: tx.Now, Now: PlanOne(snap, k, tx.Now)}
		if s.At != nil {
			out.At = *s.At
		}
		supposed, err := suppose(tx, snap, k, s)
		if err != nil {
			return err
		}
		out.Then = PlanOne(snap, supposed, out.At)
		out.Effect = out.Then.Decision.against(out.Now.Stage, out.Now.Grants, out.Now.texts())
		out.Asks, err = wouldAsk(tx, supposed, out.Now, out.Then)
		return err
	})
	return out, err
}

// suppose is what would be known of somebody if some facts were otherwise.
func suppose(tx *store.Tx, snap *Snapshot, k Known, s Supposed) (Known, error) {
	if len(s.Facts) > 0 {
		identity, _ := Resolve(snap, k)
		user, err := withFacts(snap, identity.User, s.Facts)
		if err != nil {
			return k, err
		}
		k.Row.User, k.Row.Origin, k.past = user, identity.Origin, true
		if managerOf(user) != managerOf(identity.User) {
			named := store.NamedManager{Source: identity.Origin[scim.URNEnterprise+":manager"], Value: managerOf(user)}
			managers, err := tx.Managers(map[string]store.NamedManager{k.Row.ID: named})
			if err != nil {
				return k, err
			}
			k.Manager = nil
			k.setManager(managers[k.Row.ID])
		}
	}
	if s.Groups != nil {
		k.Groups = nil
		for _, name := range slices.Compact(slices.Sorted(slices.Values(s.Groups))) {
			k.Groups = append(k.Groups, model.Membership{Display: name})
		}
	}
	return k, nil
}

// withFacts is a user with other facts, each checked as a source's would be.
func withFacts(snap *Snapshot, user map[string]any, facts map[string]any) (map[string]any, error) {
	t, ok := snap.Doc.Registry.Type("User")
	if !ok {
		return nil, model.Fail(model.Internal, "there are no users in the configuration", nil)
	}
	r := scim.Resource{Type: t.Name, Attrs: maps.Clone(user)}
	for _, path := range slices.Sorted(maps.Keys(facts)) {
		op := map[string]any{"op": "replace", "path": path, "value": facts[path]}
		if facts[path] == nil {
			op = map[string]any{"op": "remove", "path": path}
		}
		body, err := json.Marshal(map[string]any{"schemas": []string{scim.URNPatchOp}, "Operations": []any{op}})
		if err != nil {
			return nil, err
		}
		patch, err := scim.ParsePatch(body, t, scim.Dialect{})
		if err == nil {
			r, _, err = scim.Change{Patch: patch}.Apply(t, r)
		}
		if err != nil {
			why := err.Error()
			if e, ok := errors.AsType[*scim.Error](err); ok {
				why = e.Detail
			}
			return nil, model.Fail(model.Invalid, fmt.Sprintf("facts: %q cannot be supposed: %s", path, why), err)
		}
	}
	return r.Attrs, nil
}

// wouldAsk are the requests that rules would make and do not make now.
func wouldAsk(tx *store.Tx, k Known, before, then Planned) (out []WouldAsk, err error) {
	asks := func(p Planned, role string) bool {
		return slices.ContainsFunc(p.Requests, func(r model.Request) bool { return r.ID == "" && r.Role == role })
	}
	for _, r := range then.Requests {
		if r.ID != "" || r.State != model.RequestPending || len(r.Steps) == 0 || asks(before, r.Role) {
			continue
		}
		keys := r.Steps[0].Approvers
		found, err := resolveApprovers(tx, k, keys)
		if err != nil {
			return nil, err
		}
		ask := WouldAsk{Role: r.Role}
		for _, key := range keys {
			who := found[key]
			if len(who.IDs) == 0 {
				ask.Approvers = append(ask.Approvers, key)
			}
			for _, id := range who.IDs {
				ask.Approvers = append(ask.Approvers, who.Names[id])
			}
		}
		ask.Approvers = slices.Compact(slices.Sorted(slices.Values(ask.Approvers)))
		out = append(out, ask)
	}
	return out, nil
}
