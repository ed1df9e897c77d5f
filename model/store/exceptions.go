package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

const exceptionColumns = `e.id, e.identity_id, e.roles, e.owner, e.reason, e.made_by, e.request, e.from_at, e.until_at, e.ended_at, coalesce(o.name, ''), coalesce(o.stage, '')`

const exceptionTables = ` FROM exceptions e LEFT JOIN identities o ON o.id = e.owner `

// exceptionsOf reads the exceptions of people that were not ended, by id; what has
// come to its end by itself is among them until it is marked as ended.
func (t *Tx) exceptionsOf(ids []string) (map[string][]model.Exception, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := t.exceptions(`WHERE e.ended_at IS NULL AND e.identity_id IN `+list(len(ids))+` ORDER BY e.identity_id, e.id`, anys(ids)...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := map[string][]model.Exception{}
	for _, e := range found {
		out[e.Identity] = append(out[e.Identity], e)
	}
	return out, nil
}

func (t *Tx) exceptions(where string, args ...any) (out []model.Exception, err error) {
	rows, err := t.query(`SELECT `+exceptionColumns+exceptionTables+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e model.Exception
		var roles string
		var from, until int64
		var ended *int64
		if err := rows.Scan(&e.ID, &e.Identity, &roles, &e.Owner, &e.Reason, &e.By, &e.Request, &from, &until, &ended, &e.OwnerName, &e.OwnerStage); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(roles), &e.Roles); err != nil {
			return nil, fmt.Errorf("exception %s: %w", e.ID, err)
		}
		e.From, e.Until, e.EndedAt = fromMicros(from), fromMicros(until), timePtr(ended)
		out = append(out, e)
	}
	return out, rows.Err()
}

// AddException stores a new exception to a conflict.
func (t *Tx) AddException(e model.Exception) error {
	roles, err := json.Marshal(e.Roles)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO exceptions (id, identity_id, roles, owner, reason, made_by, request, from_at, until_at, made_at) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		e.ID, e.Identity, string(roles), e.Owner, e.Reason, e.By, e.Request, micros(e.From), micros(e.Until), micros(t.Now))
	return err
}

// Exception reads one exception, ended or not; NotFound where there is none.
func (t *Tx) Exception(id string) (model.Exception, error) {
	found, err := t.exceptions(`WHERE e.id = ?`, id)
	if err != nil {
		return model.Exception{}, err
	}
	if len(found) == 0 {
		return model.Exception{}, model.Fail(model.NotFound, fmt.Sprintf("there is no exception %q; scimhub conflict exemptions lists them", id), nil)
	}
	return found[0], nil
}

// EndException ends an exception at a moment; false where it had ended already.
func (t *Tx) EndException(id, by string, at time.Time) (bool, error) {
	n, err := t.exec(`UPDATE exceptions SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL`, micros(at), by, id)
	return n == 1, err
}

// ExceptionsOwned lists the people who have an exception that somebody answers for.
func (t *Tx) ExceptionsOwned(owner string) ([]string, error) {
	return t.texts(`SELECT DISTINCT identity_id FROM exceptions WHERE owner = ? AND ended_at IS NULL ORDER BY identity_id`, owner)
}

// ExceptionFilter narrows a listing of exceptions.
type ExceptionFilter struct {
	Identity string // empty: everybody's
	Ended    bool   // those that have ended, too
	After    string // cursor of the previous page
	Limit    int
}

// Exceptions lists exceptions by id, which is the order in which they were made, and
// gives the cursor of the next page.
func (s *Store) Exceptions(ctx context.Context, f ExceptionFilter) (out []model.Exception, next string, err error) {
	where, args := `WHERE e.id > ?`, []any{f.After}
	if f.Identity != "" {
		where, args = where+` AND e.identity_id = ?`, append(args, f.Identity)
	}
	err = s.View(ctx, func(tx *Tx) error {
		if !f.Ended {
			where, args = where+` AND e.ended_at IS NULL AND e.until_at > ?`, append(args, micros(tx.Now))
		}
		out, err = tx.exceptions(where+` ORDER BY e.id LIMIT ?`, append(args, f.Limit+1)...)
		return err
	})
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		next = out[f.Limit-1].ID
	}
	return out, next, err
}
