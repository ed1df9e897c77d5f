package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// TestNotice is the type of the notice that tests a receiver.
const TestNotice = "notify.test"

// RetryDelivery has a delivery tried again at once.
func (h *Hub) RetryDelivery(ctx context.Context, by Actor, id string) (d store.Delivery, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if d, err = tx.RetryDelivery(id); err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{"receiver": d.Receiver, "event": d.Type})
		if err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: "notify.retry", Object: "delivery/" + id, Data: body})
	})
	return d, err
}

// TestReceiver sends a test to a receiver of the configuration and gives the id of its
// delivery. One that writes to people alone writes to person, who asks for the test.
func (h *Hub) TestReceiver(ctx context.Context, by Actor, person, name string) (id string, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return "", noConfiguration()
	}
	to, ok := snap.Doc.Receiver(name)
	if !ok {
		return "", model.Fail(model.NotFound, fmt.Sprintf("there is no receiver %q in notify of the configuration%s", name, config.Suggest(name, receiverNames(snap.Doc))), nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		recipient, err := testRecipient(tx, to, person)
		if err != nil {
			return err
		}
		key, err := uuid.NewV7()
		if err != nil {
			return err
		}
		n := store.Notice{ID: key.String(), Type: TestNotice, Subject: "receiver/" + name, Data: map[string]any{"by": by.String()}}
		if err := tx.Notify(n); err != nil {
			return err
		}
		if err := tx.AddDeliveries(store.NewDelivery{Notice: n.ID, Receiver: name, Recipient: recipient, At: tx.Now}); err != nil {
			return err
		}
		made, _, err := tx.Deliveries(store.DeliveryFilter{Notice: n.ID, Limit: 1})
		if err != nil {
			return err
		}
		id = made[0].ID
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: TestNotice, Object: "receiver/" + name})
	})
	return id, err
}

func receiverNames(doc *config.Document) []string {
	out := make([]string, len(doc.Notify))
	for i, r := range doc.Notify {
		out[i] = r.Name
	}
	return out
}

// testRecipient is who gets the test of a receiver that writes e-mails.
func testRecipient(tx *store.Tx, to config.Receiver, person string) (string, error) {
	if !to.Webhook.IsZero() {
		return "", nil
	}
	for _, who := range to.Email {
		if _, err := mail.ParseAddress(who); err == nil {
			return who, nil
		}
	}
	if person == "" {
		return "", model.Fail(model.Invalid, "the receiver "+to.Name+" writes to people alone, and nobody is known who asks for the test: sign in, or use a token that acts for a person", nil)
	}
	row, err := tx.FindIdentity(person)
	return row.ID, err
}

// SentTo is the name of the person that a link was sent to, who must be the one who
// follows it: Forbidden for everybody else.
func (h *Hub) SentTo(ctx context.Context, by Who, person string) (name string, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		if me.id == "" || me.id != person {
			return model.Fail(model.Forbidden, "this link was sent to somebody else: sign in as the person who got the message, or open the request itself", nil)
		}
		name = me.name
		return nil
	})
	return name, err
}
