package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// How long answers are kept, and after which time an attempt without an answer, of
// which nothing was written, may be taken over by the next one.
const (
	OnceKept  = 24 * time.Hour
	OnceGiven = time.Minute
)

// oncePruned is how many old keys go with each new one.
const oncePruned = 100

// Once is a request that is carried out once however often it comes.
type Once struct {
	Caller  []byte // hash of who asks
	Key     string
	Print   []byte // hash of what is asked
	Attempt int64

	At      time.Time // when the attempt began
	Written bool      // a transaction of the attempt was committed
	Status  int       // of the answer; 0: there is none yet
	Kind    string    // media type of the answer
	Body    []byte    // nil: it was not kept
}

// ErrTakenOver says that another attempt at the same request goes on instead.
var ErrTakenOver = errors.New("another attempt at this request has taken over")

type onceKey struct{}

// WithOnce binds all that is written under the context to an attempt: it is committed
// only as long as nobody has taken the attempt over.
func WithOnce(ctx context.Context, o Once) context.Context {
	return context.WithValue(ctx, onceKey{}, o)
}

// once makes sure that the attempt, to which the transaction may be bound, is still the
// one, and notes with it that something was written.
func (t *Tx) once() error {
	o, bound := t.ctx.Value(onceKey{}).(Once)
	if !bound {
		return nil
	}
	n, err := t.exec(`UPDATE idempotency SET written = TRUE WHERE caller = ? AND key = ? AND attempt = ?`, o.Caller, o.Key, o.Attempt)
	if err == nil && n == 0 {
		return model.Fail(model.Conflict, "the same request, by its idempotency key, was begun anew meanwhile; nothing was stored", ErrTakenOver)
	}
	return err
}

// BeginOnce notes that a request is begun. Where that was noted before, and is neither
// too old nor given up, it returns what is known of it, and false.
func (s *Store) BeginOnce(ctx context.Context, o Once) (known Once, begun bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		begun = false
		o.At, o.Attempt = tx.Now, micros(tx.Now)
		old := micros(tx.Now.Add(-OnceKept))
		if _, err := tx.exec(`DELETE FROM idempotency WHERE at < ? AND (caller, key) IN (SELECT caller, key FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)`, old, old, oncePruned); err != nil {
			return err
		}
		n, err := tx.exec(`INSERT INTO idempotency (caller, key, print, attempt, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (caller, key) DO NOTHING`, o.Caller, o.Key, o.Print, o.Attempt, micros(o.At))
		if err != nil || n == 1 {
			known, begun = o, n == 1
			return err
		}
		if known, err = tx.onceOf(o); err != nil {
			return err
		}
		abandoned := known.Status == 0 && !known.Written && string(known.Print) == string(o.Print) && !tx.Now.Before(known.At.Add(OnceGiven))
		if !abandoned && micros(known.At) >= old {
			return nil
		}
		o.Attempt = max(o.Attempt, known.Attempt+1)
		known, begun = o, true
		_, err = tx.exec(`UPDATE idempotency SET print = ?, attempt = ?, at = ?, written = FALSE, status = 0, kind = '', body = NULL WHERE caller = ? AND key = ?`,
			o.Print, o.Attempt, micros(o.At), o.Caller, o.Key)
		return err
	})
	if err != nil {
		return known, false, fmt.Errorf("idempotency key: %w", err)
	}
	return known, begun, nil
}

func (t *Tx) onceOf(o Once) (Once, error) {
	lock := ""
	if t.pg {
		lock = ` FOR UPDATE`
	}
	out, at := Once{Caller: o.Caller, Key: o.Key}, int64(0)
	err := t.row(`SELECT print, attempt, at, written, status, kind, body FROM idempotency WHERE caller = ? AND key = ?`+lock, o.Caller, o.Key).
		Scan(&out.Print, &out.Attempt, &at, &out.Written, &out.Status, &out.Kind, &out.Body)
	if errors.Is(err, sql.ErrNoRows) { // it went this moment
		err = model.Fail(model.Unavailable, "the request with this idempotency key has just ended: send it again", err)
	}
	out.At = fromMicros(at)
	return out, err
}

// EndOnce keeps the answer of an attempt, unless another one has taken over.
func (s *Store) EndOnce(ctx context.Context, o Once) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE idempotency SET status = ?, kind = ?, body = ? WHERE caller = ? AND key = ? AND attempt = ?`, o.Status, o.Kind, o.Body, o.Caller, o.Key, o.Attempt)
		return err
	})
	if err != nil {
		return fmt.Errorf("answer of an idempotency key: %w", err)
	}
	return nil
}

// DropOnce forgets an attempt of which nothing was written: the request may come again.
func (s *Store) DropOnce(ctx context.Context, o Once) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM idempotency WHERE caller = ? AND key = ? AND attempt = ? AND NOT written`, o.Caller, o.Key, o.Attempt)
		return err
	})
	if err != nil {
		return fmt.Errorf("idempotency key: %w", err)
	}
	return nil
}
