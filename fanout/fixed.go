package fanout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// split takes out of changes what the application never changes: that is held in words,
// and the rest is carried out.
//
//	differs                                        application                   held
//	--------------------------------------------------------------------------------------
//	userName                                       rename.user: false            userName
//	an e-mail address that was there               rename.email: false           that address
//	an attribute of attr_limits with fixed: true   –                             that attribute
//	what identifies or is demanded, beyond a limit –                             that attribute
//	anything of an account that is to be inactive  update_when_inactive not yes  everything but active
func (d *differ) split(r model.AccountRow, changes []model.Change) []model.Change {
	var out []model.Change
	for _, c := range changes {
		if (c.Verb != model.Update && c.Verb != model.Adopt) || c.Before == nil || c.After == nil {
			out = append(out, c)
			continue
		}
		rest, kept := d.splitOne(r, c)
		if rest.Verb == model.Adopt || len(rest.Fields) > 0 {
			out = append(out, rest)
		}
		if kept != nil {
			out = append(out, *kept)
		}
	}
	return out
}

// splitOne gives what may be written of a change, and what is held; nil: nothing.
func (d *differ) splitOne(r model.AccountRow, c model.Change) (rest model.Change, kept *model.Change) {
	var allowed, refused []model.FieldDiff
	var why []string
	for _, f := range c.Fields {
		words := d.unchangeable(r, f)
		if words == "" {
			allowed = append(allowed, f)
			continue
		}
		refused, why = append(refused, f), append(why, words)
	}
	if len(refused) == 0 {
		return c, nil
	}
	allowed, refused, why = d.noRoom(allowed, refused, why)
	after := *c.After
	after.Attrs = maps.Clone(c.After.Attrs)
	for _, f := range refused {
		switch old, had := c.Before.Attrs[f.Path]; {
		case f.Path == "userName":
			after.UserName = c.Before.UserName
		case had:
			if after.Attrs == nil {
				after.Attrs = map[string]any{}
			}
			after.Attrs[f.Path] = old
		default:
			delete(after.Attrs, f.Path)
		}
	}
	held := c
	held.Verb, held.Before, held.Fields = model.Update, &after, refused
	held.Held = strings.Join(slices.Compact(why), "; ")
	rest = c
	rest.After, rest.Fields = &after, allowed
	return rest, &held
}

// noRoom refuses also what is to come in the place of something that stays, where the
// application takes one element alone.
func (d *differ) noRoom(allowed, refused []model.FieldDiff, why []string) (may, not []model.FieldDiff, words []string) {
	stays := map[string]bool{}
	for _, f := range refused {
		if base, condition, _ := cutPath(f.Path); condition != "" && f.Before != nil && d.profile.most(f.Path) == 1 {
			stays[strings.ToLower(base)+condition] = true
			stays[strings.ToLower(base)] = true
		}
	}
	for _, f := range allowed {
		base, condition, _ := cutPath(f.Path)
		if base = strings.ToLower(base); f.After == nil || !stays[base] || stays[base+condition] {
			may = append(may, f)
			continue
		}
		refused, why = append(refused, f), append(why, fmt.Sprintf("%s has to stay away: the application takes one of these, and the other one stays", f.Path))
	}
	return may, refused, why
}

// unchangeable says in words why the application does not change an attribute; empty: it
// does.
func (d *differ) unchangeable(r model.AccountRow, f model.FieldDiff) string {
	p := d.profile
	switch {
	case f.Path == "active":
		return ""
	case strings.EqualFold(f.Path, "userName") && !p.Rename.User:
		return fmt.Sprintf("%s cannot rename accounts: this one stays %q, for %q a new account would be needed", p.Name, f.Before, f.After)
	case names([]string{"emails"}, f.Path) && !p.Rename.Email && f.Before != nil:
		return fmt.Sprintf("%s cannot change the e-mail address of an account (%s): a new account would be needed", p.Name, f.Path)
	case p.unfitField(f) != "":
		return p.unfitField(f)
	case d.isFixed(f.Path):
		return fmt.Sprintf("%s sets %s when the account is made and never changes it", p.Name, f.Path)
	case r.Desired != nil && !r.Desired.Active && p.UpdateWhenInactive != "yes":
		return fmt.Sprintf("%s does not change an account that is switched off: the rest is written when it is switched on again", p.Name)
	}
	return ""
}

func (d *differ) isFixed(path string) bool {
	for name, limit := range d.profile.Limits {
		if limit.Fixed && names([]string{name}, path) {
			return true
		}
	}
	return false
}

// matchedBy tells by which attribute an account that was found is recognised, in words.
func (d *differ) matchedBy(desired, observed *model.Account) string {
	shown := document(*observed)
	for _, attr := range matchAttributes(d.target, d.profile) {
		p, err := parseAttr(attr)
		if value := matchValue(*desired, attr); err == nil && value != "" && carries(p.get(shown), value, caseExact(attr)) {
			return "adopted: matched by " + attr
		}
	}
	return "adopted: matched by what the account was called before"
}

// restoredWords says that somebody gets back an account that was switched off.
func restoredWords(r model.AccountRow) string {
	if r.DisabledAt != nil {
		return "restored: the account had been switched off on " + r.DisabledAt.UTC().Format("2006-01-02")
	}
	return "restored: the account was switched off"
}
