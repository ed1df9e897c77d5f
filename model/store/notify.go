package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

// Notice is something that happened and that people or programs may want to be told.
// It is written in the transaction of what happened; who is told, and how, follows from
// the configuration later.
type Notice struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Type    string    `json:"type"`    // one of config.Events
	Subject string    `json:"subject"` // what it is about: target/NAME, request/ID, …
	// Key keeps the same from being told twice: of all notices of one type and key only
	// the first is kept. Whatever begins anew needs another key, such as one with the
	// moment at which it began. Empty: every one is told.
	Key string `json:"-"`
	// Identity is whom it is about; empty: nobody in particular. What was to be told of
	// a person goes when they are erased.
	Identity string `json:"identity,omitempty"`
	// Asked are those of whom something is wanted: identities, and role:NAME for
	// whoever holds the role. Messages to approvers, reviewers and owners go to them.
	Asked []string `json:"asked,omitempty"`
	Data  any      `json:"data,omitempty"` // JSON object, nothing secret; read back it is a json.RawMessage
}

// noticeBytes is how much a notice may say; what is longer is no message.
const noticeBytes = 64 << 10

// Notify writes what is to be told, at the moment of the transaction. A notice without
// an id gets one.
func (t *Tx) Notify(list ...Notice) error {
	for chunk := range portions(list) {
		args := make([]any, 0, 8*len(chunk))
		for _, n := range chunk {
			row, err := t.noticeRow(n)
			if err != nil {
				return fmt.Errorf("notice %s: %w", n.Type, err)
			}
			args = append(args, row...)
		}
		if _, err := t.exec(`INSERT INTO notices (id, at, type, subject, key, identity_id, asked, data, expanded) VALUES `+tuples(`(?,?,?,?,?,?,?,?,FALSE)`, len(chunk))+` ON CONFLICT DO NOTHING`, args...); err != nil {
			return fmt.Errorf("notices: %w", err)
		}
	}
	return nil
}

func (t *Tx) noticeRow(n Notice) ([]any, error) {
	if n.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		n.ID = id.String()
	}
	data, err := json.Marshal(n.Data)
	if err != nil {
		return nil, err
	}
	if n.Data == nil || len(data) > noticeBytes {
		data = []byte("{}")
	}
	asked := []byte("[]")
	if len(n.Asked) > 0 {
		if asked, err = json.Marshal(n.Asked); err != nil {
			return nil, err
		}
	}
	return []any{n.ID, micros(t.Now), n.Type, n.Subject, n.Key, n.Identity, string(asked), string(data)}, nil
}

// NoticeFilter says which notices are listed; empty fields say nothing.
type NoticeFilter struct {
	Type     string
	Identity string
	After    string // cursor of the previous page: the id of its last
	Limit    int
}

// Notices lists what was to be told, the newest first, and the cursor of the next page.
func (t *Tx) Notices(f NoticeFilter) (out []Notice, next string, err error) {
	cond, args := `TRUE`, []any{}
	for _, c := range []struct{ cond, value string }{{`type = ?`, f.Type}, {`identity_id = ?`, f.Identity}, {`id < ?`, f.After}} {
		if c.value != "" {
			cond, args = cond+` AND `+c.cond, append(args, c.value)
		}
	}
	out, err = t.noticesWhere(cond+` ORDER BY id DESC LIMIT ?`, append(args, f.Limit+1)...)
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		next = out[f.Limit-1].ID
	}
	return out, next, err
}

// Notice reads one. model.NotFound if there is none.
func (t *Tx) Notice(id string) (Notice, error) {
	found, err := t.noticesWhere(`id = ?`, id)
	if err == nil && len(found) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no event with the id %q", id), nil)
	}
	if err != nil {
		return Notice{}, err
	}
	return found[0], nil
}

func (t *Tx) noticesWhere(cond string, args ...any) (out []Notice, err error) {
	rows, err := t.query(`SELECT id, at, type, subject, key, identity_id, asked, data FROM notices WHERE `+cond, args...)
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n Notice
		var at int64
		var asked, data string
		if err := rows.Scan(&n.ID, &at, &n.Type, &n.Subject, &n.Key, &n.Identity, &asked, &data); err != nil {
			return nil, fmt.Errorf("notices: %w", err)
		}
		if err := json.Unmarshal([]byte(asked), &n.Asked); err != nil {
			return nil, fmt.Errorf("notice %s: %w", n.ID, err)
		}
		n.At, n.Data = fromMicros(at), json.RawMessage(data)
		out = append(out, n)
	}
	return out, rows.Err()
}
