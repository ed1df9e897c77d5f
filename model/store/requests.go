package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// AddRequest stores a new request, version 1.
func (t *Tx) AddRequest(r model.Request) error {
	r.Version = 1
	doc, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	_, err = t.exec(`INSERT INTO requests (id, identity_id, role, state, live, asked_by, created_at, next_at, version, doc) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		r.ID, r.Identity, r.Role, string(r.State), r.Live(), r.AskedBy, micros(r.Created), nextMicros(r.NextAt), r.Version, string(doc))
	if err != nil {
		return err
	}
	return t.setAsked(r.ID, r.Asked)
}

// SaveRequest stores a request that was read in version r.Version, as the next one.
// saved is false, and nothing changed, where another version is stored already.
func (t *Tx) SaveRequest(r model.Request) (saved bool, err error) {
	before := r.Version
	r.Version++
	doc, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("request %s: %w", r.ID, err)
	}
	n, err := t.exec(`UPDATE requests SET state = ?, live = ?, next_at = ?, version = ?, doc = ? WHERE id = ? AND version = ?`,
		string(r.State), r.Live(), nextMicros(r.NextAt), r.Version, string(doc), r.ID, before)
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.setAsked(r.ID, r.Asked)
}

func nextMicros(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	return microsPtr(&at)
}

// setAsked replaces who can answer a request.
func (t *Tx) setAsked(request string, asked []string) error {
	if _, err := t.exec(`DELETE FROM request_asked WHERE request_id = ?`, request); err != nil {
		return err
	}
	for _, who := range asked {
		if _, err := t.exec(`INSERT INTO request_asked (asked, request_id) VALUES (?, ?) ON CONFLICT DO NOTHING`, who, request); err != nil {
			return err
		}
	}
	return nil
}

// Request reads a request. model.NotFound if there is none.
func (t *Tx) Request(id string) (model.Request, error) {
	var doc string
	err := t.row(`SELECT doc FROM requests WHERE id = ?`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return model.Request{}, model.Fail(model.NotFound, fmt.Sprintf("there is no request with the id %q", id), nil)
	}
	if err != nil {
		return model.Request{}, err
	}
	return decodeRequest(doc)
}

func decodeRequest(doc string) (r model.Request, err error) {
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		return r, fmt.Errorf("a stored request cannot be read: %w", err)
	}
	return r, nil
}

// HoldIdentities keeps others from deciding about people until the transaction ends, and
// waits for those who do. What is read of them afterwards is what the last one left, and
// as new as any other can know it. A transaction that stands still after that is ended
// by the server soon. On SQLite there is one writer anyway.
func (t *Tx) HoldIdentities(ids ...string) error {
	if !t.pg {
		return nil
	}
	if err := t.endIdle(); err != nil {
		return err
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ids))) // in one order for all
	for chunk := range slices.Chunk(sorted, idChunk) {
		where, args := t.among("id", chunk)
		if _, err := t.exec(`SELECT 1 FROM identities WHERE `+where+` ORDER BY id FOR NO KEY UPDATE`, t.planned(args)...); err != nil {
			return fmt.Errorf("hold people: %w", err)
		}
	}
	return nil
}

// openRequests reads the requests of which something may still become, by creation.
func (t *Tx) openRequests(ids []string) (map[string][]model.Request, error) {
	out := map[string][]model.Request{}
	if len(ids) == 0 {
		return out, nil
	}
	list, err := t.requestsWhere(`live AND identity_id IN `+list(len(ids))+` ORDER BY identity_id, id`, anys(ids)...)
	for _, r := range list {
		out[r.Identity] = append(out[r.Identity], r)
	}
	return out, err
}

func (t *Tx) requestsWhere(where string, args ...any) ([]model.Request, error) {
	docs, err := t.texts(`SELECT doc FROM requests WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	out := make([]model.Request, len(docs))
	for i, doc := range docs {
		if out[i], err = decodeRequest(doc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AskedAbout lists the people about whom somebody is asked: asked are identities, and
// role:NAME for whoever holds a role.
func (t *Tx) AskedAbout(asked []string) (people []string, err error) {
	for start := 0; start < len(asked); start += idChunk {
		chunk := asked[start:min(start+idChunk, len(asked))]
		more, err := t.texts(`SELECT DISTINCT r.identity_id FROM request_asked a JOIN requests r ON r.id = a.request_id WHERE a.asked IN `+
			list(len(chunk))+` ORDER BY 1`, anys(chunk)...)
		if err != nil {
			return nil, fmt.Errorf("who is asked: %w", err)
		}
		people = append(people, more...)
	}
	return people, nil
}

// idChunk is how many ids one statement names at most.
const idChunk = 500
