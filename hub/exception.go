package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// NewException is what an exception to conflicts is made from.
type NewException struct {
	Person string     // name or id
	Roles  []string   // two or more that conflict with each other
	Owner  string     // name or id of the person who answers for it
	Reason string     // in words
	From   *time.Time // nil: now
	Until  time.Time
	Asker  string // name or id of the person whose credential makes it; empty: nobody's
}

// AddException lets a person hold roles together that conflict, for a time. Invalid
// says what is wrong with it: an exception has roles that conflict, an end, a reason
// and an owner who is here.
func (h *Hub) AddException(ctx context.Context, by Actor, n NewException) (e model.Exception, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return e, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	roles, err := exceptionRoles(snap.Doc, n.Roles)
	if err != nil {
		return e, err
	}
	reason := strings.TrimSpace(n.Reason)
	if reason == "" {
		return e, model.Fail(model.Invalid, "reason is missing: why the roles have to be held together", nil)
	}
	if err := cmp.Or(checkReason(reason), checkTime("from", n.From), checkTime("until", &n.Until)); err != nil {
		return e, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		person, err := tx.FindIdentity(n.Person)
		if err != nil {
			return err
		}
		me, err := acting(tx, Who{Name: by.Name, Person: n.Asker, Operator: true})
		if err != nil {
			return err
		}
		if me.id == person.ID {
			return model.Fail(model.Forbidden, me.name+" holds the roles: nobody makes an exception of their own", nil)
		}
		if !concerns(person.Stage) && person.Stage != "" {
			return model.Fail(model.Invalid, fmt.Sprintf("%s is a %s, who holds no roles", person.Name, person.Stage), nil)
		}
		owner, err := exceptionOwner(tx, n.Owner, person)
		if err != nil {
			return err
		}
		e = model.Exception{Identity: person.ID, Roles: roles, Owner: owner.ID, Reason: reason, By: by.String(), From: tx.Now, Until: n.Until.UTC(),
			OwnerName: owner.Name, OwnerStage: owner.Stage}
		if n.From != nil {
			e.From = n.From.UTC()
		}
		if err := exceptionTimes(e, tx.Now); err != nil {
			return err
		}
		return addException(tx, by.String(), &e)
	})
	if err == nil {
		h.Wake()
	}
	return e, err
}

// addException stores an exception, gives it its id and marks the person.
func addException(tx *store.Tx, actor string, e *model.Exception) (err error) {
	if e.ID, err = newID(); err != nil {
		return err
	}
	if err := tx.AddException(*e); err != nil {
		return err
	}
	entry, err := exceptionEvent(tx, actor, "exception.created", *e, "")
	if err != nil {
		return err
	}
	if err := tx.Mark(false, e.Identity); err != nil {
		return err
	}
	return tx.Audit(entry)
}

// exceptionRoles checks that every role conflicts with another of them.
func exceptionRoles(doc *config.Document, list []string) ([]string, error) {
	roles := sortedTexts(list)
	for _, name := range roles {
		if _, ok := doc.Role(name); !ok {
			return nil, model.Fail(model.Invalid, fmt.Sprintf("roles: there is no role %q%s", name, config.Suggest(name, roleNames(doc))), nil)
		}
	}
	if len(roles) < 2 {
		return nil, model.Fail(model.Invalid, "roles: an exception is for two roles or more", nil)
	}
	for _, name := range roles {
		conflicts := slices.ContainsFunc(doc.Conflicts, func(c config.Conflict) bool {
			return forbids(&c) && slices.Contains(c.Roles, name) &&
				slices.ContainsFunc(roles, func(other string) bool { return other != name && slices.Contains(c.Roles, other) })
		})
		if !conflicts {
			return nil, model.Fail(model.Invalid, fmt.Sprintf("roles: nothing forbids %s beside %s; scimhub conflict list shows what is forbidden",
				name, strings.Join(slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return r == name }), ", ")), nil)
		}
	}
	return roles, nil
}

func roleNames(doc *config.Document) []string {
	return names(doc.Roles, func(r config.Role) string { return r.Name })
}

// exceptionOwner is who answers for the exception: somebody else, who is here.
func exceptionOwner(tx *store.Tx, name string, person store.IdentityRow) (store.IdentityRow, error) {
	if strings.TrimSpace(name) == "" {
		return store.IdentityRow{}, model.Fail(model.Invalid, "owner is missing: the person who answers for the exception", nil)
	}
	owner, err := tx.FindIdentity(name)
	if model.CodeOf(err) == model.NotFound {
		return owner, model.Fail(model.Invalid, fmt.Sprintf("owner: there is no person %q", name), nil)
	}
	if err != nil {
		return owner, err
	}
	switch {
	case owner.ID == person.ID:
		return owner, model.Fail(model.Invalid, "owner: nobody answers for an exception of their own", nil)
	case !here(owner.Stage):
		return owner, model.Fail(model.Invalid, fmt.Sprintf("owner: %s is a %s and cannot answer for it", owner.Name, owner.Stage), nil)
	}
	return owner, nil
}

func exceptionTimes(e model.Exception, now time.Time) error {
	switch {
	case e.Until.IsZero():
		return model.Fail(model.Invalid, "until is missing: an exception has an end", nil)
	case !e.Until.After(now):
		return model.Fail(model.Invalid, "until: "+e.Until.Format(time.RFC3339)+" has passed already", nil)
	case !e.Until.After(e.From):
		return model.Fail(model.Invalid, "until: "+e.Until.Format(time.RFC3339)+" is not after the beginning, "+e.From.Format(time.RFC3339), nil)
	}
	return nil
}

// RevokeException ends an exception now. To end one that has ended changes nothing.
func (h *Hub) RevokeException(ctx context.Context, by Actor, id, reason string) (e model.Exception, err error) {
	if err := checkReason(reason); err != nil {
		return e, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if e, err = tx.Exception(id); err != nil {
			return err
		}
		ended, err := tx.EndException(id, by.String(), tx.Now)
		if err != nil || !ended {
			return err
		}
		e.EndedAt = &tx.Now
		entry, err := exceptionEvent(tx, by.String(), "exception.revoked", e, strings.TrimSpace(reason))
		if err != nil {
			return err
		}
		if err := tx.Mark(false, e.Identity); err != nil {
			return err
		}
		return tx.Audit(entry)
	})
	if err == nil {
		h.Wake()
	}
	return e, err
}
