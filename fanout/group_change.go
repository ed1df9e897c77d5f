package fanout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// The words of changes to groups that wait for a person.
const (
	heldAdoptGroup  = "a group that exists is taken over only when somebody approves it (groups.adopt: ask)"
	heldDeleteGroup = "the deletion of a group cannot be undone at this application and waits for approval"
)

// The words of what cannot be, whoever approves.
const (
	neverAdoptGroup = "a group of this name exists already and is not taken over (groups.adopt: never)"
	heldNoGroups    = "this application has no groups over SCIM"
)

// groupNameLimit is the attribute whose limit holds for the names of groups.
const groupNameLimit = scim.URNGroup + ":displayName"

// groupDiffer decides what is to be done about groups of one target. It is pure.
type groupDiffer struct {
	target  model.Target
	profile Profile
	protect protector
}

func newGroupDiffer(t model.Target, p Profile) groupDiffer {
	return groupDiffer{target: t, profile: p, protect: compileProtect(t.Protect)}
}

// change is what would bring one group to what is wanted; ok is false where nothing is
// to be done, and why says so in words where that needs saying.
//
//	wanted  at the target                       change
//	-------------------------------------------------------------------------------
//	yes     nothing known                       create-group, after a look for it
//	yes     found, not ours                     adopt-group (held with ask and never)
//	yes     ours, called otherwise              rename-group; create-group where it cannot
//	yes     ours                                –
//	no      nothing, or not ours                –
//	no      adopted                             – (it was there before the hub)
//	no      made by the hub, remove: delete     delete-group once nobody is in it
//	no      made by the hub, else               –
//
// What the mode, a protect filter or the application forbids is held, in words.
func (d groupDiffer) change(g store.TargetGroup) (c model.Change, ok bool, why string) {
	c = model.Change{Group: g.Name, RemoteID: g.RemoteID, Because: grantedBy(g)}
	ours := isOurs(g)
	switch {
	case g.Wanted && !d.profile.Has("Group"):
		c.Verb, c.Held = model.CreateGroup, heldNoGroups
		return c, true, ""
	case g.Wanted && g.RemoteID == "":
		c.Verb = model.CreateGroup
	case g.Wanted && !ours:
		c.Verb = model.AdoptGroup
		switch d.target.Groups.Adopt {
		case "ask":
			c.Held = heldAdoptGroup
		case "never":
			c.Held = neverAdoptGroup
		}
	case g.Wanted && cmp.Or(g.Applied, g.Name) != g.Name:
		if scim.Fold(g.Applied) == scim.Fold(g.Name) && (g.Owned == model.OwnedAdopted || !d.profile.Rename.Group) {
			return c, false, "" // nobody tells the two names apart
		}
		c.Verb = model.RenameGroup
		c.Fields = []model.FieldDiff{{Path: "displayName", Before: g.Applied, After: g.Name}}
		if !d.profile.Rename.Group {
			c.Verb, c.Because = model.CreateGroup, append(c.Because, fmt.Sprintf("group %q cannot be renamed at this application", g.Applied))
		}
	case g.Wanted || !ours:
		return c, false, ""
	default:
		c.Verb, c.Because = model.DeleteGroup, []string{"nothing grants it any longer (groups.remove: delete)"}
		if why = d.kept(g); why != "" {
			return c, false, why
		}
	}
	d.hold(g, &c)
	return c, true, ""
}

// kept says why a group that nothing grants stays; empty: it goes.
func (d groupDiffer) kept(g store.TargetGroup) string {
	switch rule := cmp.Or(d.target.Groups.Remove, "keep"); {
	case g.Owned == model.OwnedAdopted:
		return "nothing grants it any longer; it was there before the hub and stays"
	case rule != "delete":
		return "nothing grants it any longer; it stays (groups.remove: " + rule + ")"
	case d.profile.DeleteGroup == "forbidden":
		return "nothing grants it any longer; this application cannot delete groups"
	}
	return ""
}

// hold marks what must not be done, or not yet.
func (d groupDiffer) hold(g store.TargetGroup, c *model.Change) {
	if name, hit := d.protect.matchDoc(g.RemoteID, map[string]any{"displayName": cmp.Or(g.Applied, g.Name)}); hit && g.RemoteID != "" {
		c.Held = heldProtected + ": " + name
		return
	}
	if words := forbidden(d.target.Mode, c.Verb); words != "" {
		c.Held = words
		return
	}
	if words := d.unfit(g.Name); words != "" && c.Verb != model.DeleteGroup {
		c.Held = words
		return
	}
	if c.Held == "" && c.Verb == model.DeleteGroup && d.profile.DeleteGroup == "irreversible" {
		c.Held = heldDeleteGroup
	}
	if g.Approved != "" && groupAwaitsApproval(c.Held) && g.Approved == Digest(d.target.Name, *c) {
		c.Held = ""
	}
}

// unfit says what the application does not take of a group's name.
func (d groupDiffer) unfit(name string) string {
	for _, path := range []string{groupNameLimit, "displayName"} {
		limit, stated := d.profile.Limits[path]
		if !stated {
			continue
		}
		if n := len([]rune(name)); limit.Len > 0 && n > limit.Len {
			return fmt.Sprintf("the group's name has %d characters, %s takes at most %d: give it a shorter one at its source", n, d.profile.Name, limit.Len)
		}
		// Characters refused in people's names are often taken in groups' names.
		if at := strings.IndexAny(name, limit.Charset); path == groupNameLimit && at >= 0 {
			return fmt.Sprintf("the group's name has the character %q, which %s refuses", []rune(name[at:])[0], d.profile.Name)
		}
		return ""
	}
	return ""
}

func groupAwaitsApproval(held string) bool {
	return held == heldAdoptGroup || held == heldDeleteGroup
}

// isOurs reports whether a group at the target is under the hub's care.
func isOurs(g store.TargetGroup) bool {
	return g.RemoteID != "" && (g.Owned == model.OwnedCreated || g.Owned == model.OwnedAdopted)
}

// grantedBy says in words what grants a group. Several say that it is one for all.
func grantedBy(g store.TargetGroup) []string {
	var out []string
	for _, o := range g.Origins {
		text := "role " + o.Ref + " grants it"
		if o.Kind == store.OriginMirror {
			text = fmt.Sprintf("source group %q of %s is mirrored", o.Label, o.Source)
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// GroupChanges are the changes that would bring the groups of a target to what is
// wanted, in order of name; those that are held say why. It is pure. The worker looks
// for a group before it makes one.
func GroupChanges(t model.Target, p Profile, groups []store.TargetGroup) []model.Change {
	if t.Manual != nil {
		return nil
	}
	d := newGroupDiffer(t, p)
	var out []model.Change
	for _, g := range groups {
		c, ok, _ := d.change(g)
		if !ok {
			continue
		}
		if c.Held == "" && g.State == string(model.StateHeld) { // by what only the target could tell
			c.Held = cmp.Or(g.LastError, "held")
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, byOrder)
	return out
}

// GroupWhy says in words why a group stands as it does: what grants it, what is to be
// done about it and what keeps that from being done.
func GroupWhy(t model.Target, p Profile, g store.TargetGroup) []string {
	out := grantedBy(g)
	if len(g.Origins) > 1 {
		out = append(out, "one group for all of these")
	}
	c, ok, why := newGroupDiffer(t, p).change(g)
	if t.Manual != nil {
		ok, why = false, ""
	}
	switch {
	case g.LastError != "":
		out = append(out, g.LastError)
	case ok && c.Held != "":
		out = append(out, c.Held)
	case why != "":
		out = append(out, why)
	}
	return out
}
