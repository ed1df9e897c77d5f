package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Unlink says that a resource of a source is not one of this person's; resource may be
// empty where the source has only one. Who the resource came from by a link is a
// person of their own again, with the accounts that they had and what was approved for
// them; else it stands for
// somebody new. Matching does not link the two again by itself.
func (h *Hub) Unlink(ctx context.Context, by Actor, person, source, resource string) (out Linked, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		q, err := tx.FindIdentity(person)
		if err != nil {
			return err
		}
		users, err := tx.UsersOf(q.ID)
		if err != nil {
			return err
		}
		u, err := oneOf(users, q, source, resource)
		if err != nil {
			return err
		}
		came, err := tx.LinkedFrom([]string{u.ID})
		if err != nil {
			return err
		}
		locked, err := tx.LockIdentities(q.ID, came[u.ID])
		if err != nil {
			return err
		}
		if now, err := tx.UsersOf(q.ID); err != nil || !slices.ContainsFunc(now, func(n store.SourceUser) bool { return n.ID == u.ID }) {
			return overtaken(err, u, q)
		}
		back, there := locked[came[u.ID]]
		if len(users) == 1 && !there {
			return model.Fail(model.Conflict, fmt.Sprintf("%s/%s is the only resource of %s (%s): there is nobody to take it from", u.Source, u.ID, q.Name, q.ID), nil)
		}
		out, err = h.part(tx, by.String(), q, u, back)
		return err
	})
	if err != nil {
		return Linked{}, err
	}
	h.Wake()
	return out, nil
}

func overtaken(err error, u store.SourceUser, q store.IdentityRow) error {
	if err != nil {
		return err
	}
	return model.Fail(model.Conflict, fmt.Sprintf("%s/%s is no longer one of %s: somebody was faster", u.Source, u.ID, q.Name), nil)
}

// oneOf finds the resource that is meant.
func oneOf(users []store.SourceUser, q store.IdentityRow, source, resource string) (store.SourceUser, error) {
	var found []store.SourceUser
	for _, u := range users {
		if u.Source == source && (resource == "" || u.ID == resource) {
			found = append(found, u)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return store.SourceUser{}, model.Fail(model.Invalid, fmt.Sprintf("%s has %d resources of source %s: name one (%s)", q.Name, len(found), source, listed(resourceNames(found))), nil)
	case len(users) == 0:
		return store.SourceUser{}, model.Fail(model.Invalid, fmt.Sprintf("no source describes %s any more: there is nothing to unlink", q.Name), nil)
	}
	what := fmt.Sprintf("source %s has no resource of %s", source, q.Name)
	if resource != "" {
		what = fmt.Sprintf("%s/%s is none of the resources of %s", source, resource, q.Name)
	}
	return store.SourceUser{}, model.Fail(model.Invalid, what+": theirs are "+listed(resourceNames(users)), nil)
}

// part takes a resource from a person. back is whose it was before a link; without an
// id where it never was anybody else's.
func (h *Hub) part(tx *store.Tx, actor string, q store.IdentityRow, u store.SourceUser, back store.IdentityRow) (Linked, error) {
	out := Linked{Into: q.ID, Resources: []string{u.Source + "/" + u.ID}}
	var err error
	if out.Person, out.Returned, err = ownerAfter(tx, q, u, back); err != nil {
		return out, err
	}
	if out.Person == "" {
		if out.Person, err = newID(); err != nil {
			return out, err
		}
		name, _ := u.Attrs["userName"].(string)
		if err := tx.AddIdentity(out.Person, name); err != nil {
			return out, err
		}
	}
	if err := tx.MoveResource(u.ID, q.ID, out.Person, false); err != nil {
		return out, err
	}
	if out.Returned {
		if err := tx.ClearMerged(out.Person); err != nil {
			return out, err
		}
		if out.Accounts, err = tx.ReturnAccounts(out.Person, q.ID); err != nil {
			return out, err
		}
		if err := tx.ReturnAsked(out.Person, q.ID); err != nil {
			return out, err
		}
	}
	if err := setApart(tx, out.Person, []store.SourceUser{u}, q.ID); err != nil {
		return out, err
	}
	if _, err := tx.DropCase(u.ID); err != nil {
		return out, err
	}
	name, _ := u.Attrs["userName"].(string)
	data := map[string]any{"from": q.ID, "from_name": q.Name, "person": out.Person, "person_name": name, "by": actor, "resources": out.Resources, "accounts": out.Accounts}
	return out, told(tx, actor, "identity.unlinked", data, q.ID, out.Person)
}

// ownerAfter tells whose an unlinked resource is: whose it was before it was linked,
// if that person may have it; empty for somebody new. returned says that the person
// is one again by that.
func ownerAfter(tx *store.Tx, q store.IdentityRow, u store.SourceUser, back store.IdentityRow) (person string, returned bool, err error) {
	if back.ID == "" || back.ErasedAt != nil || back.ID == q.ID {
		return "", false, nil
	}
	if back.MergedInto != "" {
		if back.MergedInto != q.ID { // and belongs to somebody else by now
			return "", false, nil
		}
		return back.ID, true, nil
	}
	apart, err := tx.Apart(u.Source, u.Keys(), back.ID)
	if err != nil || apart {
		return "", false, err
	}
	has, err := tx.UsersOf(back.ID)
	if err != nil || slices.ContainsFunc(has, func(o store.SourceUser) bool { return o.Source == u.Source }) {
		return "", false, err
	}
	return back.ID, false, nil
}
