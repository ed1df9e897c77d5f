package policy

import (
	"slices"

	"github.com/scimhub/scimhub/model"
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
	due := newEntitled()
	for _, g := range grants {
		for _, ent := range e.Entitlements(g.Role) {
			if ent.Target != t.Name {
				continue
			}
			due.add("", g.Because...)
			if ent.Group != "" {
				due.add(ent.Group, g.Because...)
			}
		}
	}
	e.mirror(t, i, due)
	because := due.reasons
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
