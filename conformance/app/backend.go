package app

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// habits gives a store the deviations of a profile that do not concern HTTP.
type habits struct {
	store    *memory.Store
	registry *scim.Registry
	profile  Profile
	counter  *counter
	fates    *fates
	now      func() time.Time
	wrote    func(id string, attrs map[string]any) // see Options
}

var _ scimserver.Backend = habits{}

// Get returns a resource as the application shows it.
func (h habits) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	if liesIn(ctx).forget {
		return scim.Resource{}, scimserver.NotFound(t, id)
	}
	if h.profile.SyntheticList && id == syntheticID {
		return madeUp(t), nil // lists of groups are read one by one
	}
	res, err := h.store.Get(ctx, t, id, want)
	return h.shown(res), err
}

// List shows what the application shows of its resources, and takes the filters
// that it takes.
func (h habits) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	told := liesIn(ctx)
	nobody := scim.Page{StartIndex: max(1, q.StartIndex)}
	if fault := h.profile.filterFault(t, q.Filter); fault != nil {
		h.counter.forbid(ForbiddenFilter)
		if h.profile.EmptyOnBadFilter {
			return nobody, nil
		}
		return nobody, fault
	}
	if told.hidesAll(q) {
		return nobody, nil
	}
	if h.profile.SyntheticList && q.Filter == nil {
		return h.synthetic(t, q), nil
	}
	if h.profile.CutList > 0 {
		q.StartIndex, q.Count = 1, h.profile.CutList
	}
	page, err := h.store.List(ctx, t, q)
	if told.halfList && q.Filter == nil {
		page = halve(page)
	}
	if h.profile.CutList > 0 {
		page.Total = len(page.Resources) // it does not know of more
	}
	for i := range page.Resources {
		page.Resources[i] = h.shown(page.Resources[i])
	}
	return page, err
}

// syntheticID is the id of what an application makes up.
const syntheticID = "synthetic"

// synthetic is the list of an application that shows one made-up resource.
func (h habits) synthetic(t *scim.ResourceType, q scim.Query) scim.Page {
	page := scim.Page{Total: 1, StartIndex: max(1, q.StartIndex)}
	if page.StartIndex == 1 && q.Count > 0 {
		page.Resources = []scim.Resource{madeUp(t)}
	}
	return page
}

func madeUp(t *scim.ResourceType) scim.Resource {
	name, schema := "displayName", scim.URNGroup
	if t.Name == "User" {
		name, schema = "userName", scim.URNUser
	}
	return scim.Resource{ID: syntheticID, Type: t.Name, Meta: scim.Meta{Version: 1},
		Attrs: map[string]any{"schemas": []any{schema}, name: "SYNTHETIC"}}
}

// Create refuses what the application's own rules forbid.
func (h habits) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	h.fates.mu.Lock()
	defer h.fates.mu.Unlock()
	if t.Name != "User" {
		if err := h.checkGroup(attrs); err != nil {
			return scim.Resource{}, err
		}
		res, err := h.store.Create(ctx, t, attrs)
		return h.shown(res), err
	}
	if err := h.checkUser(attrs); err != nil {
		return scim.Resource{}, err
	}
	attrs, err := h.admit(attrs)
	if err != nil {
		return scim.Resource{}, err
	}
	res, err := h.store.Create(ctx, t, attrs)
	if err != nil {
		return res, err
	}
	h.fates.register(res.ID, res.Attrs)
	if h.profile.Invites {
		h.fates.invited[res.ID] = true
	}
	h.wrote(res.ID, res.Attrs)
	return res, nil
}

// Modify refuses what the application's own rules forbid.
func (h habits) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	if liesIn(ctx).forget {
		return scim.Resource{}, scimserver.NotFound(t, id)
	}
	if t.Name == "User" {
		h.fates.mu.Lock()
		defer h.fates.mu.Unlock()
		return h.modifyUser(ctx, t, id, pre, c, want)
	}
	err := h.checkGroupPatch(c)
	if err == nil && c.Replace != nil {
		err = h.checkGroupReplace(ctx, t, id, c.Replace)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	res, err := h.store.Modify(ctx, t, id, pre, c, want)
	return h.shown(res), err
}

func (h habits) checkGroupReplace(ctx context.Context, t *scim.ResourceType, id string, attrs map[string]any) error {
	old, err := h.store.Get(ctx, t, id, scim.Fields{})
	if err != nil {
		return err
	}
	if h.profile.NoGroupRename && old.Attrs["displayName"] != attrs["displayName"] {
		return h.renameRefused()
	}
	h.cleared(old.Attrs, attrs)
	return h.checkGroup(attrs)
}

// modifyUser changes a user as the application does it; h.fates is locked.
func (h habits) modifyUser(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	before, err := h.store.Get(ctx, t, id, scim.Fields{})
	if err != nil {
		return before, err
	}
	next, changed, err := c.Apply(t, before)
	if err != nil || !changed {
		return h.store.Modify(ctx, t, id, pre, c, want)
	}
	if c.Replace != nil {
		h.cleared(before.Attrs, next.Attrs)
	}
	if err := h.checkUser(next.Attrs); err != nil {
		return before, err
	}
	v, err := h.judge(id, before.Attrs, next.Attrs)
	if err != nil {
		return before, err
	}
	if v.attrs != nil {
		attrs := maps.Clone(v.attrs)
		delete(attrs, "groups") // follows from the groups
		c = scim.Change{Replace: attrs, Dialect: c.Dialect}
	}
	res, err := h.store.Modify(ctx, t, id, pre, c, want)
	if err != nil {
		return res, err
	}
	h.fates.register(id, next.Attrs)
	if v.off {
		err = h.switchedOff(ctx, t, before, v.destroy)
	}
	h.wrote(id, next.Attrs)
	return res, err
}

// switchedOff is what the application does with somebody who was suspended.
func (h habits) switchedOff(ctx context.Context, t *scim.ResourceType, who scim.Resource, destroy bool) error {
	h.orphan(who.Attrs)
	if destroy {
		h.counter.lose(LostInvited)
		h.forgotten(who.ID)
		return h.store.Delete(ctx, t, who.ID, scimserver.Precondition{})
	}
	group, ok := h.registry.Type("Group")
	if !h.profile.PartsOnDisable || !ok {
		return nil
	}
	groups, _ := who.Attrs["groups"].([]any)
	for _, g := range groups {
		m, _ := g.(map[string]any)
		id, _ := m["value"].(string)
		body := `{"schemas":["` + scim.URNPatchOp + `"],"Operations":[{"op":"remove","path":` + strconv.Quote(`members[value eq "`+who.ID+`"]`) + `}]}`
		patch, err := scim.ParsePatch([]byte(body), group, scim.Dialect{})
		if err != nil {
			return err
		}
		if _, err := h.store.Modify(ctx, group, id, scimserver.Precondition{}, scim.Change{Patch: patch}, scim.Fields{}); err != nil {
			return err
		}
	}
	return nil
}

// orphan ends the token where its owner goes.
func (h habits) orphan(attrs map[string]any) {
	if h.profile.OwnedToken && h.fates.owns(attrs) && !h.fates.revoked {
		h.fates.revoked = true
		h.counter.lose(LostToken)
	}
}

// forgotten clears what is known of somebody who has gone.
func (h habits) forgotten(id string) {
	h.fates.register(id, nil)
	delete(h.fates.invited, id)
	delete(h.fates.unreadable, id)
}

// Delete removes, deactivates or refuses.
func (h habits) Delete(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	if liesIn(ctx).forget {
		return scimserver.NotFound(t, id)
	}
	h.fates.mu.Lock()
	defer h.fates.mu.Unlock()
	if t.Name != "User" {
		err := h.store.Delete(ctx, t, id, pre)
		if err == nil && h.profile.GroupDeleteForever {
			h.counter.lose(LostGroup)
		}
		return err
	}
	who, err := h.store.Get(ctx, t, id, scim.Fields{})
	if err != nil {
		return err
	}
	switch {
	case h.profile.NoDelete:
		h.counter.forbid(ForbiddenOperation)
		return scim.Errorf(http.StatusNotImplemented, "", "users cannot be deleted here; set active to false")
	case h.profile.GuardsOwner && h.fates.owns(who.Attrs):
		h.counter.forbid(ForbiddenOperation)
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "the owner cannot be deleted")
	case h.profile.DeleteDeactivates:
		off := scim.Change{Patch: scim.Patch{{Op: scim.OpReplace, Path: &scim.Path{Attr: "active"}, Value: false}}}
		_, err := h.modifyUser(ctx, t, id, pre, off, scim.Fields{})
		return err
	}
	if err := h.store.Delete(ctx, t, id, pre); err != nil {
		return err
	}
	h.bury(who)
	return nil
}

// bury is what becomes of somebody who was deleted.
func (h habits) bury(who scim.Resource) {
	p, f := h.profile, h.fates
	h.orphan(who.Attrs)
	if p.DeleteDestroys && !f.invited[who.ID] {
		h.counter.lose(LostUser)
	}
	if p.DeleteForever {
		h.counter.lose(LostUser)
		h.counter.lose(LostIdentity)
		h.counter.lose(LostRepositories)
	}
	for _, name := range namesOf(who.Attrs) {
		if p.DeleteForever {
			f.ended[name] = true
		}
		if p.BinDays > 0 {
			f.bin[name] = binned{who.ID, h.now().Add(time.Duration(p.BinDays) * 24 * time.Hour)}
		}
	}
	h.forgotten(who.ID)
}

// shown hides what the application does not show.
func (h habits) shown(r scim.Resource) scim.Resource {
	if !h.profile.NoMembersInGet || r.Type != "Group" || r.Attrs["members"] == nil {
		return r
	}
	r.Attrs = maps.Clone(r.Attrs)
	delete(r.Attrs, "members")
	return r
}
