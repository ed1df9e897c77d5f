package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// RequestFilter says which requests a listing is about; empty fields say nothing.
type RequestFilter struct {
	Identity string             // who is to hold the role
	State    model.RequestState // where it stands
	Role     string
	// Concerns lists people: of each, what is asked for them and what they asked for.
	Concerns []string
	// Asked lists who can answer: identities, and role:NAME. Only what waits is found.
	Asked []string
	// Seen keeps to what one of these can answer or is concerned by, for whom not
	// everything is to be seen. Nil: no limit.
	Seen []string
}

// AnybodyAsked finds all that waits, whoever is asked, where it stands alone in Asked
// of a RequestFilter.
const AnybodyAsked = "*"

// Requests lists requests, the newest first, after the id that the previous page
// ended with. next is empty on the last page.
func (t *Tx) Requests(f RequestFilter, after string, limit int) (out []model.Request, next string, err error) {
	var where []string
	var args []any
	add := func(cond string, values ...any) { where, args = append(where, cond), append(args, values...) }
	if f.Identity != "" {
		add(`identity_id = ?`, f.Identity)
	}
	if f.State != "" {
		add(`state = ?`, string(f.State))
	}
	if f.Role != "" {
		add(`role = ?`, f.Role)
	}
	if len(f.Concerns) > 0 {
		l := list(len(f.Concerns))
		add(`(identity_id IN `+l+` OR asked_by IN `+l+`)`, append(anys(f.Concerns), anys(f.Concerns)...)...)
	}
	switch {
	case len(f.Asked) == 1 && f.Asked[0] == AnybodyAsked:
		add(`(state = 'pending' OR id IN (SELECT request_id FROM request_asked))`)
	case len(f.Asked) > 0:
		add(`id IN (SELECT request_id FROM request_asked WHERE asked IN `+list(len(f.Asked))+`)`, anys(f.Asked)...)
	}
	if len(f.Seen) > 0 {
		l := list(len(f.Seen))
		add(`(identity_id IN `+l+` OR asked_by IN `+l+` OR id IN (SELECT request_id FROM request_asked WHERE asked IN `+l+`))`,
			append(append(anys(f.Seen), anys(f.Seen)...), anys(f.Seen)...)...)
	}
	if after != "" {
		add(`id < ?`, after)
	}
	add(`TRUE`)
	out, err = t.requestsWhere(strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(out) > limit {
		out = out[:limit]
		next = out[limit-1].ID
	}
	return out, next, nil
}

// PendingApprovals counts the requests that somebody has to answer: pending ones, and
// those asked about after the fact.
func (s *Store) PendingApprovals(ctx context.Context) (n int, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM requests WHERE state = 'pending' OR id IN (SELECT request_id FROM request_asked)`).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("pending approvals: %w", err)
	}
	return n, nil
}

// Person is the name and the stage of an identity.
type Person struct {
	ID    string
	Name  string
	Stage model.Stage
}

// People reads names and stages, by identity; those that are not there are left out.
func (t *Tx) People(ids []string) (map[string]Person, error) {
	out := map[string]Person{}
	for start := 0; start < len(ids); start += idChunk {
		chunk := ids[start:min(start+idChunk, len(ids))]
		if err := t.peopleInto(out, `SELECT id, name, stage FROM identities WHERE id IN `+list(len(chunk)), anys(chunk)...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// holdersLimit bounds how many holders of one role can be asked.
const holdersLimit = 10_000

// Holders reads the people who speak for a role now, by identity: those who hold it,
// without those who only have its access for a while (see Lent).
func (t *Tx) Holders(role string) (map[string]Person, error) {
	out := map[string]Person{}
	err := t.peopleInto(out, `SELECT i.id, i.name, i.stage FROM grants g JOIN identities i ON i.id = g.identity_id
WHERE g.role = ? AND g.ended_at IS NULL AND (g.until_at IS NULL OR g.until_at > ?) ORDER BY i.id LIMIT ?`, role, micros(t.Now), holdersLimit)
	if err != nil {
		return nil, err
	}
	var rows []grantRow // those that may be lent are few
	err = t.db.Where(`role = ? AND ended_at IS NULL AND (because LIKE '%"hand_over":true%' OR because LIKE '%"request":%')`, role).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("holders: %w", err)
	}
	grants := make([]model.Grant, len(rows))
	for i, r := range rows {
		if grants[i], err = r.plain(); err != nil {
			return nil, err
		}
	}
	lent, err := t.Lent(grants)
	for _, g := range lent {
		delete(out, g.Identity)
	}
	return out, err
}

// Lent are those of grants that give access and no say: nothing gives them any more
// and they are kept for hand-over, or they were given in an emergency that nobody has
// looked at yet.
func (t *Tx) Lent(grants []model.Grant) (out []model.Grant, err error) {
	var asked []string
	for _, g := range grants {
		for _, b := range g.Because {
			if b.Request != "" {
				asked = append(asked, b.Request)
			}
		}
	}
	unseen := map[string]bool{}
	for start := 0; start < len(asked); start += idChunk {
		chunk := asked[start:min(start+idChunk, len(asked))]
		found, err := t.requestsWhere(`id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			unseen[r.ID] = r.Origin == model.OriginEmergency && r.Review != nil
		}
	}
	for _, g := range grants {
		if !slices.ContainsFunc(g.Because, func(b model.Reason) bool { return !b.HandOver && !unseen[b.Request] }) {
			out = append(out, g)
		}
	}
	return out, nil
}

func (t *Tx) peopleInto(out map[string]Person, query string, args ...any) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Person
		if err := rows.Scan(&p.ID, &p.Name, &p.Stage); err != nil {
			return fmt.Errorf("people: %w", err)
		}
		out[p.ID] = p
	}
	return rows.Err()
}
