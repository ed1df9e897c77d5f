package store

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// ConfigVersions lists versions of the configuration without their texts, the newest
// first, from below a version on; 0: from the newest.
func (s *Store) ConfigVersions(ctx context.Context, below int64, limit int) (out []ConfigVersion, more bool, err error) {
	q := s.read.WithContext(ctx).Select("version", "digest", "by_whom", "at").Order("version DESC").Limit(limit + 1)
	if below > 0 {
		q = q.Where("version < ?", below)
	}
	var rows []configRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, false, reachable(err)
	}
	if len(rows) > limit {
		rows, more = rows[:limit], true
	}
	for _, r := range rows {
		out = append(out, r.plain())
	}
	return out, more, nil
}

// ConfigVersion is one version with its text; 0 is the newest. A version that is not
// there is a NotFound.
func (s *Store) ConfigVersion(ctx context.Context, version int64) (ConfigVersion, error) {
	q := s.read.WithContext(ctx).Order("version DESC").Limit(1)
	if version != 0 {
		q = q.Where("version = ?", version)
	}
	var rows []configRow
	if err := q.Find(&rows).Error; err != nil {
		return ConfigVersion{}, reachable(err)
	}
	if len(rows) == 0 {
		return ConfigVersion{}, model.Fail(model.NotFound, fmt.Sprintf("there is no version %d of the configuration", version), nil)
	}
	return rows[0].plain(), nil
}

// RollBackConfig remembers that the texts of the versions after one were rolled back,
// but for a text that is that version's own.
func (t *Tx) RollBackConfig(to int64, by string) error {
	_, err := t.exec(`INSERT INTO config_rolled_back (digest, version, by_whom, at)
SELECT digest, max(version), CAST(? AS text), CAST(? AS bigint) FROM config_versions WHERE version > ? AND digest NOT IN (SELECT digest FROM config_versions WHERE version = ?) GROUP BY digest
ON CONFLICT (digest) DO UPDATE SET version = excluded.version, by_whom = excluded.by_whom, at = excluded.at`, by, micros(t.Now), to, to)
	return err
}

// RolledBack is a text that somebody took out of force.
type RolledBack struct {
	Version int64 // under which it was in force
	By      string
	At      time.Time
}

// RolledBack tells whether a text was rolled back, and not applied by anybody since.
func (s *Store) RolledBack(ctx context.Context, digest string) (r RolledBack, found bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		rows, err := tx.query(`SELECT version, by_whom, at FROM config_rolled_back WHERE digest = ?`, digest)
		if err != nil {
			return err
		}
		defer rows.Close()
		var at int64
		for rows.Next() {
			if err := rows.Scan(&r.Version, &r.By, &at); err != nil {
				return err
			}
			r.At, found = fromMicros(at), true
		}
		return rows.Err()
	})
	return r, found, err
}
