package fanout

import (
	"context"
	"net/url"
	"slices"

	"github.com/scimhub/scimhub/model/scim"
)

// grouping tries groups with the probe's account as the only member.
func (p *prober) grouping(ctx context.Context) {
	name := "scimhub-probe-" + p.options.Mark
	a, err := p.send(ctx, "POST", "/Groups", map[string]any{"schemas": []any{scim.URNGroup}, "displayName": name})
	if err != nil || !a.ok() || a.id() == "" {
		p.unknown("groups: one could not be created: %s", a.words(err))
		return
	}
	path := "/Groups/" + url.PathEscape(a.id())
	p.made("group", path, name)
	finds, words := p.tryFilter(ctx, "/Groups", equals("displayName", name), a.id())
	misses, other := p.tryFilter(ctx, "/Groups", equals("displayName", "no-such-"+p.options.Mark), "")
	if finds && misses {
		p.found("supported_filters.groups", []string{"displayName"}, "a group was found by displayName, one that does not exist was not")
	} else {
		p.found("supported_filters.groups", []string{}, "look-ups by displayName do not work: %s; %s", words, other)
	}
	if p.known.id != "" && p.known.ours {
		p.members(ctx, path)
	}
	b, err := p.patchAt(ctx, path, map[string]any{"op": "replace", "path": "displayName", "value": name + "-renamed"})
	shown, _ := field(p.get(ctx, path), "displayName")
	if err == nil {
		renamed := b.ok() && scalarText(plain(shown)) == name+"-renamed"
		p.found("rename.group", renamed, "a new displayName of a group was answered %s", b.words(nil))
	}
}

func (p *prober) get(ctx context.Context, path string) map[string]any {
	a, err := p.send(ctx, "GET", path, nil)
	if err != nil || !a.ok() {
		return nil
	}
	return a.doc
}

// members adds, repeats, and removes in the ways that applications differ in.
func (p *prober) members(ctx context.Context, path string) {
	member := []any{map[string]any{"value": p.known.id}}
	add := map[string]any{"op": "add", "path": "members", "value": member}
	a, err := p.patchAt(ctx, path, add)
	if err != nil || !a.ok() {
		p.note("adding a member by PATCH was refused: %s", a.words(err))
		return
	}
	if !slices.Contains(p.memberIDs(ctx, path), p.known.id) {
		p.found("members_readable", false, "a member was added (%d) and the group does not show it", a.status)
		p.unknown("patch.remove_members, group_replace_all: members cannot be read, so what removes them cannot be seen")
		return
	}
	p.found("members_readable", true, "a member that was added is shown")
	if b, err := p.patchAt(ctx, path, add); err == nil {
		switch n := count(p.memberIDs(ctx, path), p.known.id); {
		case b.ok() && n > 1:
			p.found("patch.repeats_members", true, "a member who was added again is shown %d times", n)
		case !b.ok() || n == 0:
			p.note("adding a member who is there was answered %s", b.words(nil))
		}
	}
	b, err := p.patchAt(ctx, path, map[string]any{"op": "remove", "path": "members[value eq " + quoted(p.known.id) + "]"})
	if err == nil && b.ok() && !slices.Contains(p.memberIDs(ctx, path), p.known.id) {
		p.found("patch.remove_members", "filter", "a member was removed by value path")
	} else {
		c, err := p.patchAt(ctx, path, map[string]any{"op": "remove", "path": "members", "value": member})
		if err == nil && c.ok() && !slices.Contains(p.memberIDs(ctx, path), p.known.id) {
			p.found("patch.remove_members", "list", "a member was removed by a list, and not by value path (%s)", b.words(nil))
		} else {
			p.note("no known form of PATCH removes a member: %s", b.words(err))
		}
	}
	p.replaceAll(ctx, path, add)
}

// replaceAll puts a second account in the place of the first: who was in the group must
// be out of it afterwards.
func (p *prober) replaceAll(ctx context.Context, path string, add map[string]any) {
	second := p.other.id
	if second == "" {
		p.unknown("group_replace_all: that takes a second account, which could not be made")
		return
	}
	if a, err := p.patchAt(ctx, path, add); err != nil || !a.ok() {
		return
	}
	a, err := p.patchAt(ctx, path, map[string]any{"op": "replace", "path": "members", "value": []any{map[string]any{"value": second}}})
	if err != nil {
		return
	}
	switch members := p.memberIDs(ctx, path); {
	case a.ok() && slices.Contains(members, second) && slices.Contains(members, p.known.id):
		p.found("group_replace_all", false, "replacing all members was answered %s, and who was there before is there still", a.words(nil))
	default:
		p.found("group_replace_all", a.ok() && slices.Contains(members, second), "replacing all members was answered %s", a.words(nil))
	}
}

func (p *prober) memberIDs(ctx context.Context, path string) []string {
	doc := p.get(ctx, path)
	if doc == nil {
		return nil
	}
	g, err := groupOf(doc)
	if err != nil {
		return nil
	}
	return g.Members
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}
