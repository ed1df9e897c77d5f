package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

// The states of a delivery.
const (
	DeliveryPending  = "pending"
	DeliveryDone     = "done"
	DeliveryFailed   = "failed"   // given up, or the receiver is switched off
	DeliveryObsolete = "obsolete" // nobody need be told any more
)

// Delivery is one notice on its way to one receiver.
type Delivery struct {
	ID        string     `json:"id"`
	Notice    string     `json:"event"`
	Type      string     `json:"type"`
	Subject   string     `json:"subject"`
	Receiver  string     `json:"receiver"`
	Recipient string     `json:"recipient,omitempty"` // identity or e-mail address; empty: the receiver itself
	Bundle    bool       `json:"bundle,omitempty"`    // told together with others
	State     string     `json:"state"`
	Attempts  int        `json:"attempts"`
	Next      time.Time  `json:"next,omitzero"`    // when it is tried, of a pending one
	Status    int        `json:"status,omitempty"` // of the last answer
	Answer    string     `json:"answer,omitempty"` // what was answered, or went wrong, in short
	Created   time.Time  `json:"created"`
	Ended     *time.Time `json:"ended,omitempty"`
}

// NewDelivery is one receiver that a notice is told to.
type NewDelivery struct {
	Notice    string
	Receiver  string
	Recipient string
	Bundle    bool
	At        time.Time // not before
}

// Expand takes up to limit notices that nobody has worked on, the oldest first, and
// stores what decide makes of them. It reports whether there may be more. Any number of
// replicas may call it.
func (s *Store) Expand(ctx context.Context, limit int, decide func(*Tx, Notice) ([]NewDelivery, error)) (more bool, err error) {
	if waiting, err := s.unexpanded(ctx); err != nil || !waiting {
		return false, err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		skip := ""
		if tx.pg {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		notices, err := tx.noticesWhere(`NOT expanded ORDER BY id LIMIT ?`+skip, limit)
		if err != nil {
			return err
		}
		more = len(notices) == limit
		var done []string
		for _, n := range notices {
			made, err := decide(tx, n)
			if err != nil {
				return err
			}
			if err := tx.AddDeliveries(made...); err != nil {
				return err
			}
			done = append(done, n.ID)
		}
		if len(done) == 0 {
			return nil
		}
		_, err = tx.exec(`UPDATE notices SET expanded = TRUE WHERE id IN `+list(len(done)), anys(done)...)
		return err
	})
	return more, err
}

func (s *Store) unexpanded(ctx context.Context) (waiting bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM notices WHERE NOT expanded)`).Scan(&waiting)
	})
	return waiting, err
}

// AddDeliveries stores deliveries; one that is there already stays as it is.
func (t *Tx) AddDeliveries(list ...NewDelivery) error {
	for _, d := range list {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
		if _, err := t.exec(`INSERT INTO deliveries (id, notice_id, receiver, recipient, bundle, state, attempts, next_at, status, answer, created_at)
VALUES (?,?,?,?,?,?,0,?,0,'',?) ON CONFLICT DO NOTHING`, id.String(), d.Notice, d.Receiver, d.Recipient, d.Bundle, DeliveryPending, micros(d.At), micros(t.Now)); err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
	}
	return nil
}

const deliveryColumns = `d.id, d.notice_id, n.type, n.subject, d.receiver, d.recipient, d.bundle, d.state, d.attempts, d.next_at, d.status, d.answer, d.created_at, d.ended_at`

func (t *Tx) deliveriesWhere(cond string, args ...any) (out []Delivery, err error) {
	rows, err := t.query(`SELECT `+deliveryColumns+` FROM deliveries d JOIN notices n ON n.id = d.notice_id WHERE `+cond, args...)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivery
		var next, created int64
		var ended *int64
		if err := rows.Scan(&d.ID, &d.Notice, &d.Type, &d.Subject, &d.Receiver, &d.Recipient, &d.Bundle, &d.State, &d.Attempts, &next, &d.Status, &d.Answer, &created, &ended); err != nil {
			return nil, fmt.Errorf("deliveries: %w", err)
		}
		if d.State == DeliveryPending {
			d.Next = fromMicros(next)
		}
		d.Created, d.Ended = fromMicros(created), timePtr(ended)
		out = append(out, d)
	}
	return out, rows.Err()
}

// ClaimDeliveries takes up to limit deliveries of a receiver whose time has come, those
// that waited longest first, and counts an attempt for each before anything is sent: who
// ends without Settled leaves them to be taken again after d.
func (s *Store) ClaimDeliveries(ctx context.Context, receiver string, limit int, d time.Duration) (out []Delivery, err error) {
	due := false
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 'pending' AND receiver = ? AND next_at <= ?)`, receiver, micros(tx.Now)).Scan(&due)
	})
	if err != nil || !due {
		return nil, err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		out = nil
		skip := ""
		if tx.pg {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		// Materialised, or a plan might run the inner select more than once and claim too much.
		ids, err := tx.texts(`WITH c AS MATERIALIZED (SELECT id FROM deliveries WHERE state = 'pending' AND receiver = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?`+skip+`)
UPDATE deliveries SET attempts = attempts + 1, next_at = ? FROM c WHERE deliveries.id = c.id RETURNING deliveries.id`, receiver, micros(tx.Now), limit, micros(tx.Now.Add(d)))
		if err != nil || len(ids) == 0 {
			return err
		}
		out, err = tx.deliveriesWhere(`d.id IN `+list(len(ids))+` ORDER BY d.id`, anys(ids)...)
		return err
	})
	return out, err
}

// DeliveryResult is what became of one attempt.
type DeliveryResult struct {
	State  string    // of the Delivery from now on
	Next   time.Time // when it is tried again, of a pending one
	Status int
	Answer string
}

// answerRunes is how much of an answer is kept.
const answerRunes = 300

// SettleDelivery stores what became of an attempt. It does nothing where the attempt is
// not the last one any more: somebody else has the delivery then.
func (t *Tx) SettleDelivery(d Delivery, r DeliveryResult) error {
	var ended *int64
	next := r.Next
	if r.State != DeliveryPending {
		now := micros(t.Now)
		ended, next = &now, t.Now
	}
	_, err := t.exec(`UPDATE deliveries SET state = ?, next_at = ?, status = ?, answer = ?, ended_at = ? WHERE id = ? AND attempts = ? AND state = 'pending'`,
		r.State, micros(next), r.Status, cut(r.Answer, answerRunes), ended, d.ID, d.Attempts)
	return err
}

// cut shortens a text to some characters and takes out what no page can show.
func cut(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "�"))
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// DeliveryFilter says which deliveries are listed; empty fields say nothing.
type DeliveryFilter struct {
	Receiver string
	State    string
	Notice   string
	After    string // cursor of the previous page: the id of its last
	Limit    int
}

// Deliveries lists deliveries, the newest first, and the cursor of the next page.
func (t *Tx) Deliveries(f DeliveryFilter) (out []Delivery, next string, err error) {
	if f.State != "" && !slices.Contains([]string{DeliveryPending, DeliveryDone, DeliveryFailed, DeliveryObsolete}, f.State) {
		return nil, "", model.Fail(model.Invalid, "state must be pending, done, failed or obsolete", nil)
	}
	cond, args := `TRUE`, []any{}
	for _, c := range []struct{ cond, value string }{
		{`d.receiver = ?`, f.Receiver}, {`d.state = ?`, f.State}, {`d.notice_id = ?`, f.Notice}, {`d.id < ?`, f.After},
	} {
		if c.value != "" {
			cond, args = cond+` AND `+c.cond, append(args, c.value)
		}
	}
	out, err = t.deliveriesWhere(cond+` ORDER BY d.id DESC LIMIT ?`, append(args, f.Limit+1)...)
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		next = out[f.Limit-1].ID
	}
	return out, next, err
}

// Delivery reads one. model.NotFound if there is none.
func (t *Tx) Delivery(id string) (Delivery, error) {
	found, err := t.deliveriesWhere(`d.id = ?`, id)
	if err == nil && len(found) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no delivery with the id %q", id), nil)
	}
	if err != nil {
		return Delivery{}, err
	}
	return found[0], nil
}

// RetryDelivery has a delivery tried at once, as if it were new. model.Conflict where it
// has arrived, or is under way.
func (t *Tx) RetryDelivery(id string) (Delivery, error) {
	d, err := t.Delivery(id)
	if err != nil {
		return d, err
	}
	if d.State == DeliveryDone {
		return d, model.Fail(model.Conflict, "the delivery "+id+" has arrived: there is nothing to send again", nil)
	}
	if _, err := t.exec(`UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?, ended_at = NULL WHERE id = ? AND state <> 'done'`, micros(t.Now), id); err != nil {
		return d, err
	}
	return t.Delivery(id)
}

// PendingDeliveries counts what is on its way, by receiver.
func (s *Store) PendingDeliveries(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.tallyInto(out, `SELECT receiver, count(*) FROM deliveries WHERE state = 'pending' GROUP BY receiver`)
	})
	return out, err
}

// AbandonDeliveries gives up what is on its way to receivers that are not known any
// more, and was made before a moment.
func (s *Store) AbandonDeliveries(ctx context.Context, known []string, before time.Time, why string) error {
	return s.Update(ctx, func(tx *Tx) error {
		waiting, err := tx.texts(`SELECT DISTINCT receiver FROM deliveries WHERE state = 'pending'`)
		if err != nil {
			return err
		}
		for _, name := range waiting {
			if slices.Contains(known, name) {
				continue
			}
			if _, err := tx.exec(`UPDATE deliveries SET state = 'failed', answer = ?, ended_at = ? WHERE state = 'pending' AND receiver = ? AND created_at < ?`,
				cut(why, answerRunes), micros(tx.Now), name, micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
}
