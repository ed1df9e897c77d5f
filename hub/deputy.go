package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// NewDeputy is what a deputy is named with.
type NewDeputy struct {
	Person string     // userName or id of in whose place; empty: who says so
	Deputy string     // userName or id of who answers
	From   *time.Time // nil: now
	Until  *time.Time // nil: until it is taken back
}

// AddDeputy has somebody answer requests in somebody's place. People name their own
// deputies, operators anybody's.
func (h *Hub) AddDeputy(ctx context.Context, by Who, n NewDeputy) (d store.Deputy, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		id, err := personFor(tx, me, n.Person)
		if err != nil {
			return err
		}
		if !me.operator && id != me.id {
			return model.Fail(model.Forbidden, "people name their own deputies alone; an operator names others'", nil)
		}
		if d, err = newDeputy(tx, me, id, n); err != nil {
			return err
		}
		if d.Deputy == me.id && !me.override {
			return model.Fail(model.Forbidden, "nobody makes themselves the deputy of somebody else: that person names their deputy, or another operator", nil)
		}
		if err := tx.AddDeputy(d); err != nil {
			return err
		}
		return tellDeputy(tx, me, "deputy.created", d)
	})
	if err != nil {
		return store.Deputy{}, err
	}
	h.Wake()
	return d, nil
}

func newDeputy(tx *store.Tx, me asker, person string, n NewDeputy) (d store.Deputy, err error) {
	if n.Deputy == "" {
		return d, model.Fail(model.Invalid, "deputy is missing: who is to answer", nil)
	}
	row, err := tx.FindIdentity(n.Deputy)
	if err != nil {
		return d, err
	}
	if row.ID == person {
		return d, model.Fail(model.Invalid, row.Name+" cannot be their own deputy", nil)
	}
	for _, id := range []string{person, row.ID} {
		p, err := tx.Identity(id)
		if err != nil {
			return d, err
		}
		if p.Stage == model.Leaver || p.Stage == model.Purged {
			return d, model.Fail(model.Invalid, p.Name+" has left", nil)
		}
	}
	if err := cmp.Or(checkTime("from", n.From), checkTime("until", n.Until)); err != nil {
		return d, err
	}
	d = store.Deputy{Person: person, Deputy: row.ID, From: tx.Now, Created: tx.Now, By: me.actor()}
	if n.From != nil {
		d.From = n.From.UTC()
	}
	if n.Until != nil {
		until := n.Until.UTC()
		d.Until = &until
		if !until.After(tx.Now) || !until.After(d.From) {
			return d, model.Fail(model.Invalid, fmt.Sprintf("until %s is not after now and from", until.Format(time.RFC3339)), nil)
		}
	}
	d.ID, err = newID()
	return d, err
}

// EndDeputy takes a deputy back: the person may, the deputy, and an operator. What is
// over already stays so.
func (h *Hub) EndDeputy(ctx context.Context, by Who, id string) error {
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		d, err := tx.Deputy(id)
		if err != nil {
			return err
		}
		if !me.operator && me.id != d.Person && me.id != d.Deputy {
			return model.Fail(model.Forbidden, "a deputy is taken back by the person, the deputy or an operator", nil)
		}
		if d.Ended != nil {
			return nil
		}
		if err := tx.EndDeputy(id); err != nil {
			return err
		}
		return tellDeputy(tx, me, "deputy.ended", d)
	})
	if err == nil {
		h.Wake()
	}
	return err
}

// tellDeputy notes it, and marks those about whom the person is asked: there may be
// somebody to answer now, or nobody any more.
func tellDeputy(tx *store.Tx, me asker, action string, d store.Deputy) error {
	data, err := json.Marshal(map[string]any{"deputy": d.Deputy, "from": d.From, "until": d.Until})
	if err != nil {
		return err
	}
	if err := tx.AddEvent(store.Event{Type: action, Identity: d.Person, Data: json.RawMessage(data)}); err != nil {
		return err
	}
	people, err := tx.AskedAbout([]string{d.Person})
	if err != nil {
		return err
	}
	if err := tx.Mark(false, people...); err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: me.actor(), Action: action, Object: "deputy/" + d.ID, Identity: d.Person, Data: data})
}

// Deputies lists who answers in whose place: those that concern who asks, or, for
// those who may see all, that concern a person, or all of them.
func (h *Hub) Deputies(ctx context.Context, by Who, seeAll bool, person string) (out []store.Deputy, people map[string]store.Person, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		id, err := seen(tx, by, seeAll, person)
		if err != nil {
			return err
		}
		if out, err = tx.Deputies(id); err != nil {
			return err
		}
		var ids []string
		for _, d := range out {
			ids = append(ids, d.Person, d.Deputy)
		}
		people, err = tx.People(unique(ids))
		return err
	})
	return out, people, err
}

// seen is the identity that a listing is limited to; empty: none.
func seen(tx *store.Tx, by Who, seeAll bool, person string) (string, error) {
	id := ""
	if person != "" {
		row, err := tx.FindIdentity(person)
		if err != nil {
			return "", err
		}
		id = row.ID
	}
	if seeAll {
		return id, nil
	}
	me, err := beingSomebody(tx, by)
	if err != nil {
		return "", err
	}
	if id != "" && id != me.id {
		return "", model.Fail(model.Forbidden, "a person's token sees what concerns that person alone", nil)
	}
	return me.id, nil
}
