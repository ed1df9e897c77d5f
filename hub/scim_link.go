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
		if err := tx.LockName(userName); err != nil {
			return err
		}
		identity, candidates, err := h.match(tx, snap, w)
		if err != nil {
			return err
		}
		if err := belongsTo(&w, identity); err != nil {
			return err
		}
		if err := tx.CreateResource(w); err != nil || len(candidates) < 2 {
			return err
		}
		h.Log.Warn("person not linked: several candidates", "source", w.Source, "identity", w.Identity, "candidates", candidates)
		return tx.AddEvent(store.Event{Type: "identity.ambiguous", Source: w.Source, Identity: w.Identity,
			Data: map[string]any{"candidates": candidates}})
	})
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
	externalID, _ := w.Resource.Attrs["externalId"].(string)
	orphan, err := h.Store.Returning(ctx, w.Source, userName, externalID)
	if err != nil {
		return err
	}
	w.NewName, w.NewIdentity = "", false
	if err := belongsTo(&w, orphan); err != nil {
		return err
	}
	return h.Store.CreateResource(ctx, w)
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

// match tries the matching rules in order over the resources of other sources.
// The first rule that finds exactly one person links; two or more are left for a
// person to decide, so the resource starts an identity of its own.
func (h *Hub) match(tx *store.Tx, snap *Snapshot, w store.ResourceWrite) (identity string, candidates []string, err error) {
	search := w.Type.SearchDoc(w.Resource)
	var rules []string
	if snap != nil && len(snap.Doc.Sources) > 1 {
		rules = snap.Doc.Identity.Match
	}
	for _, rule := range rules {
		f, err := matchFilter(w.Type, rule, search)
		if err != nil {
			return "", nil, err
		}
		if f == nil {
			continue
		}
		found, err := tx.FindLinkable(w.Source, w.Type, f)
		if err != nil {
			return "", nil, err
		}
		if len(found) > 1 {
			return "", found, nil
		}
		if len(found) == 1 {
			return found[0], nil, nil
		}
	}
	userName, _ := w.Resource.Attrs["userName"].(string)
	externalID, _ := w.Resource.Attrs["externalId"].(string)
	identity, err = tx.Returning(w.Source, userName, externalID)
	return identity, nil, err
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
