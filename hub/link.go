package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Linked is what a link or its undoing did.
type Linked struct {
	Person    string   `json:"person"`             // the identity that was linked, or that the resource stands for from now on
	Into      string   `json:"into,omitempty"`     // whom it turned out to be; of an unlink: whose the resource was
	Resources []string `json:"resources"`          // source/id
	Accounts  []string `json:"accounts,omitempty"` // targets whose account went with them
	Returned  bool     `json:"returned,omitempty"` // of an unlink: the identity was there before it was linked
}

// Link says that one person is another. Everything of the first becomes the second's:
// resources, open requests and exceptions, the accounts at targets where the second has
// none. What else the first has is taken away in the ordinary way. Two resources of one
// source are two people unless force says otherwise.
func (h *Hub) Link(ctx context.Context, by Actor, person, to string, force bool) (out Linked, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		p, q, err := h.bothNamed(tx, person, to)
		if err != nil {
			return err
		}
		if err := h.linkable(tx, p, q, force); err != nil {
			return err
		}
		out, err = h.merge(tx, by.String(), p, q, "")
		return err
	})
	if err != nil {
		return Linked{}, err
	}
	h.Wake()
	return out, nil
}

// bothNamed finds and locks two people.
func (h *Hub) bothNamed(tx *store.Tx, person, to string) (p, q store.IdentityRow, err error) {
	if p, err = tx.PersonNamed(person); err != nil {
		return p, q, err
	}
	if q, err = tx.PersonNamed(to); err != nil {
		return p, q, err
	}
	locked, err := tx.LockIdentities(p.ID, q.ID)
	if err != nil {
		return p, q, err
	}
	return locked[p.ID], locked[q.ID], nil
}

// linkable says why one person cannot be linked to another.
func (h *Hub) linkable(tx *store.Tx, p, q store.IdentityRow, force bool) error {
	if p.ID == q.ID {
		return model.Fail(model.Invalid, fmt.Sprintf("%s is %s: there is nothing to link", p.Name, q.ID), nil)
	}
	for _, i := range []store.IdentityRow{p, q} {
		switch {
		case i.ErasedAt != nil:
			return model.Fail(model.Conflict, fmt.Sprintf("the data of %s is erased: nobody is linked to or from it", i.ID), nil)
		case i.MergedInto != "":
			return model.Fail(model.Conflict, fmt.Sprintf("%s (%s) was linked to %s before: name that one instead", i.Name, i.ID, i.MergedInto), nil)
		}
	}
	cases, err := tx.OpenCases(q.ID)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.Blocks {
			return model.Fail(model.Conflict, fmt.Sprintf("it is not decided yet who %s (%s) is: decide that first, or link %s to %s the other way round", q.Name, q.ID, q.Name, p.Name), nil)
		}
	}
	if force {
		return nil
	}
	return oncePerSource(tx, p, q)
}

// oncePerSource refuses to make one person of two users of one source.
func oncePerSource(tx *store.Tx, p, q store.IdentityRow) error {
	mine, err := tx.UsersOf(p.ID)
	if err != nil {
		return err
	}
	theirs, err := tx.UsersOf(q.ID)
	if err != nil {
		return err
	}
	for _, m := range mine {
		for _, t := range theirs {
			if m.Source == t.Source {
				return model.Fail(model.Refused, fmt.Sprintf("source %s has a user for %s (%s) and another for %s (%s), which makes them two people: unlink or delete one of them, or link by force if the source really describes one person twice",
					m.Source, p.Name, m.ID, q.Name, t.ID), nil)
			}
		}
	}
	return nil
}

// merge makes one identity of two that are locked; rule is the matching rule that
// found them, empty where a person did.
func (h *Hub) merge(tx *store.Tx, actor string, p, q store.IdentityRow, rule string) (Linked, error) {
	out := Linked{Person: p.ID, Into: q.ID}
	mine, err := tx.UsersOf(p.ID)
	if err != nil {
		return out, err
	}
	theirs, err := tx.UsersOf(q.ID)
	if err != nil {
		return out, err
	}
	if err := tx.Together(p.ID, q.ID, append(slices.Clone(mine), theirs...)); err != nil {
		return out, err
	}
	for _, u := range mine {
		if err := tx.MoveResource(u.ID, p.ID, q.ID, true); err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, u.Source+"/"+u.ID)
	}
	if out.Accounts, err = tx.MoveAccounts(p.ID, q.ID); err != nil {
		return out, err
	}
	if err := tx.MoveAsked(p.ID, q.ID); err != nil {
		return out, err
	}
	if err := settleCases(tx, actor, p.ID, q.ID); err != nil {
		return out, err
	}
	if err := tx.SetMerged(p.ID, q.ID); err != nil {
		return out, err
	}
	data := map[string]any{"from": p.ID, "from_name": p.Name, "into": q.ID, "into_name": q.Name, "by": actor, "resources": out.Resources, "accounts": out.Accounts}
	if rule != "" {
		data["rule"] = rule
	}
	return out, told(tx, actor, "identity.linked", data, p.ID, q.ID)
}

// settleCases decides the open cases of a person who turned out to be another, and
// names that other in the cases that the first was a candidate of.
func settleCases(tx *store.Tx, actor, from, to string) error {
	cases, err := tx.OpenCases(from)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if err := tx.DecideCase(c.ID, actor, to); err != nil {
			return err
		}
	}
	empty, err := tx.ReplaceCandidate(from, to)
	if err != nil {
		return err
	}
	for _, c := range empty { // the only other person that it could have been is the same by now
		if err := tx.DecideCase(c.ID, actor, ""); err != nil {
			return err
		}
		if err := tx.Mark(true, c.Identity); err != nil {
			return err
		}
	}
	return nil
}

// told writes what happened to people into their timelines and the audit trail, and
// marks them.
func told(tx *store.Tx, actor, what string, data map[string]any, identities ...string) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var entries []store.AuditEntry
	for _, id := range identities {
		if err := tx.AddEvent(store.Event{Type: what, Identity: id, Data: data}); err != nil {
			return err
		}
		entries = append(entries, store.AuditEntry{Actor: actor, Action: what, Object: "identity/" + id, Identity: id, Data: body})
	}
	reports, err := tx.Reports(identities) // whose manager may be another person from now on
	if err != nil {
		return err
	}
	if err := tx.Mark(false, reports...); err != nil {
		return err
	}
	if err := tx.Mark(true, identities...); err != nil {
		return err
	}
	return tx.Audit(entries...)
}

// DecideNew decides the open cases of a person: they are somebody of their own. None
// of the candidates is taken for them again.
func (h *Hub) DecideNew(ctx context.Context, by Actor, person string) (out Linked, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		p, err := tx.PersonNamed(person)
		if err != nil {
			return err
		}
		if _, err := tx.LockIdentities(p.ID); err != nil {
			return err
		}
		cases, err := tx.OpenCases(p.ID)
		if err != nil {
			return err
		}
		if len(cases) == 0 {
			return model.Fail(model.Conflict, fmt.Sprintf("nothing is open about who %s (%s) is", p.Name, p.ID), nil)
		}
		users, err := tx.UsersOf(p.ID)
		if err != nil {
			return err
		}
		others := map[string]bool{}
		for _, c := range cases {
			if err := tx.DecideCase(c.ID, by.String(), ""); err != nil {
				return err
			}
			for _, other := range c.Candidates {
				others[other] = true
			}
		}
		candidates := slices.Sorted(maps.Keys(others))
		for _, other := range candidates {
			if err := setApart(tx, p.ID, users, other); err != nil {
				return err
			}
		}
		out = Linked{Person: p.ID, Resources: resourceNames(users)}
		return told(tx, by.String(), "identity.apart", map[string]any{"candidates": candidates, "resources": out.Resources, "by": by.String()}, p.ID)
	})
	if err != nil {
		return Linked{}, err
	}
	h.Wake()
	return out, nil
}

func resourceNames(users []store.SourceUser) []string {
	return names(users, func(u store.SourceUser) string { return u.Source + "/" + u.ID })
}

// setApart remembers that a person, with these resources, and another are two; from
// both sides, for either may be made anew by its source.
func setApart(tx *store.Tx, person string, users []store.SourceUser, other string) error {
	theirs, err := tx.UsersOf(other)
	if err != nil {
		return err
	}
	came, err := tx.LinkedFrom(names(theirs, func(u store.SourceUser) string { return u.ID }))
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := tx.SetApart(u.Source, u.Keys(), person, other); err != nil {
			return err
		}
	}
	for _, u := range theirs {
		if came[u.ID] == person { // it was this person's, and may be again
			continue
		}
		if err := tx.SetApart(u.Source, u.Keys(), other, person); err != nil {
			return err
		}
	}
	return nil
}

// list puts names behind one another, for messages.
func listed(names []string) string { return strings.Join(names, ", ") }
