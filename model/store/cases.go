package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

type caseRow struct {
	ID         string `gorm:"primaryKey"`
	IdentityID string
	Source     string
	ResourceID string
	Rule       string
	Candidates string
	Blocks     bool
	OpenedAt   int64
	DecidedAt  *int64
	DecidedBy  string
	Decision   string
}

func (caseRow) TableName() string { return "cases" }

func (r caseRow) plain() (model.Case, error) {
	c := model.Case{ID: r.ID, Identity: r.IdentityID, Source: r.Source, ResourceID: r.ResourceID, Rule: r.Rule, OpenedAt: fromMicros(r.OpenedAt),
		Blocks: r.Blocks, DecidedAt: timePtr(r.DecidedAt), DecidedBy: r.DecidedBy, Decision: r.Decision}
	if err := json.Unmarshal([]byte(r.Candidates), &c.Candidates); err != nil {
		return c, fmt.Errorf("case %s: %w", r.ID, err)
	}
	return c, nil
}

// openCases reads the open cases of identities; of several of one identity the one
// that blocks, or else the oldest.
func (t *Tx) openCases(ids []string) (map[string]*model.Case, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []caseRow
	if err := t.db.Where("decided_at IS NULL AND identity_id IN ?", ids).Order("blocks DESC, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := map[string]*model.Case{}
	for _, r := range rows {
		c, err := r.plain()
		if err != nil {
			return nil, err
		}
		if out[c.Identity] == nil {
			out[c.Identity] = &c
		}
	}
	return out, nil
}

// OpenCases lists the open cases of one identity, the oldest first.
func (t *Tx) OpenCases(identity string) ([]model.Case, error) {
	return t.cases("decided_at IS NULL AND identity_id = ?", identity)
}

// OpenCaseOf is the open case of a resource, nil if there is none.
func (t *Tx) OpenCaseOf(resource string) (*model.Case, error) {
	found, err := t.cases("decided_at IS NULL AND resource_id = ?", resource)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (t *Tx) cases(where string, args ...any) ([]model.Case, error) {
	var rows []caseRow
	if err := t.db.Where(where, args...).Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]model.Case, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.plain(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// OpenCase stores a new case and gives its id. Where the resource has an open one
// already, that one gets the rule and the candidates; whether it blocks stays.
func (t *Tx) OpenCase(c model.Case) (string, error) {
	candidates, err := json.Marshal(slices.Sorted(slices.Values(c.Candidates)))
	if err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("case id: %w", err)
	}
	var stored string
	err = t.row(`INSERT INTO cases (id, identity_id, source, resource_id, rule, candidates, blocks, opened_at, decided_by, decision) VALUES (?,?,?,?,?,?,?,?,'','')
ON CONFLICT (resource_id) WHERE decided_at IS NULL DO UPDATE SET rule = excluded.rule, candidates = excluded.candidates, identity_id = excluded.identity_id RETURNING id`,
		id.String(), c.Identity, c.Source, c.ResourceID, c.Rule, string(candidates), c.Blocks, micros(t.Now)).Scan(&stored)
	return stored, err
}

// DecideCase closes an open case; an empty decision says that the resource is
// somebody's of its own.
func (t *Tx) DecideCase(id, by, decision string) error {
	_, err := t.exec(`UPDATE cases SET decided_at = ?, decided_by = ?, decision = ? WHERE id = ? AND decided_at IS NULL`, micros(t.Now), by, decision, id)
	return err
}

// DropCase closes the open case of a resource that is no more, if there is one, and
// tells whose it was.
func (t *Tx) DropCase(resource string) (identity string, err error) {
	err = t.row(`UPDATE cases SET decided_at = ?, decided_by = 'hub' WHERE resource_id = ? AND decided_at IS NULL RETURNING identity_id`, micros(t.Now), resource).Scan(&identity)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return identity, err
}

// ReplaceCandidate makes open cases that name one identity name another instead, and
// gives those that are about that other itself and have no candidate left.
func (t *Tx) ReplaceCandidate(from, to string) (empty []model.Case, err error) {
	quoted, _ := json.Marshal(from)
	open, err := t.cases(`decided_at IS NULL AND candidates LIKE ?`, "%"+string(quoted)+"%")
	if err != nil {
		return nil, err
	}
	for _, c := range open {
		var next []string
		for _, id := range c.Candidates {
			if id == from {
				id = to
			}
			if id != c.Identity && !slices.Contains(next, id) {
				next = append(next, id)
			}
		}
		if len(next) == 0 {
			empty, next = append(empty, c), []string{}
		}
		slices.Sort(next)
		list, _ := json.Marshal(next)
		if _, err := t.exec(`UPDATE cases SET candidates = ? WHERE id = ?`, string(list), c.ID); err != nil {
			return nil, err
		}
	}
	return empty, nil
}

// Cases lists cases by age, the oldest first, after the id that the previous page
// ended with; only open ones, or all.
func (s *Store) Cases(ctx context.Context, all bool, after string, limit int) (out []model.Case, next string, err error) {
	q := s.read.WithContext(ctx).Where("id > ?", after).Order("id").Limit(limit + 1)
	if !all {
		q = q.Where("decided_at IS NULL")
	}
	var rows []caseRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows, next = rows[:limit], rows[limit-1].ID
	}
	for _, r := range rows {
		c, err := r.plain()
		if err != nil {
			return nil, "", err
		}
		out = append(out, c)
	}
	return out, next, nil
}
