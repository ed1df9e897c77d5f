package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Group reads a group with its members.
func (c *Client) Group(ctx context.Context, id string) (RemoteGroup, error) {
	var members []string
	g, err := c.readGroup(ctx, id, func(member string) bool {
		members = append(members, member)
		return true
	})
	if err != nil {
		return RemoteGroup{}, err
	}
	g.Members = members
	return g, nil
}

// Members streams the ids of a group's members: from the group itself, or from the
// list of accounts filtered by group where that is what the application answers.
func (c *Client) Members(ctx context.Context, groupID string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		stopped := false
		each := func(id string) bool {
			stopped = stopped || !yield(id, nil)
			return !stopped
		}
		var err error
		if c.profile.MembersReadable {
			_, err = c.readGroup(ctx, groupID, each)
		} else {
			err = c.membersByFilter(ctx, groupID, each)
		}
		if err != nil && !stopped {
			yield("", err)
		}
	}
}

// membersByFilter asks which accounts are in a group. Accounts that show their groups
// are believed when this one is among them; those that show none only where the
// application is known to refuse a filter that it does not know.
func (c *Client) membersByFilter(ctx context.Context, groupID string, each func(string) bool) error {
	term := ""
	for _, f := range []string{"groups.value", "groups"} {
		if term == "" && slices.ContainsFunc(c.profile.Filters.Users, func(l string) bool { return strings.EqualFold(l, f) }) {
			term = f
		}
	}
	if _, eq := c.profile.searchName([]string{"*"}, attrPath{attr: "groups"}); term == "" || !eq {
		return &ClientError{Class: Unreadable, Detail: c.application() + " never shows the members of a group"}
	}
	groups, err := parseAttr("groups")
	if err != nil {
		return err
	}
	for doc, err := range c.pages(ctx, "/Users", url.Values{"filter": {equals(term, groupID)}}, "") {
		if err != nil {
			return err
		}
		u, err := userOf(doc)
		if err != nil {
			return err
		}
		_, shown := field(doc, "groups")
		switch {
		case shown && !carries(groups.get(doc), groupID, true):
			continue
		case !shown && c.profile.BadFilter != "refuse":
			return &ClientError{Class: Unreadable, Detail: c.application() + " shows accounts without their groups: nothing says that it heeded the filter"}
		case !each(u.ID):
			return nil
		}
	}
	return nil
}

// readGroup reads a group while it comes, whatever its size, and shows its members
// one by one until member answers false. That it was the group asked for may be known
// only at the end.
func (c *Client) readGroup(ctx context.Context, id string, member func(string) bool) (RemoteGroup, error) {
	s, err := c.open(ctx, request{method: http.MethodGet, path: "/Groups/" + url.PathEscape(id)})
	if err != nil {
		return RemoteGroup{}, err
	}
	defer s.close()
	dec := newDecoder(s)
	doc, stopped := map[string]any{}, false
	err = s.object(dec, func(name string) error {
		if !strings.EqualFold(name, "members") {
			return s.beside(dec, name, doc, "id", "displayName")
		}
		_, err := s.list(dec, func() error {
			s.allow(memberLimit)
			v, err := readValue(dec, 1)
			if err != nil {
				return err
			}
			if m := memberOf(v); m != "" && !member(m) {
				stopped = true
				return errStopped
			}
			return nil
		})
		return err
	})
	if stopped {
		return RemoteGroup{}, nil
	}
	if err != nil {
		return RemoteGroup{}, s.fault(err)
	}
	g, err := groupOf(doc)
	if err == nil && !strings.EqualFold(g.ID, id) {
		err = &ClientError{Class: Garbage, Status: s.status, Detail: "the target answers with another resource than the one asked for"}
	}
	return g, err
}

// PatchMembers sends additions and removals in one request, or where the profile's
// limits ask for more, in several: removals first, so that access goes before it comes.
func (c *Client) PatchMembers(ctx context.Context, groupID string, add, remove []string) error {
	n := len(add) + len(remove)
	switch most := c.profile.Patch.MaxMemberChanges; {
	case n == 0:
		return nil
	case most > 0 && n > most:
		return &ClientError{Class: Invalid, Detail: fmt.Sprintf("%d membership changes in one request, %s takes %d", n, c.application(), most)}
	case !c.profile.Patch.Supported:
		return c.replaceGroup(ctx, groupID, func(doc map[string]any) { mergeMembers(doc, add, remove) })
	}
	add, err := c.newMembers(ctx, groupID, add)
	if err != nil {
		return err
	}
	n = len(add) + len(remove)
	for _, body := range c.memberPatches(add, remove) {
		_, err := c.do(ctx, request{method: http.MethodPatch, path: "/Groups/" + url.PathEscape(groupID), body: body, members: membersIn(body)})
		if err != nil && n == 1 {
			err = c.asWanted(ctx, groupID, add, remove, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newMembers leaves out of those to add who is in the group already, where the
// application would show them twice.
func (c *Client) newMembers(ctx context.Context, groupID string, add []string) ([]string, error) {
	if !c.profile.Patch.RepeatsMembers || !c.profile.MembersReadable || len(add) == 0 {
		return add, nil
	}
	absent := make(map[string]bool, len(add))
	for _, id := range add {
		absent[id] = true
	}
	for id, err := range c.Members(ctx, groupID) {
		if err != nil {
			return nil, err
		}
		delete(absent, id)
	}
	return slices.DeleteFunc(slices.Clone(add), func(id string) bool { return !absent[id] }), nil
}

// memberPatches are the bodies that change the members, each within the limits unless
// it holds one member alone.
func (c *Client) memberPatches(add, remove []string) []map[string]any {
	body := patchOp(c.memberOps(add, remove))
	switch {
	case len(add)+len(remove) == 0:
		return nil
	case len(add)+len(remove) == 1 || c.fits(body):
		return []map[string]any{body}
	case len(add) > 0 && len(remove) > 0:
		return append(c.memberPatches(nil, remove), c.memberPatches(add, nil)...)
	case len(remove) > 0:
		half := len(remove) / 2
		return append(c.memberPatches(nil, remove[:half]), c.memberPatches(nil, remove[half:])...)
	}
	half := len(add) / 2
	return append(c.memberPatches(add[:half], nil), c.memberPatches(add[half:], nil)...)
}

// memberOps adds in one operation and removes by value path, one operation a member:
// the form that most targets read alike.
func (c *Client) memberOps(add, remove []string) []any {
	var ops []any
	if len(add) > 0 {
		op := map[string]any{"op": c.op("add"), "path": "members", "value": memberValues(add)}
		if c.profile.MemberShape == "nested" || c.profile.Patch.WithoutPath == "required" {
			op = map[string]any{"op": c.op("add"), "value": map[string]any{"members": memberValues(add)}}
		}
		ops = append(ops, op)
	}
	if len(remove) > 0 && c.profile.Patch.RemoveMembers == "list" {
		return append(ops, map[string]any{"op": c.op("remove"), "path": "members", "value": memberValues(remove)})
	}
	for _, id := range remove {
		ops = append(ops, map[string]any{"op": c.op("remove"), "path": "members[value eq " + quoted(id) + "]"})
	}
	return ops
}

func memberValues(ids []string) []any {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = map[string]any{"value": id}
	}
	return values
}

// mergeMembers changes the member list of a group that was read.
func mergeMembers(doc map[string]any, add, remove []string) {
	v, _ := field(doc, "members")
	list, _ := v.([]any)
	there := make(map[string]bool, len(list)+len(add))
	gone := make(map[string]bool, len(remove))
	for _, id := range remove {
		gone[id] = true
	}
	kept := make([]any, 0, len(list)+len(add))
	for _, e := range list {
		if id := memberOf(e); !gone[id] {
			there[id] = true
			kept = append(kept, e)
		}
	}
	for _, id := range add {
		if !there[id] {
			there[id] = true
			kept = append(kept, map[string]any{"value": id})
		}
	}
	put(doc, "members", kept)
}

// asWanted looks at the refusal of a single change: some targets refuse to add who is
// there and to remove who is not. That nobody needs to do anything counts only where
// the target says so; a member that it does not know is Invalid, not a missing group.
func (c *Client) asWanted(ctx context.Context, groupID string, add, remove []string, refusal error) error {
	e := asClientError(refusal)
	if e.Class != Conflict && e.Class != Invalid && e.Class != Missing {
		return refusal
	}
	if !c.profile.MembersReadable {
		return c.withoutLooking(ctx, groupID, len(remove) == 1, e)
	}
	wanted := slices.Concat(add, remove)[0]
	in := false
	for id, err := range c.Members(ctx, groupID) {
		if err != nil {
			return refusal // also where it is the group that is not there
		}
		if in = id == wanted; in {
			break
		}
	}
	if in == (len(add) == 1) {
		return nil
	}
	return unknownMember(e)
}

// withoutLooking judges a refusal where members are not shown: nobody is member of a
// group there that the target does not know, and "already" is said of who is.
func (c *Client) withoutLooking(ctx context.Context, groupID string, removal bool, e *ClientError) error {
	if e.Class == Conflict && !removal && strings.Contains(strings.ToLower(e.Detail), "already") {
		return nil
	}
	if e.Class != Missing {
		return e
	}
	_, err := c.do(ctx, request{method: http.MethodGet, path: "/Groups/" + url.PathEscape(groupID), query: url.Values{"excludedAttributes": {"members"}}})
	switch {
	case err != nil:
		return e
	case removal:
		return nil
	}
	return unknownMember(e)
}

func unknownMember(e *ClientError) error {
	if e.Class != Missing {
		return e
	}
	out := *e
	out.Class, out.Detail = Invalid, "the group is there, the account to add is not: "+e.Detail
	return &out
}

// membersIn counts the memberships that a PATCH changes.
func membersIn(body map[string]any) (n int) {
	ops, _ := body["Operations"].([]any)
	for _, o := range ops {
		op, _ := o.(map[string]any)
		value := op["value"]
		if m, nested := value.(map[string]any); nested {
			value = m["members"]
		}
		list, _ := value.([]any)
		n += max(len(list), 1)
	}
	return n
}
