package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Erased says what became of somebody's data.
type Erased struct {
	ID        string `json:"id"`
	Resources int    `json:"resources"` // of sources, removed with it
	Entries   int    `json:"entries"`   // of the audit trail that say no more who it was
	// Remaining are accounts that are still at targets, disabled: the hub knows them by
	// their ids there alone, and somebody may have to erase them there.
	Remaining []RemainingAccount `json:"remaining"`
}

// RemainingAccount is a disabled account of somebody whose data was erased.
type RemainingAccount struct {
	Target   string `json:"target"`
	RemoteID string `json:"remote_id"`
	// DeletesAt is when the hub deletes it there; nil: not by itself.
	DeletesAt *time.Time `json:"deletes_at,omitempty"`
	// Active: it may still let somebody in, at a target that is not configured any more.
	Active bool `json:"active,omitempty"`
}

// Erase removes the personal data of somebody who has left, by name or id. It cannot
// be undone, and they never come back: a later push of the same name makes somebody
// new. Refused while they are no leaver or may still get in anywhere; and while a
// source describes them, for it would push them again, unless force says to remove
// the hub's copies of these resources, too.
func (h *Hub) Erase(ctx context.Context, by Actor, person string, force bool) (out Erased, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return out, model.Fail(model.Unavailable, "there is no configuration yet", nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.FindIdentity(person)
		if err != nil {
			return err
		}
		known, err := gather(tx, snap, []string{row.ID})
		if err != nil {
			return err
		}
		k := known[row.ID]
		all, err := accountsOfAll(tx, k)
		if err != nil {
			return err
		}
		if marked, err := tx.Marked(row.ID); err != nil {
			return err
		} else if marked {
			return model.Fail(model.Conflict, "what is new of "+row.Name+" is being worked on: try again", nil)
		}
		if err := erasable(snap, k, all, Decide(snap, k, tx.Now), force); err != nil {
			return err
		}
		out, err = h.erase(tx, snap, by.String(), k)
		return err
	})
	if err != nil {
		return Erased{}, err
	}
	return out, nil
}

// accountsOfAll are somebody's accounts, and what is left of those of people who turned
// out to be them.
func accountsOfAll(tx *store.Tx, k Known) ([]model.AccountRow, error) {
	ids, err := tx.MergedInto(k.Row.ID)
	if err != nil || len(ids) < 2 {
		return k.Accounts, err
	}
	return tx.AccountsOf(ids)
}

// erasable says why somebody with these accounts cannot be erased.
func erasable(snap *Snapshot, k Known, all []model.AccountRow, d Decision, force bool) error {
	name := k.Row.Name
	switch {
	case k.Row.ErasedAt != nil:
		return model.Fail(model.Conflict, fmt.Sprintf("%s was erased on %s", name, k.Row.ErasedAt.Format(time.DateOnly)), nil)
	case d.Stage != model.Leaver:
		return model.Fail(model.Refused, fmt.Sprintf("%s has not left (stage %s): only who has left can be erased", name, d.Stage), nil)
	case k.Row.Stage != model.Leaver:
		return model.Fail(model.Refused, name+" leaves just now: wait until all access is taken away", nil)
	}
	if open := openAccess(snap, all); len(open) > 0 {
		return model.Fail(model.Refused, fmt.Sprintf("%s still has access, or it is being taken away: %s", name, strings.Join(open, "; ")), nil)
	}
	if len(k.Users) > 0 && !force {
		where := names(k.Users, func(u store.SourceUser) string { return u.Source + "/" + u.ID })
		return model.Fail(model.Refused, fmt.Sprintf("%s is still described by %s: delete that there first, or use force to remove the hub's copies, too", name, strings.Join(where, ", ")), nil)
	}
	return nil
}

// openAccess names the accounts by which somebody gets in, or may: work is under way,
// or waits, or its outcome is not known. At targets that are not configured any more
// the hub can do nothing, so that it does not wait for them.
func openAccess(snap *Snapshot, accounts []model.AccountRow) (open []string) {
	for _, a := range accounts {
		why := ""
		_, configured := snap.Doc.Target(a.Target)
		switch {
		case !configured:
		case a.Desired != nil:
			why = "an account is due"
		case a.LeaverHeld:
			why = "held by the guard of the source"
		case a.Applied != nil && a.Applied.Active:
			why = "the account is active"
		case len(a.Sent) > 0 || a.Owned == model.OwnedCreating:
			why = "what was sent last was not heard of"
		case a.Due && (a.State == model.StatePending || a.State == model.StateFailed || a.State == model.StateDrifted):
			why = "work is under way"
		}
		if why != "" {
			open = append(open, fmt.Sprintf("%s: %s (%s)", a.Target, why, a.State))
		}
	}
	slices.Sort(open)
	return open
}

// saveOrErase is save, or the erasure that the configuration's time asks for. What
// cannot be undone is never done by an older configuration than the active one.
func (h *Hub) saveOrErase(tx *store.Tx, snap *Snapshot, d Decision, k Known, m store.Mark, b *batch, stale bool) ([]store.AuditEntry, error) {
	if d.Purge && !stale {
		all, err := accountsOfAll(tx, k)
		if err != nil {
			return nil, err
		}
		if !underWay(snap, all) {
			_, err := h.erase(tx, snap, "hub", k)
			return nil, err
		}
		d.Purge, d.Next = false, tx.Now.Add(erasurePause)
	}
	return h.save(tx, snap, d, k, m, b)
}

// erase does it, in the transaction of who decided that it may be done.
func (h *Hub) erase(tx *store.Tx, snap *Snapshot, actor string, k Known) (out Erased, err error) {
	all, err := accountsOfAll(tx, k)
	if err != nil {
		return out, err
	}
	out = Erased{ID: k.Row.ID, Remaining: accountsLeft(all)}
	user, ok := snap.Doc.Registry.Type("User")
	if !ok {
		return out, fmt.Errorf("erase %s: no resource type User", k.Row.ID)
	}
	for _, u := range k.Users {
		w := store.ResourceWrite{Source: u.Source, Actor: actor, Type: user, Action: "erase", Identity: k.Row.ID,
			Resource: scim.Resource{ID: u.ID, Type: user.Name, Attrs: map[string]any{}}, Data: map[string]any{}}
		if err := tx.DeleteResource(w); err != nil {
			return out, err
		}
		out.Resources++
	}
	erased, err := tx.Erase(k.Row.ID)
	if err != nil {
		return out, err
	}
	for _, id := range erased {
		n, err := tx.EraseAudit(id)
		if err != nil {
			return out, err
		}
		out.Entries += n
		if err := h.tellErased(tx, actor, id, out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (h *Hub) tellErased(tx *store.Tx, actor, id string, out Erased) error {
	data := map[string]any{"resources": out.Resources, "remaining": names(out.Remaining, func(a RemainingAccount) string { return a.Target })}
	if err := tx.AddEvent(store.Event{Type: "identity.purged", Identity: id, Data: data}); err != nil {
		return err
	}
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: actor, Action: "identity.erase", Object: "identity/" + id, Identity: id, Data: body})
}

// accountsLeft are the accounts that are still at targets.
func accountsLeft(accounts []model.AccountRow) []RemainingAccount {
	out := []RemainingAccount{}
	for _, a := range accounts {
		if a.RemoteID == "" {
			continue
		}
		r := RemainingAccount{Target: a.Target, RemoteID: a.RemoteID, Active: hasAccess(a)}
		if a.Due {
			r.DeletesAt = &a.NextAttempt
		}
		out = append(out, r)
	}
	return out
}

// erasurePause is how long an erasure that is due waits for what is still under way
// at a target.
const erasurePause = time.Hour

// underWay reports whether there is access, or anything to be done at a target that is
// configured.
func underWay(snap *Snapshot, accounts []model.AccountRow) bool {
	return len(openAccess(snap, accounts)) > 0 || slices.ContainsFunc(accounts, func(a model.AccountRow) bool {
		_, configured := snap.Doc.Target(a.Target)
		return a.Due && configured
	})
}

// purge decides whether the person's data is to be erased now because the
// configuration's time is over; otherwise when that is to be looked at again. It waits
// for accounts that the hub will delete first.
func (d *Decision) purge(snap *Snapshot, k Known, now time.Time) {
	at, ever := purgeMoment(snap, d.Identity, k.Row.LeftAt)
	if !ever || d.Stage != model.Leaver || k.Row.Stage != model.Leaver || d.Identity.MergedInto != "" {
		return
	}
	if !now.Before(at) {
		if d.Purge = !underWay(snap, k.Accounts); d.Purge {
			return
		}
		at = now.Add(erasurePause)
	}
	if d.Next.IsZero() || at.Before(d.Next) {
		d.Next = at
	}
}
