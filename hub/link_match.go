package hub

import (
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// matchValues are the values by which a user is matched, one for each rule; empty
// where the user has none.
func matchValues(snap *Snapshot, t *scim.ResourceType, attrs map[string]any) []string {
	rules := matchRules(snap)
	if len(rules) == 0 {
		return nil
	}
	search := t.SearchDoc(scim.Resource{Type: t.Name, Attrs: attrs})
	out := make([]string, len(rules))
	for i, rule := range rules {
		if p, err := scim.ParsePath(rule); err == nil {
			out[i], _ = valueAt(t, p, search)
		}
	}
	return out
}

// matchesAnew reports whether a write changes what the person is matched by.
func matchesAnew(snap *Snapshot, w store.ResourceWrite) bool {
	return w.Type.Name == "User" && len(matchRules(snap)) > 0 &&
		!slices.Equal(matchValues(snap, w.Type, w.Before), matchValues(snap, w.Type, w.Resource.Attrs))
}

// rematch looks again whose a changed resource is, where nothing else describes the
// person. Who never had any access is linked at once; of everybody else somebody has
// to say that they are the same, for links move accounts.
func (h *Hub) rematch(tx *store.Tx, by Actor, w store.ResourceWrite) error {
	snap := h.Snapshot()
	if !matchesAnew(snap, w) {
		return nil
	}
	keys := apartKeys(w.Resource.ID, w.Resource.Attrs)
	if err := tx.FollowApart(w.Source, apartKeys(w.Resource.ID, w.Before), keys); err != nil {
		return err
	}
	if users, err := tx.UsersOf(w.Identity); err != nil || len(users) != 1 {
		return err
	}
	if err := tx.LockValues(matchValues(snap, w.Type, w.Resource.Attrs)); err != nil {
		return err
	}
	found, err := match(tx, snap, w)
	if err != nil {
		return err
	}
	switch {
	case found.identity != "":
		return h.rematched(tx, by, w, found)
	case len(found.candidates) > 0:
		return h.unclear(tx, w, found, false)
	}
	return settled(tx, w)
}

// rematched links a changed resource to the one person that it matches now.
func (h *Hub) rematched(tx *store.Tx, by Actor, w store.ResourceWrite, found matched) error {
	other, err := tx.Standing(found.identity)
	if err != nil || other == "" {
		return err
	}
	had, err := tx.HadAccess(w.Identity)
	if err != nil {
		return err
	}
	if had {
		found.candidates = []string{other}
		return h.unclear(tx, w, found, false)
	}
	rows, err := tx.LockIdentities(w.Identity, other)
	if err != nil {
		return err
	}
	_, err = h.merge(tx, by.String(), rows[w.Identity], rows[other], found.rule)
	return err
}

// unclear opens a case about a resource, or changes the one that is open.
func (h *Hub) unclear(tx *store.Tx, w store.ResourceWrite, found matched, blocks bool) error {
	open, err := tx.OpenCaseOf(w.Resource.ID)
	if err != nil {
		return err
	}
	if open != nil && slices.Equal(open.Candidates, found.candidates) {
		return nil
	}
	id, err := tx.OpenCase(model.Case{Identity: w.Identity, Source: w.Source, ResourceID: w.Resource.ID, Rule: found.rule, Candidates: found.candidates, Blocks: blocks})
	if err != nil {
		return err
	}
	h.Log.Warn("person not linked: somebody has to decide", "case", id, "source", w.Source, "identity", w.Identity, "candidates", found.candidates)
	return tx.AddEvent(store.Event{Type: "identity.ambiguous", Source: w.Source, Identity: w.Identity,
		Data: map[string]any{"case": id, "rule": found.rule, "candidates": found.candidates, "blocks": blocks || open != nil && open.Blocks}})
}

// settled decides the open case of a resource that nobody else matches any more.
func settled(tx *store.Tx, w store.ResourceWrite) error {
	identity, err := tx.DropCase(w.Resource.ID)
	if err != nil || identity == "" {
		return err
	}
	return told(tx, "hub", "identity.apart", map[string]any{"resources": []string{w.Source + "/" + w.Resource.ID}, "by": "hub", "why": "nobody else matches any more"}, identity)
}
