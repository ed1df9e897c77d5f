package proxy

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// createGroup makes a group and then adds its members, as many at a time as the
// target takes.
func (b backend) createGroup(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	if !b.remote.Profile.Has("Group") {
		return scim.Resource{}, scim.Errorf(http.StatusNotImplemented, "", "%s has no groups", b.remote.Target.Name)
	}
	name, _ := attrs["displayName"].(string)
	g, err := b.remote.Client.CreateGroup(ctx, name)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := b.members(ctx, g.ID, memberIDs(attrs), nil); err != nil {
		return scim.Resource{}, fmt.Errorf("the group %s was created, not all members were added: %w", g.ID, err)
	}
	if external, _ := attrs["externalId"].(string); external != "" && b.remote.Profile.StoresExternalID {
		if err := b.remote.Client.SetGroupExternalID(ctx, g.ID, external); err != nil {
			return scim.Resource{}, fmt.Errorf("the group %s was created without its externalId: %w", g.ID, err)
		}
	}
	return b.read(ctx, t, g.ID)
}

// members writes what changes in the profile's pieces.
func (b backend) members(ctx context.Context, id string, add, remove []string) error {
	most := max(b.remote.Profile.Patch.MaxMemberChanges, 1)
	for piece := range slices.Chunk(add, most) {
		if err := b.remote.Client.PatchMembers(ctx, id, piece, nil); err != nil {
			return err
		}
	}
	for piece := range slices.Chunk(remove, most) {
		if err := b.remote.Client.PatchMembers(ctx, id, nil, piece); err != nil {
			return err
		}
	}
	return nil
}

func memberIDs(attrs map[string]any) []string {
	list, _ := attrs["members"].([]any)
	var out []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		if id, _ := m["value"].(string); id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// modifyGroup renames and changes members. Where a change names its members the
// group's other members are not read.
func (b backend) modifyGroup(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change) (scim.Resource, error) {
	defer b.proxy.alone(id)()
	named, whole := c.MemberScope()
	before, err := b.group(ctx, t, id, whole)
	if err == nil {
		err = pre.Check(before.Meta)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	after, add, remove, err := consequences(t, before, c, named, whole)
	if err != nil {
		return scim.Resource{}, err
	}
	name, _ := after.Attrs["displayName"].(string)
	old, _ := before.Attrs["displayName"].(string)
	if len(add)+len(remove) == 0 && len(fieldsOf(before.Attrs, after.Attrs)) == 0 {
		return before, nil
	}
	d, err := b.deed(ctx, "members", t, id, before)
	if err == nil && len(remove) > 0 {
		d.verb, d.removals = "part", d.removals-1+len(remove)
	}
	if err == nil {
		d.protected, err = b.protectedMember(ctx, append(slices.Clone(add), remove...))
	}
	if err == nil {
		err = b.permit(d)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	external, _ := after.Attrs["externalId"].(string)
	if was, _ := before.Attrs["externalId"].(string); external != was && b.remote.Profile.StoresExternalID {
		if err := b.remote.Client.SetGroupExternalID(ctx, id, external); err != nil {
			return scim.Resource{}, b.failed(ctx, "update", t, id, err)
		}
	}
	if name != old {
		if err := b.remote.Client.RenameGroup(ctx, id, name); err != nil {
			return scim.Resource{}, b.failed(ctx, "rename", t, id, err)
		}
	}
	if err := b.members(ctx, id, add, remove); err != nil {
		return scim.Resource{}, b.failed(ctx, "members", t, id, err)
	}
	fields := fieldsOf(before.Attrs, after.Attrs)
	if len(add)+len(remove) > 0 {
		fields = []string{fmt.Sprintf("members +%d -%d", len(add), len(remove))}
	}
	if err := b.done(ctx, "members", t, id, fields, false); err != nil {
		return scim.Resource{}, err
	}
	if err := b.proxy.parted(ctx, b.remote.Target.Name, remove); err != nil {
		return scim.Resource{}, err
	}
	return b.group(ctx, t, id, false)
}

// parted counts those who were taken out of a group for the target's guard.
func (p *Proxy) parted(ctx context.Context, target string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return p.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.CountRemoval(target, "proxy "+id); err != nil {
				return err
			}
		}
		return nil
	})
}

// protectedMost is how many members are put in or taken out at once where accounts are
// protected: each of them is read.
const protectedMost = 100

// protectedMember is the filter that protects one of the accounts, if one does: a
// membership is part of what they may do there.
func (b backend) protectedMember(ctx context.Context, ids []string) (filter string, err error) {
	if len(b.remote.Target.Protect) == 0 {
		return "", nil
	}
	if len(ids) > protectedMost {
		return "", scim.Errorf(http.StatusRequestEntityTooLarge, "", "at most %d members are changed at once here, for some accounts are protected", protectedMost)
	}
	for _, id := range ids {
		doc, err := b.remote.Client.Resource(ctx, "/Users", id)
		if fanout.ClassOf(err) == fanout.Missing {
			continue // a group, or nobody
		}
		if err != nil {
			return "", translated(err)
		}
		userName, _ := doc["userName"].(string)
		if filter, hit := b.remote.Protected(fanout.RemoteUser{ID: id, UserName: userName, Attrs: doc}); hit {
			return filter, nil
		}
	}
	return "", nil
}

// membersUpTo counts the members of a group, as far as they are shown.
func (b backend) membersUpTo(ctx context.Context, id string, most int) (n int, err error) {
	for _, err := range b.remote.Client.Members(ctx, id) {
		if fanout.ClassOf(err) == fanout.Unreadable {
			return 0, nil
		}
		if err != nil {
			return 0, translated(err)
		}
		if n++; n >= most {
			break
		}
	}
	return n, nil
}

// group reads a group; its members only where they are wanted.
func (b backend) group(ctx context.Context, t *scim.ResourceType, id string, members bool) (scim.Resource, error) {
	if members && !b.remote.Profile.MembersReadable {
		return scim.Resource{}, scim.Errorf(http.StatusNotImplemented, "", "%s does not show who is in a group: name the members to add and to remove", b.remote.Target.Name)
	}
	r, err := b.read(ctx, t, id)
	if err == nil && !members {
		r.Attrs = maps.Clone(r.Attrs)
		delete(r.Attrs, "members")
	}
	return r, err
}

// consequences are what a change makes of a group, and whom it adds and removes. With
// whole the group has all its members; else it has none, and who is named is added
// where the change leaves them in the group, whether or not they were there before,
// and removed where it leaves them out.
func consequences(t *scim.ResourceType, before scim.Resource, c scim.Change, named []string, whole bool) (after scim.Resource, add, remove []string, err error) {
	if whole {
		if after, _, err = c.Apply(t, before); err != nil {
			return after, nil, nil, err
		}
		had, has := memberIDs(before.Attrs), memberIDs(after.Attrs)
		return after, without(has, had), without(had, has), nil
	}
	if after, _, err = c.Apply(t, before); err != nil {
		return after, nil, nil, err
	}
	if len(named) == 0 {
		return after, nil, nil, nil
	}
	full := before
	full.Attrs = maps.Clone(before.Attrs)
	list := make([]any, len(named))
	for i, id := range named {
		list[i] = map[string]any{"value": id}
	}
	full.Attrs["members"] = list
	left, _, err := c.Apply(t, full)
	if err != nil {
		return after, nil, nil, err
	}
	add = memberIDs(after.Attrs)
	return after, add, without(named, memberIDs(left.Attrs)), nil
}

func without(list, other []string) []string {
	in := make(map[string]bool, len(other))
	for _, id := range other {
		in[id] = true
	}
	var out []string
	for _, id := range list {
		if !in[id] {
			out = append(out, id)
		}
	}
	return out
}

// fieldsOf names the attributes that differ, never their values.
func fieldsOf(before, after map[string]any) []string {
	var out []string
	for name, v := range after {
		if !reflect.DeepEqual(v, before[name]) {
			out = append(out, name)
		}
	}
	for name := range before {
		if _, still := after[name]; !still {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out)
}

// ofClass is a target's refusal as SCIM says it.
func ofClass(e *fanout.ClientError) error {
	words := e.Error()
	switch e.Class {
	case fanout.Throttled:
		return &scimserver.Retry{Err: scim.Errorf(http.StatusTooManyRequests, "", "the target takes no more requests at the moment"), After: e.RetryAfter}
	case fanout.Conflict:
		return scim.Errorf(http.StatusConflict, scim.Uniqueness, "%s", words)
	case fanout.Missing:
		return scim.Errorf(http.StatusNotFound, "", "%s", words)
	case fanout.Invalid:
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s", words)
	case fanout.Unreadable:
		return scim.Errorf(http.StatusNotImplemented, "", "%s", words)
	case fanout.Timeout:
		return scim.Errorf(http.StatusGatewayTimeout, "", "the target did not answer in time")
	}
	return scim.Errorf(http.StatusBadGateway, "", "the target: %s", words)
}
