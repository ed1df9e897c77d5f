package store

import (
	"context"
	"time"
)

// RateState is how far the requests of one limit have been given out, at all replicas
// together. The zero state is that of a limit never used.
type RateState struct {
	Arrival     time.Time // when the next request would come if all came evenly
	PausedFrom  time.Time
	PausedUntil time.Time // the application asked to wait until then; zero: it did not
}

// UpdateRate changes the state of a limit under a lock, so that replicas share it.
func (s *Store) UpdateRate(ctx context.Context, name string, fn func(*RateState)) error {
	return s.Update(ctx, func(tx *Tx) error {
		lock := ""
		if tx.pg {
			lock = " FOR UPDATE"
		}
		if _, err := tx.exec(`INSERT INTO rates (name) VALUES (?) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return err
		}
		var arrival, from, until int64
		if err := tx.row(`SELECT arrival, paused_from, paused_until FROM rates WHERE name = ?`+lock, name).Scan(&arrival, &from, &until); err != nil {
			return err
		}
		st := RateState{moment(arrival), moment(from), moment(until)}
		fn(&st)
		_, err := tx.exec(`UPDATE rates SET arrival = ?, paused_from = ?, paused_until = ? WHERE name = ?`,
			number(st.Arrival), number(st.PausedFrom), number(st.PausedUntil), name)
		return err
	})
}

// Rate reads the state of a limit; the zero state where it was never used.
func (s *Store) Rate(ctx context.Context, name string) (RateState, error) {
	var rows []struct{ Arrival, PausedFrom, PausedUntil int64 }
	err := s.read.WithContext(ctx).Raw(`SELECT arrival, paused_from, paused_until FROM rates WHERE name = ?`, name).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return RateState{}, reachable(err)
	}
	return RateState{moment(rows[0].Arrival), moment(rows[0].PausedFrom), moment(rows[0].PausedUntil)}, nil
}

// moment and number read and write a time whose zero is the number 0.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return fromMicros(n)
}

func number(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}
