package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Finding is one difference at a target that nobody told the hub about.
type Finding struct {
	Kind      string            `json:"kind"` // changed, missing, unknown, membership, resurrected
	Identity  string            `json:"identity,omitempty"`
	UserName  string            `json:"userName"`
	RemoteID  string            `json:"remoteId"`
	Group     string            `json:"group,omitempty"` // of a membership, or the group that differs itself
	Fields    []model.FieldDiff `json:"fields,omitempty"`
	Action    string            `json:"action"`           // what follows: report, revert, recreate, adopt, disable
	Sightings int               `json:"sightings"`        // sweeps in a row that saw it and could be believed
	Since     time.Time         `json:"since,omitzero"`   // when the first of them began
	Done      *time.Time        `json:"done,omitempty"`   // when the hub began to put it right
	Needed    int               `json:"needed,omitempty"` // sightings before anything follows
	Follows   string            `json:"follows,omitempty"`

	Object   string         `json:"-"` // whom it is about: identity id, "?" and a remote id, "group " and a name
	Observed *model.Account `json:"-"` // what the target showed; nil: absent
	Sweep    time.Time      `json:"-"` // beginning of the last sweep that saw it
}

// Look is what a sweep learnt from a part of what the target shows.
type Look struct {
	Began time.Time          // of the sweep
	Seen  []string           // identities whose accounts the target showed
	Same  []string           // those of them that are as applied
	Rows  []model.AccountRow // whose facts changed: see SaveObserved
	Found []Finding
	Audit []model.Change
}

// SaveLook stores a look in one transaction. A finding that was there already goes on;
// one that differs otherwise than before begins anew.
func (s *Store) SaveLook(ctx context.Context, target string, l Look) error {
	if len(l.Seen)+len(l.Same)+len(l.Rows)+len(l.Found)+len(l.Audit) == 0 {
		return nil
	}
	return s.Update(ctx, func(tx *Tx) error {
		if err := tx.saw(target, l); err != nil {
			return err
		}
		if err := tx.saveObservedAll(target, l.Rows); err != nil {
			return err
		}
		for _, f := range l.Found {
			if err := tx.saveFound(target, l.Began, f); err != nil {
				return err
			}
		}
		if len(l.Audit) == 0 {
			return nil
		}
		entries := make([]AuditEntry, len(l.Audit))
		for i, c := range l.Audit {
			entries[i] = changeEntry(target, c, "", "")
		}
		return tx.Audit(entries...)
	})
}

// saw notes who was shown, in the order in which everybody locks rows.
func (t *Tx) saw(target string, l Look) error {
	same := map[string]bool{}
	for _, id := range l.Same {
		same[id] = true
	}
	var other []string
	for _, id := range l.Seen {
		if !same[id] {
			other = append(other, id)
		}
	}
	for _, part := range []struct {
		set  string
		args []any
		ids  []string
	}{
		{`verified_at = ?, seen_at = ?`, []any{micros(t.Now), micros(l.Began)}, slices.Sorted(slices.Values(l.Same))},
		{`seen_at = ?`, []any{micros(l.Began)}, slices.Sorted(slices.Values(other))},
	} {
		for chunk := range slices.Chunk(part.ids, perStatement) {
			args := append(append(slices.Clone(part.args), target), anys(chunk)...)
			if _, err := t.exec(`UPDATE accounts SET `+part.set+` WHERE target = ? AND identity_id IN `+list(len(chunk)), args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tx) saveFound(target string, began time.Time, f Finding) error {
	fields, err := json.Marshal(f.Fields)
	if err != nil {
		return err
	}
	var observed []byte
	if f.Observed != nil {
		if observed, err = json.Marshal(f.Observed); err != nil {
			return err
		}
	}
	done := int64(0)
	if f.Done != nil {
		done = micros(*f.Done)
	}
	_, err = t.exec(`INSERT INTO drift_found (target, object, kind, subject, user_name, remote_id, fields, observed, mark, action, sightings, since, sweep, done)
VALUES (?,?,?,?,?,?,?,?,?,?,0,?,?,?)
ON CONFLICT (target, object, kind, subject) DO UPDATE SET user_name = excluded.user_name, remote_id = excluded.remote_id, fields = excluded.fields, observed = excluded.observed,
sightings = CASE WHEN drift_found.mark = excluded.mark THEN drift_found.sightings ELSE 0 END, since = CASE WHEN drift_found.mark = excluded.mark THEN drift_found.since ELSE excluded.since END,
mark = excluded.mark, action = excluded.action, sweep = excluded.sweep, done = excluded.done`,
		target, f.object(), f.Kind, f.Group, f.UserName, f.RemoteID, string(fields), string(observed), string(fields), f.Action, micros(began), micros(began), done)
	return err
}

// object is whom a finding is about.
func (f Finding) object() string {
	switch {
	case f.Object != "":
		return f.Object
	case f.Identity != "":
		return f.Identity
	}
	return "?" + f.RemoteID
}

const foundColumns = `object, kind, subject, user_name, remote_id, fields, observed, action, sightings, since, sweep, done`

func (t *Tx) found(where string, args ...any) (out []Finding, err error) {
	rows, err := t.query(`SELECT `+foundColumns+` FROM drift_found WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f Finding
		var fields, observed string
		var since, sweep, done int64
		if err := rows.Scan(&f.Object, &f.Kind, &f.Group, &f.UserName, &f.RemoteID, &fields, &observed, &f.Action, &f.Sightings, &since, &sweep, &done); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(fields), &f.Fields); err != nil {
			return nil, err
		}
		if observed != "" {
			if f.Observed, err = decodeAccount(&observed); err != nil {
				return nil, err
			}
		}
		if !strings.HasPrefix(f.Object, "?") && !strings.HasPrefix(f.Object, groupObject) {
			f.Identity = f.Object
		}
		f.Since, f.Sweep = fromMicros(since), fromMicros(sweep)
		if done != 0 {
			at := fromMicros(done)
			f.Done = &at
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// groupObject begins the object of a finding about a group itself.
const groupObject = "group "

// GroupObject is the object of findings about a group itself rather than one member.
func GroupObject(name string) string { return groupObject + name }

// FoundBy lists what one sweep found, object by object in order, those of limit
// objects after one.
func (s *Store) FoundBy(ctx context.Context, target string, began time.Time, after string, limit int) (out []Finding, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		objects, err := tx.texts(`SELECT DISTINCT object FROM drift_found WHERE target = ? AND sweep = ? AND object > ? ORDER BY object LIMIT ?`, target, micros(began), after, limit)
		if err != nil || len(objects) == 0 {
			return err
		}
		args := append([]any{target, micros(began)}, anys(objects)...)
		out, err = tx.found(`target = ? AND sweep = ? AND object IN `+list(len(objects))+` ORDER BY object, kind, subject`, args...)
		return err
	})
	return out, err
}

// FoundFilter narrows a listing of drift; what is empty does not.
type FoundFilter struct {
	Target, Kind string

	After string // cursor of the previous page
	Limit int
}

// Found lists the drift there is, by target, kind and user name, with the cursor of
// the next page.
func (s *Store) Found(ctx context.Context, f FoundFilter) (out []Finding, next string, err error) {
	where, args := []string{"target = ?"}, []any{f.Target}
	if f.Kind != "" {
		where, args = append(where, "kind = ?"), append(args, f.Kind)
	}
	if f.After != "" {
		var at []string
		if err := json.Unmarshal([]byte(f.After), &at); err != nil || len(at) != 4 || strings.ContainsRune(strings.Join(at, ""), 0) {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		where, args = append(where, "(kind, user_name, object, subject) > (?, ?, ?, ?)"), append(args, anys(at)...)
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.found(strings.Join(where, " AND ")+` ORDER BY kind, user_name, object, subject LIMIT ?`, append(args, f.Limit+1)...)
		return err
	})
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		last := out[f.Limit-1]
		cursor, _ := json.Marshal([]string{last.Kind, last.UserName, last.Object, last.Group})
		next = string(cursor)
	}
	return out, next, err
}

// FoundCount is how much drift of a kind there is at a target.
type FoundCount struct {
	Kind  string    `json:"kind"`
	Count int       `json:"count"`
	Since time.Time `json:"since"` // of the oldest
}

// CountFound counts the drift of a target by kind; with began only what the sweep of
// that beginning saw.
func (s *Store) CountFound(ctx context.Context, target string, began *time.Time) (out []FoundCount, err error) {
	where, args := `target = ?`, []any{target}
	if began != nil {
		where, args = where+` AND sweep = ?`, append(args, micros(*began))
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT kind, count(*), min(since) FROM drift_found WHERE `+where+` GROUP BY kind ORDER BY kind`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c FoundCount
			var since int64
			if err := rows.Scan(&c.Kind, &c.Count, &since); err != nil {
				return err
			}
			c.Since = fromMicros(since)
			out = append(out, c)
		}
		return rows.Err()
	})
	return out, err
}
