package policy

import (
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Desired is what one target should hold of one identity. Account nil: nothing.
// Because has a list of reasons for each entitlement: "" is the account itself,
// any other key a group at the target.
type Desired struct {
	Account *model.Account
	Because map[string][]model.Reason
}

// Desire works out what a target should hold of an identity that has these grants.
//
//	stage              grants at the target   in scope   desired
//	----------------------------------------------------------------
//	active             some, or a mirror       yes       account, its groups
//	active             none                    –         nothing
//	active             some                    no        nothing
//	leave              as when active          yes       the same account, inactive unless access is kept
//	prehire            –                       –         nothing: no enabled account before the first day
//	leaver, purged     –                       –         nothing
//
// An entitlement to a group implies the account. An error means that it could not
// be decided, which must not be taken for "nothing".
func (e *Engine) Desire(t model.Target, i model.Identity, grants []model.Grant, stage model.Stage) (Desired, error) {
	if stage != model.Active && stage != model.Leave {
		return Desired{}, nil
	}
	because := map[string][]model.Reason{}
	for _, g := range grants {
		for _, ent := range e.Entitlements(g.Role) {
			if ent.Target != t.Name {
				continue
			}
			because[""] = append(because[""], g.Because...)
			if ent.Group != "" {
				because[ent.Group] = append(because[ent.Group], g.Because...)
			}
		}
	}
	e.mirror(t, i, because)
	if len(because) == 0 {
		return Desired{}, nil
	}
	in, err := e.InScope(t.Name, i)
	if err != nil || !in {
		return Desired{}, err
	}
	account, err := e.Map(t.Name, i)
	if err != nil {
		return Desired{}, err
	}
	if stage == model.Leave && e.doc.Identity.Leave.Access != "keep" {
		account.Active = false
	}
	for key, list := range because {
		because[key] = distinct(list)
		if key != "" {
			account.Groups = append(account.Groups, key)
		}
	}
	slices.Sort(account.Groups)
	return Desired{Account: &account, Because: because}, nil
}

// mirror adds the source groups that are pushed to the target as they are.
func (e *Engine) mirror(t model.Target, i model.Identity, because map[string][]model.Reason) {
	filters := e.mirrors[t.Name]
	if len(filters) == 0 {
		return
	}
	for _, m := range i.Groups {
		doc := map[string]any{"displayname": scim.Fold(m.Display), "id": m.GroupID}
		if !slices.ContainsFunc(filters, func(f scim.Filter) bool { return f.Match(doc) }) {
			continue
		}
		r := model.Reason{Group: m.Display, Sources: map[string]string{"groups": m.Source}, Version: e.version}
		because[""] = append(because[""], r)
		because[m.Display] = append(because[m.Display], r)
	}
}

// distinct keeps the first of equal reasons: one rule may grant many groups.
func distinct(list []model.Reason) []model.Reason {
	var out []model.Reason
	for _, r := range list {
		if !slices.ContainsFunc(out, func(o model.Reason) bool { return sameReason(o, r) }) {
			out = append(out, r)
		}
	}
	return out
}

func sameReason(a, b model.Reason) bool {
	return a.Role == b.Role && a.Rule == b.Rule && a.Group == b.Group && a.Request == b.Request && slices.Equal(a.Via, b.Via)
}

// compileMirrors binds the mirror filters, which the configuration has parsed already.
func compileMirrors(targets []model.Target) map[string][]scim.Filter {
	group, _ := scim.DefaultRegistry().Type("Group")
	out := map[string][]scim.Filter{}
	for _, t := range targets {
		for _, text := range t.Mirror {
			f, err := scim.ParseFilter(text)
			if err != nil {
				continue // reported by the configuration
			}
			if f, err = scim.Bind(f, group); err == nil {
				out[t.Name] = append(out[t.Name], f)
			}
		}
	}
	return out
}
