package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// maxNamesakes limits how many people of one number are named to each other.
const maxNamesakes = 5

// maxSubject limits what tells a finding from others, in characters.
const maxSubject = 200

// findingKey tells a finding from others of the same person.
type findingKey struct{ kind, subject string }

// SetFindings replaces what is wrong with a person's facts; what was found before
// keeps the time since when. Only what differs is written.
func (t *Tx) SetFindings(identity string, list []model.Finding) error {
	stored, err := t.findings(`WHERE identity_id = ?`, identity)
	if err != nil {
		return err
	}
	return t.replaceFindings(identity, stored, list)
}

// SetSourceFindings replaces what is wrong with a source as a whole.
func (t *Tx) SetSourceFindings(source string, list []model.Finding) error {
	stored, err := t.findings(`WHERE identity_id = '' AND source = ?`, source)
	if err != nil {
		return err
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Source = source
	}
	return t.replaceFindings("", stored, list)
}

// findingSubject is a subject as the key of a table can hold it.
func findingSubject(text string) string {
	if runes := []rune(text); len(runes) > maxSubject {
		sum := sha256.Sum256([]byte(text))
		return string(runes[:maxSubject]) + "… " + hex.EncodeToString(sum[:4])
	}
	return text
}

func (t *Tx) replaceFindings(identity string, stored, list []model.Finding) (err error) {
	had := map[findingKey]model.Finding{}
	for _, f := range stored {
		had[findingKey{f.Kind, f.Subject}] = f
	}
	seen := map[findingKey]bool{}
	for _, f := range list {
		f.Subject = findingSubject(f.Subject)
		key := findingKey{f.Kind, f.Subject}
		if seen[key] {
			continue // the first says it
		}
		seen[key] = true
		old, known := had[key]
		switch {
		case !known:
			_, err = t.exec(`INSERT INTO findings (identity_id, kind, subject, source, message, since) VALUES (?,?,?,?,?,?)`,
				identity, f.Kind, f.Subject, f.Source, f.Message, micros(t.Now))
		case old.Source != f.Source || old.Message != f.Message:
			_, err = t.exec(`UPDATE findings SET source = ?, message = ? WHERE identity_id = ? AND kind = ? AND subject = ? AND source = ?`,
				f.Source, f.Message, identity, f.Kind, f.Subject, old.Source)
		}
		if err != nil {
			return err
		}
	}
	for _, f := range stored {
		if !seen[findingKey{f.Kind, f.Subject}] {
			if _, err := t.exec(`DELETE FROM findings WHERE identity_id = ? AND kind = ? AND subject = ? AND source = ?`, identity, f.Kind, f.Subject, f.Source); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tx) findings(where string, args ...any) (out []model.Finding, err error) {
	rows, err := t.query(`SELECT identity_id, kind, subject, source, message, since FROM findings `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f model.Finding
		var since int64
		if err := rows.Scan(&f.Identity, &f.Kind, &f.Subject, &f.Source, &f.Message, &since); err != nil {
			return nil, err
		}
		f.Since = fromMicros(since)
		out = append(out, f)
	}
	return out, rows.Err()
}

// FindingFilter narrows a listing of findings; what is empty does not.
type FindingFilter struct {
	Identity, Kind, Source, Subject string

	After string // cursor of the previous page
	Limit int
}

// Findings lists what is wrong, by source, kind, person and subject, with the names
// of the people by id, and gives the cursor of the next page.
func (s *Store) Findings(ctx context.Context, f FindingFilter) (out []model.Finding, names map[string]string, next string, err error) {
	where, args := []string{"1 = 1"}, []any{}
	for _, c := range []struct{ column, value string }{
		{"identity_id", f.Identity}, {"kind", f.Kind}, {"source", f.Source}, {"subject", findingSubject(f.Subject)},
	} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	if f.After != "" {
		var at []string
		if err := json.Unmarshal([]byte(f.After), &at); err != nil || len(at) != 4 || strings.ContainsRune(strings.Join(at, ""), 0) {
			return nil, nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		where, args = append(where, "(source, kind, identity_id, subject) > (?, ?, ?, ?)"), append(args, anys(at)...)
	}
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.findings(`WHERE `+strings.Join(where, " AND ")+` ORDER BY source, kind, identity_id, subject LIMIT ?`, append(args, f.Limit+1)...)
		if err != nil {
			return err
		}
		if len(out) > f.Limit {
			out = out[:f.Limit]
			last := out[f.Limit-1]
			cursor, _ := json.Marshal([]string{last.Source, last.Kind, last.Identity, last.Subject})
			next = string(cursor)
		}
		ids := make([]string, 0, len(out))
		for _, f := range out {
			ids = append(ids, f.Identity)
		}
		names, err = tx.Names(ids)
		return err
	})
	return out, names, next, err
}

// Names gives the names of people by id; who is not there is left out.
func (t *Tx) Names(ids []string) (map[string]string, error) {
	out := map[string]string{}
	if len(ids) == 0 {
		return out, nil
	}
	found, err := t.pairs(`SELECT id, name FROM identities WHERE id IN `+list(len(ids)), anys(ids)...)
	for _, p := range found {
		out[p[0]] = p[1]
	}
	return out, err
}

// FindingCount is how many findings of a kind a source has to put right.
type FindingCount struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	Count  int    `json:"count"`
}

// CountFindings counts them by source and kind, sorted.
func (s *Store) CountFindings(ctx context.Context) (out []FindingCount, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT source, kind, count(*) FROM findings GROUP BY source, kind ORDER BY source, kind`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c FindingCount
			if err := rows.Scan(&c.Source, &c.Kind, &c.Count); err != nil {
				return err
			}
			out = append(out, c)
		}
		return rows.Err()
	})
	return out, err
}

// NumberKey is the form in which numbers of people are compared: without regard to
// case and to spaces around them.
func NumberKey(number string) string { return identityKey(strings.TrimSpace(number)) }

// Numbered lists the people with each of some numbers, by id, no more than limit of each.
func (t *Tx) Numbered(numbers []string, limit int) (map[string][]string, error) {
	out := map[string][]string{}
	if !t.pg {
		for _, n := range numbers {
			ids, err := t.texts(`SELECT id FROM identities WHERE number <> '' AND number = ? ORDER BY id LIMIT ?`, n, limit)
			if err != nil {
				return nil, err
			}
			out[n] = ids
		}
		return out, nil
	}
	rows := newRowset("number text")
	for _, n := range numbers {
		rows.add(n)
	}
	err := t.eachRow(rows, func(r *sql.Rows) error {
		var number, id string
		err := r.Scan(&number, &id)
		out[number] = append(out[number], id)
		return err
	}, `SELECT v.number, x.id FROM v JOIN LATERAL (SELECT i.id FROM identities i WHERE i.number <> '' AND i.number = v.number ORDER BY i.id LIMIT ?) x ON TRUE ORDER BY 1, 2`, limit)
	return out, err
}

// namesakes gives the names of a few others who have the same number.
func (t *Tx) namesakes(ids []string) (map[string][]string, error) {
	shared, err := t.sharedNumbers(ids)
	if err != nil || len(shared) == 0 {
		return nil, err
	}
	out := map[string][]string{}
	people := map[string][][2]string{} // by number: ids with names
	for id, number := range shared {
		if _, known := people[number]; !known {
			if people[number], err = t.pairs(`SELECT id, name FROM identities WHERE number <> '' AND number = ? ORDER BY id LIMIT ?`, number, maxNamesakes+1); err != nil {
				return nil, err
			}
		}
		for _, p := range people[number] {
			if p[0] != id && len(out[id]) < maxNamesakes {
				out[id] = append(out[id], p[1])
			}
		}
	}
	return out, nil
}

// sharedNumbers gives the numbers, by person, that somebody else has, too. It looks
// for one other, so that a number of very many costs no more than one of two.
func (t *Tx) sharedNumbers(ids []string) (map[string]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return t.byText(`SELECT i.id, i.number FROM identities i WHERE i.id IN `+list(len(ids))+` AND i.number <> ''
AND EXISTS (SELECT 1 FROM identities o WHERE o.number <> '' AND o.number = i.number AND o.id <> i.id)`, anys(ids)...)
}

// byText reads two columns of texts, the second by the first; of several the last counts.
func (t *Tx) byText(text string, args ...any) (map[string]string, error) {
	found, err := t.pairs(text, args...)
	out := make(map[string]string, len(found))
	for _, p := range found {
		out[p[0]] = p[1]
	}
	return out, err
}

// pairs reads two columns of texts.
func (t *Tx) pairs(text string, args ...any) (out [][2]string, err error) {
	rows, err := t.query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
