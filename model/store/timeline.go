package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/scimhub/scimhub/model"
)

// TimelineEvent is one line of a person's timeline.
type TimelineEvent struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Type   string          `json:"type"`
	Source string          `json:"source,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// Timeline lists what happened to a person, in order of time, after the event of that
// id.
func (s *Store) Timeline(ctx context.Context, identity, after string, limit int) (events []TimelineEvent, next string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		events, err = tx.events(`identity_id = ? AND id > ? ORDER BY id LIMIT ?`, identity, after, limit+1)
		return err
	})
	if err != nil {
		return nil, "", model.Fail(model.Unavailable, "the timeline cannot be read", err)
	}
	if len(events) > limit {
		events = events[:limit]
		next = events[limit-1].ID
	}
	return events, next, nil
}

func (t *Tx) events(where string, args ...any) (events []TimelineEvent, err error) {
	rows, err := t.query(`SELECT id, at, type, source, data FROM events WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e TimelineEvent
		var at int64
		var data string
		if err := rows.Scan(&e.ID, &at, &e.Type, &e.Source, &data); err != nil {
			return nil, err
		}
		e.At = fromMicros(at)
		if data != "" {
			e.Data = json.RawMessage(data)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
