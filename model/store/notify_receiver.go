package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// ReceiverState is what is known of a receiver.
type ReceiverState struct {
	Name        string     `json:"name"`
	Fingerprint string     `json:"-"`             // of where it is: elsewhere it is another one
	Off         *time.Time `json:"off,omitempty"` // since when it is told nothing, for it said that it is gone
	Why         string     `json:"why,omitempty"` // it is off, or the last attempt failed
	LastOK      *time.Time `json:"last_ok,omitempty"`
	LastFailed  *time.Time `json:"last_failed,omitempty"`
	Failures    int        `json:"failures,omitempty"` // in a row
}

// Receivers reads what is known of receivers, by name.
func (s *Store) Receivers(ctx context.Context) (map[string]ReceiverState, error) {
	out := map[string]ReceiverState{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT name, fingerprint, off_at, why, last_ok, last_failed, failures FROM receivers`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r ReceiverState
			var off, ok, failed *int64
			if err := rows.Scan(&r.Name, &r.Fingerprint, &off, &r.Why, &ok, &failed, &r.Failures); err != nil {
				return err
			}
			r.Off, r.LastOK, r.LastFailed = timePtr(off), timePtr(ok), timePtr(failed)
			out[r.Name] = r
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("receivers: %w", err)
	}
	return out, nil
}

// NoteReceiver stores how an attempt at a receiver went: gone has it told nothing more
// until it is somewhere else, or answers again.
func (t *Tx) NoteReceiver(name, fingerprint string, ok, gone bool, why string) error {
	now := micros(t.Now)
	if ok {
		_, err := t.exec(`INSERT INTO receivers (name, fingerprint, why, last_ok, failures) VALUES (?,?,'',?,0)
ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, why = '', last_ok = excluded.last_ok, failures = 0, off_at = NULL`, name, fingerprint, now)
		return err
	}
	var off *int64
	if gone {
		off = &now
	}
	_, err := t.exec(`INSERT INTO receivers (name, fingerprint, off_at, why, last_failed, failures) VALUES (?,?,?,?,?,1)
ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, off_at = coalesce(excluded.off_at, CASE WHEN receivers.fingerprint = excluded.fingerprint THEN receivers.off_at END),
why = excluded.why, last_failed = excluded.last_failed, failures = receivers.failures + 1`, name, fingerprint, off, cut(why, answerRunes), now)
	return err
}

// Address is how somebody is written to.
type Address struct {
	Identity string
	Name     string // as people know them: displayName, or the user name
	Email    string // at work; empty: none is known
}

// Addresses reads how people are written to who are here, or away for a while; those
// who left, or are not there, are left out.
func (t *Tx) Addresses(ids []string) (out []Address, err error) {
	for start := 0; start < len(ids); start += idChunk {
		chunk := ids[start:min(start+idChunk, len(ids))]
		if out, err = t.addressesInto(out, chunk); err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
	}
	return out, nil
}

func (t *Tx) addressesInto(out []Address, ids []string) ([]Address, error) {
	rows, err := t.query(`SELECT id, name, user_doc FROM identities WHERE stage IN ('active', 'leave') AND id IN `+list(len(ids))+` ORDER BY id`, anys(ids)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		a := Address{}
		var doc []byte
		if err := rows.Scan(&a.Identity, &a.Name, &doc); err != nil {
			return nil, err
		}
		var user struct {
			DisplayName string `json:"displayName"`
			Emails      []struct {
				Value   string `json:"value"`
				Type    string `json:"type"`
				Primary bool   `json:"primary"`
			} `json:"emails"`
		}
		if err := json.Unmarshal(doc, &user); err == nil { // an attribute of another form is none
			if user.DisplayName != "" {
				a.Name = user.DisplayName
			}
			best := 0
			for _, e := range user.Emails {
				rank := 1
				if e.Primary {
					rank = 2
				}
				if e.Type == "work" {
					rank += 2
				}
				if e.Value != "" && e.Type != "home" && rank > best { // what is private stays so
					a.Email, best = e.Value, rank
				}
			}
		}
		out = append(out, a)
	}
	return out, rows.Err()
}
