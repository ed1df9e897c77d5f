package store

import (
	"context"
	"time"
)

// Deviation is a tolerance of a source's dialect that its requests needed.
type Deviation struct {
	Source string
	Name   string // of the flag, see scim.Flags
	N      int64
	LastAt time.Time
}

// AddDeviations adds what was counted to what is there.
func (s *Store) AddDeviations(ctx context.Context, list []Deviation) error {
	return s.Update(ctx, func(tx *Tx) error {
		for _, d := range list {
			if _, err := tx.exec(`INSERT INTO source_deviations (source, deviation, n, last_at) VALUES (?,?,?,?)
ON CONFLICT (source, deviation) DO UPDATE SET n = source_deviations.n + excluded.n,
last_at = CASE WHEN excluded.last_at > source_deviations.last_at THEN excluded.last_at ELSE source_deviations.last_at END`,
				d.Source, d.Name, d.N, micros(d.LastAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Deviations lists what a source's requests needed, the most frequent first.
func (s *Store) Deviations(ctx context.Context, source string) ([]Deviation, error) {
	var out []Deviation
	err := s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT source, deviation, n, last_at FROM source_deviations WHERE source = ? ORDER BY n DESC, deviation`, source)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Deviation
			var last int64
			if err := rows.Scan(&d.Source, &d.Name, &d.N, &last); err != nil {
				return err
			}
			d.LastAt = fromMicros(last)
			out = append(out, d)
		}
		return rows.Err()
	})
	return out, err
}

// ResourceCounts is how many resources of each type a source has.
func (s *Store) ResourceCounts(ctx context.Context, source string) (map[string]int, error) {
	out := map[string]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT kind, sum(n) FROM resource_counts WHERE source = ? GROUP BY kind`, source)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var kind string
			var n int
			if err := rows.Scan(&kind, &n); err != nil {
				return err
			}
			out[kind] = n
		}
		return rows.Err()
	})
	return out, err
}
