package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// MoveAsked gives what was asked of one identity, and allowed to it, to another: open
// requests and exceptions; what it asked for others, and has to answer; who answers in
// its place. A request that still waits stays behind where the other waits for the same
// role: it ends with the person. What is closed stays with whom it was about.
func (t *Tx) MoveAsked(from, to string) error {
	if err := t.noteAsked(from); err != nil {
		return err
	}
	if err := t.moveRequests(from, to); err != nil {
		return err
	}
	if err := t.moveExclusions(to, `identity_id = ?`, from); err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE exceptions SET identity_id = ? WHERE identity_id = ? AND ended_at IS NULL`,
		`UPDATE deputies SET person_id = ? WHERE person_id = ? AND ended_at IS NULL`,
		`UPDATE deputies SET deputy_id = ? WHERE deputy_id = ? AND ended_at IS NULL`,
		`INSERT INTO request_asked (asked, request_id) SELECT CAST(? AS text), request_id FROM request_asked WHERE asked = ? ON CONFLICT (asked, request_id) DO NOTHING`,
	} {
		if _, err := t.exec(statement, to, from); err != nil {
			return err
		}
	}
	if _, err := t.exec(`DELETE FROM request_asked WHERE asked = ?`, from); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE deputies SET ended_at = ? WHERE person_id = deputy_id AND ended_at IS NULL`, micros(t.Now))
	return err
}

func (t *Tx) moveRequests(from, to string) error {
	open, err := t.openRequests([]string{from, to})
	if err != nil {
		return err
	}
	waits := func(r model.Request) bool { return r.State == model.RequestPending }
	for _, r := range open[from] {
		same := func(o model.Request) bool { return o.Role == r.Role && waits(o) }
		if waits(r) && slices.ContainsFunc(open[to], same) {
			continue
		}
		r.Identity = to
		if err := t.rewriteRequest(r, from, to); err != nil {
			return err
		}
	}
	for _, r := range open[to] {
		if err := t.rewriteRequest(r, from, to); err != nil {
			return err
		}
	}
	asked, err := t.texts(`SELECT doc FROM requests WHERE asked_by = ? AND asked_by <> '' AND live`, from)
	if err != nil {
		return err
	}
	for _, doc := range asked {
		var r model.Request
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			return fmt.Errorf("request asked by %s: %w", from, err)
		}
		if err := t.rewriteRequest(r, from, to); err != nil {
			return err
		}
	}
	return nil
}

// rewriteRequest stores whom an open request is about and who asked for it.
func (t *Tx) rewriteRequest(r model.Request, from, to string) error {
	if r.AskedBy == from {
		r.AskedBy = to
	}
	for i, s := range r.Steps { // who answered as one has answered as the other
		for n, d := range s.Decisions {
			if d.Approver == from {
				r.Steps[i].Decisions[n].Approver = to
			}
		}
	}
	r.Version++
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE requests SET identity_id = ?, asked_by = ?, version = ?, doc = ? WHERE id = ?`, r.Identity, r.AskedBy, r.Version, string(doc), r.ID)
	return err
}
