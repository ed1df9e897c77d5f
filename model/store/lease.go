package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// ErrLeaseLost says that a transaction made under the lease of a target was refused,
// because another replica has that lease now: what this one knows of the target is old.
var ErrLeaseLost = errors.New("another replica has the lease of the target")

// These are how long a transaction under a lease, and one that decides about people,
// may stand still before the server ends it. They are shorter than any lease and claim, so that a replica which was stopped in the middle of one and wakes up cannot
// commit it after another has begun, and keeps nobody waiting.
const (
	idleUnderLease = "5s"
	idleDeciding   = "8s"
)

type leaseKey struct{}

type leaseClaim struct{ target, holder string }

// UnderLease binds what is written with a context to the lease of a target: each
// transaction of Update commits only while holder has it, and fails with ErrLeaseLost
// otherwise. A lease that has run out and that nobody else took still counts.
func UnderLease(ctx context.Context, target, holder string) context.Context {
	return context.WithValue(ctx, leaseKey{}, leaseClaim{target, holder})
}

// fence makes sure of the lease that the transaction is bound to, until it ends: who
// takes a lease waits for those who write under it.
func (t *Tx) fence() error {
	c, bound := t.ctx.Value(leaseKey{}).(leaseClaim)
	if !bound {
		return nil
	}
	if t.pg {
		if _, err := t.exec(`SELECT pg_advisory_xact_lock_shared(`+leaseLock+`), set_config('idle_in_transaction_session_timeout', ?, true)`, c.target, idleUnderLease); err != nil {
			return fmt.Errorf("lease of target %s: %w", c.target, err)
		}
	}
	var holder string
	err := t.row(`SELECT holder FROM targets WHERE name = ?`, c.target).Scan(&holder)
	if errors.Is(err, sql.ErrNoRows) || err == nil && holder != c.holder {
		return model.Fail(model.Conflict, "another replica of the hub works on target "+c.target+" now; nothing was stored", ErrLeaseLost)
	}
	return err
}

// endIdle has the server end the transaction once it stands still.
func (t *Tx) endIdle() error {
	if !t.pg {
		return nil
	}
	if _, err := t.exec(`SELECT set_config('idle_in_transaction_session_timeout', ?, true)`, idleDeciding); err != nil {
		return fmt.Errorf("bound a transaction: %w", err)
	}
	return nil
}

// leaseLock is the advisory lock of the lease of one target.
const leaseLock = `hashtextextended(current_schema() || ' lease of ' || CAST(? AS text), 0)`

// leaseNow is the clock that leases go by: the server's where replicas share one, for
// theirs may differ.
func (s *Store) leaseNow(tx *Tx) (now int64, err error) {
	if !s.pg || s.own {
		return micros(tx.Now), nil
	}
	err = tx.row(`SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`).Scan(&now)
	return now, err
}

// LeaseTarget takes the lease on a target, or takes it again; false: somebody else
// holds it. It waits for what is being stored under the lease that ran out.
func (s *Store) LeaseTarget(ctx context.Context, target, holder string, d time.Duration) (bool, error) {
	var n int64
	err := s.Update(ctx, func(tx *Tx) error {
		n = 0
		if _, err := tx.exec(`INSERT INTO targets (name, holder, leased_until, state) VALUES (?, '', 0, '{}') ON CONFLICT (name) DO NOTHING`, target); err != nil {
			return err
		}
		now, err := s.leaseNow(tx)
		if err != nil {
			return err
		}
		free := false
		if err := tx.row(`SELECT holder = ? OR leased_until <= ? FROM targets WHERE name = ?`, holder, now, target).Scan(&free); err != nil || !free {
			return err
		}
		if tx.pg {
			if _, err := tx.exec(`SELECT pg_advisory_xact_lock(`+leaseLock+`)`, target); err != nil {
				return err
			}
		}
		if now, err = s.leaseNow(tx); err != nil { // some time may have passed
			return err
		}
		n, err = tx.exec(`UPDATE targets SET holder = ?, leased_until = ? WHERE name = ? AND (holder = ? OR leased_until <= ?)`,
			holder, now+d.Microseconds(), target, holder, now)
		return err
	})
	return n == 1, err
}

// RenewTarget prolongs a lease; false: somebody else has had it since it was taken, and
// whatever is known of the target may be old. One that ran out and that nobody took is
// prolonged.
func (s *Store) RenewTarget(ctx context.Context, target, holder string, d time.Duration) (bool, error) {
	var n int64
	err := s.Update(ctx, func(tx *Tx) error {
		now, err := s.leaseNow(tx)
		if err != nil {
			return err
		}
		n, err = tx.exec(`UPDATE targets SET leased_until = ? WHERE name = ? AND holder = ?`, now+d.Microseconds(), target, holder)
		return err
	})
	return n == 1, err
}

// ReleaseTarget gives the lease back; nothing happens if holder has lost it.
func (s *Store) ReleaseTarget(ctx context.Context, target, holder string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE targets SET holder = '', leased_until = 0 WHERE name = ? AND holder = ?`, target, holder)
		return err
	})
}
