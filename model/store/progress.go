package store

import (
	"context"
	"time"
)

// Progress is how far the work that waits at a target has come since it began to wait.
type Progress struct {
	Since     time.Time // zero: nothing large waits
	At        time.Time // when it was looked at last
	Done      int
	Waiting   int
	PerSecond float64 // of late
}

// SaveProgress stores the progress at a target.
func (s *Store) SaveProgress(ctx context.Context, target string, p Progress) error {
	return s.single(ctx, s.write, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO target_progress (target, since, at, done, waiting, per_second) VALUES (?,?,?,?,?,?)
ON CONFLICT (target) DO UPDATE SET since = excluded.since, at = excluded.at, done = excluded.done, waiting = excluded.waiting, per_second = excluded.per_second`,
			target, micros(p.Since), micros(p.At), p.Done, p.Waiting, p.PerSecond)
		return err
	})
}

// Progress reads the progress at a target; the zero Progress where there was none.
func (s *Store) Progress(ctx context.Context, target string) (Progress, error) {
	var rows []struct {
		Since, At     int64
		Done, Waiting int
		PerSecond     float64
	}
	err := s.read.WithContext(ctx).Raw(`SELECT since, at, done, waiting, per_second FROM target_progress WHERE target = ?`, target).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Progress{}, reachable(err)
	}
	r := rows[0]
	return Progress{fromMicros(r.Since), fromMicros(r.At), r.Done, r.Waiting, r.PerSecond}, nil
}

// DueByNow counts the accounts of a target with something to do now.
func (s *Store) DueByNow(ctx context.Context, target string) (int, error) {
	var n int
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM accounts WHERE target = ? AND due AND next_at <= ?`, target, micros(tx.Now)).Scan(&n)
	})
	return n, err
}
