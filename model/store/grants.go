package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

type grantRow struct {
	ID         string `gorm:"primaryKey"`
	IdentityID string
	Role       string
	Because    string
	ApprovedBy string
	Version    int64
	FromAt     int64
	UntilAt    *int64
	EndedAt    *int64
}

func (grantRow) TableName() string { return "grants" }

func (r grantRow) plain() (model.Grant, error) {
	g := model.Grant{Identity: r.IdentityID, Role: r.Role, ApprovedBy: r.ApprovedBy, From: fromMicros(r.FromAt), Until: timePtr(r.UntilAt)}
	if err := json.Unmarshal([]byte(r.Because), &g.Because); err != nil {
		return g, fmt.Errorf("grant %s: %w", r.ID, err)
	}
	return g, nil
}

// Grants lists the roles that identities hold now, by identity.
func (t *Tx) Grants(identities []string) (map[string][]model.Grant, error) {
	return t.grantsWhere(identities, "ended_at IS NULL")
}

// GrantsAt lists the roles that identities held at a moment, by identity.
func (t *Tx) GrantsAt(identities []string, at time.Time) (map[string][]model.Grant, error) {
	return t.grantsWhere(identities, "from_at <= ? AND (ended_at IS NULL OR ended_at > ?)", micros(at), micros(at))
}

func (t *Tx) grantsWhere(identities []string, cond string, args ...any) (map[string][]model.Grant, error) {
	out := map[string][]model.Grant{}
	if len(identities) == 0 {
		return out, nil
	}
	where, ids := t.among("identity_id", identities)
	rows, err := t.query(`SELECT id, identity_id, role, because, approved_by, version, from_at, until_at, ended_at FROM grants WHERE `+where+` AND `+cond+` ORDER BY identity_id, role`, t.planned(append(ids, args...))...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r grantRow
		if err := rows.Scan(&r.ID, &r.IdentityID, &r.Role, &r.Because, &r.ApprovedBy, &r.Version, &r.FromAt, &r.UntilAt, &r.EndedAt); err != nil {
			return nil, err
		}
		g, err := r.plain()
		if err != nil {
			return nil, err
		}
		out[r.IdentityID] = append(out[r.IdentityID], g)
	}
	return out, rows.Err()
}

// AddGrant starts a grant; the reasons are kept as they were on that day.
func (t *Tx) AddGrant(g model.Grant, version int64) error {
	return t.AddGrants([]model.Grant{g}, version)
}

// EndGrant ends the current grant of a role; the row stays as history.
func (t *Tx) EndGrant(identity, role string) error {
	_, err := t.exec(`UPDATE grants SET ended_at = ? WHERE identity_id = ? AND role = ? AND ended_at IS NULL`, micros(t.Now), identity, role)
	return err
}

// Event is something that happened to a person: a line of their timeline.
type Event struct {
	Type     string // joiner, mover, leaver, rehire, …
	Source   string
	Identity string
	Data     any // JSON object; nothing secret
}

// AddEvent appends to the timeline.
func (t *Tx) AddEvent(e Event) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return err
	}
	if t.later.events == nil {
		t.later.events = newRowset("id text", "at bigint", "type text", "source text", "identity_id text", "data text")
	}
	t.later.events.add(id.String(), micros(t.Now), e.Type, e.Source, e.Identity, string(data))
	return nil
}

// SetGrantReasons stores new reasons for a role that is held already, who approved it,
// and its planned end.
func (t *Tx) SetGrantReasons(g model.Grant) error {
	because, err := json.Marshal(g.Because)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE grants SET because = ?, approved_by = ?, until_at = ? WHERE identity_id = ? AND role = ? AND ended_at IS NULL`, string(because), g.ApprovedBy, microsPtr(g.Until), g.Identity, g.Role)
	return err
}
