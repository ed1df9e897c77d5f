package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// createUser decides whose resource this is and stores it. With a single source
// everybody is somebody new, unless a person of that name was deleted before.
func (h *Hub) createUser(ctx context.Context, by Actor, w store.ResourceWrite) error {
	snap := h.Snapshot()
	userName, _ := w.Resource.Attrs["userName"].(string)
	manager := managerOf(w.Resource.Attrs)
	checked := by.StrictReferences && manager != ""
	if !checked && (snap == nil || len(snap.Doc.Sources) < 2) {
		return h.createAlone(ctx, w, userName)
	}
	return h.Store.Update(ctx, func(tx *store.Tx) error {
		w := w
		if err := checkManager(tx, by, manager); err != nil {
			return err
		}
		if err := tx.LockValues(append(matchValues(snap, w.Type, w.Resource.Attrs), userName)); err != nil {
			return err
		}
		found, err := whose(tx, snap, &w)
		if err != nil {
			return err
		}
		if err := tx.CreateResource(w); err != nil || len(found.candidates) == 0 {
			return err
		}
		return h.unclear(tx, w, found, true)
	})
}

// whose decides whose a new resource is: somebody's whom another source describes,
// somebody's who comes back, or somebody new's. Where it could be several people's they
// are in the answer, and it is somebody new's meanwhile.
func whose(tx *store.Tx, snap *Snapshot, w *store.ResourceWrite) (matched, error) {
	found, err := match(tx, snap, *w)
	if err != nil {
		return found, err
	}
	identity := found.identity
	if identity == "" && len(found.candidates) == 0 {
		if identity, err = returning(tx, *w); err != nil {
			return found, err
		}
	}
	if identity != "" {
		if identity, err = tx.Standing(identity); err != nil {
			return found, err
		}
	}
	return found, belongsTo(w, identity)
}

// createAlone stores a user where no other source could know the person.
func (h *Hub) createAlone(ctx context.Context, w store.ResourceWrite, userName string) error {
	w.NewName = userName
	if err := belongsTo(&w, ""); err != nil {
		return err
	}
	err := h.Store.CreateResource(ctx, w)
	if !errors.Is(err, store.ErrOrphan) {
		return err
	}
	w.NewName, w.NewIdentity = "", false
	return h.Store.Update(ctx, func(tx *store.Tx) error {
		w := w
		identity, err := returning(tx, w)
		if err != nil {
			return err
		}
		if identity != "" {
			if identity, err = tx.Standing(identity); err != nil {
				return err
			}
		}
		if err := belongsTo(&w, identity); err != nil {
			return err
		}
		return tx.CreateResource(w)
	})
}

// returning finds who comes back with a new resource; empty if nobody does.
func returning(tx *store.Tx, w store.ResourceWrite) (string, error) {
	userName, _ := w.Resource.Attrs["userName"].(string)
	externalID, _ := w.Resource.Attrs["externalId"].(string)
	return tx.Returning(w.Source, userName, externalID)
}

func belongsTo(w *store.ResourceWrite, identity string) error {
	if identity == "" {
		id, err := newID()
		if err != nil {
			return err
		}
		identity, w.NewIdentity = id, true
	}
	w.Identity, w.Marks = identity, []string{identity}
	return nil
}

// matched is what the matching rules say of a resource: whose it is, or who it could be.
type matched struct {
	rule       string
	identity   string
	candidates []string // two or more
}

// match tries the matching rules in order over the resources of other sources.
// The first rule that finds exactly one person links; two or more are left for a
// person to decide.
func match(tx *store.Tx, snap *Snapshot, w store.ResourceWrite) (matched, error) {
	search := w.Type.SearchDoc(w.Resource)
	for _, rule := range matchRules(snap) {
		f, err := matchFilter(w.Type, rule, search)
		if err != nil {
			return matched{}, err
		}
		if f == nil {
			continue
		}
		found, err := tx.FindLinkable(w.Source, w.Type, f, apartKeys(w.Resource.ID, w.Resource.Attrs)...)
		switch {
		case err != nil:
			return matched{}, err
		case len(found) > 1:
			return matched{rule: rule, candidates: found}, nil
		case len(found) == 1:
			return matched{rule: rule, identity: found[0]}, nil
		}
	}
	return matched{}, nil
}

// matchRules are the rules by which resources of several sources are matched; none
// where there is only one.
func matchRules(snap *Snapshot) []string {
	if snap == nil || len(snap.Doc.Sources) < 2 {
		return nil
	}
	return snap.Doc.Identity.Match
}

func apartKeys(id string, attrs map[string]any) []string {
	userName, _ := attrs["userName"].(string)
	externalID, _ := attrs["externalId"].(string)
	return store.ApartKeys(id, userName, externalID)
}

// matchFilter asks for the resources that have the value that this one has at the
// rule's path; nil if it has none.
func matchFilter(t *scim.ResourceType, rule string, search map[string]any) (scim.Filter, error) {
	p, err := scim.ParsePath(rule)
	if err != nil {
		return nil, fmt.Errorf("identity.match %s: %w", rule, err)
	}
	value, ok := valueAt(t, p, search)
	if !ok {
		return nil, nil
	}
	var f scim.Filter = scim.Compare{Path: scim.Path{URI: p.URI, Attr: p.Attr, Sub: p.Sub}, Op: scim.Eq, Value: value}
	if p.Filter != nil {
		f = scim.ValuePath{Path: scim.Path{URI: p.URI, Attr: p.Attr}, Term: scim.And{Terms: []scim.Filter{p.Filter,
			scim.Compare{Path: scim.Path{Attr: p.Sub}, Op: scim.Eq, Value: value}}}}
	}
	return scim.Bind(f, t)
}

// valueAt reads the text at a path of a search document: of a multi-valued
// attribute the first element that the path's filter accepts.
func valueAt(t *scim.ResourceType, p scim.Path, doc map[string]any) (string, bool) {
	rp, attr, err := t.Resolve(scim.Path{URI: p.URI, Attr: p.Attr})
	if err != nil || attr == nil {
		return "", false
	}
	var node any = doc
	for _, k := range rp.DocPath() {
		m, ok := node.(map[string]any)
		if !ok {
			return "", false
		}
		node = m[k]
	}
	elements, many := node.([]any)
	if !many {
		elements = []any{node}
	}
	var accept scim.Filter
	if p.Filter != nil {
		bound, err := scim.Bind(scim.ValuePath{Path: scim.Path{URI: p.URI, Attr: p.Attr}, Term: p.Filter}, t)
		vp, ok := bound.(scim.ValuePath)
		if err != nil || !ok {
			return "", false
		}
		accept = vp.Term
	}
	for _, e := range elements {
		if s, ok := elementText(e, p.Sub, accept); ok {
			return s, true
		}
	}
	return "", false
}

func elementText(e any, sub string, accept scim.Filter) (string, bool) {
	if m, ok := e.(map[string]any); ok {
		if accept != nil && !accept.Match(m) {
			return "", false
		}
		if sub == "" {
			sub = "value"
		}
		e = m[scim.Fold(sub)]
	}
	s, ok := e.(string)
	return s, ok && s != ""
}
