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
		rows, err := tx.query(`SELECT id, at, type, source, data FROM events WHERE identity_id = ? AND id > ? ORDER BY id LIMIT ?`, identity, after, limit+1)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e TimelineEvent
			var at int64
			var data string
			if err := rows.Scan(&e.ID, &at, &e.Type, &e.Source, &data); err != nil {
				return err
			}
			e.At = fromMicros(at)
			if data != "" {
				e.Data = json.RawMessage(data)
			}
			events = append(events, e)
		}
		return rows.Err()
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
