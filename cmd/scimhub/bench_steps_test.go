package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// benchStep is one thing that a source does, and the bare statement for it.
type benchStep struct {
	name     string
	hub, raw func(n int64) error
	page     bool // the answer is a page of 100, not one resource
}

func (h *benchHub) steps(raw *benchRaw) []benchStep {
	return []benchStep{
		{name: "create", hub: h.create, raw: raw.create},
		{name: "read", hub: h.read, raw: raw.read},
		{name: "userName-eq", hub: h.by(`userName eq "user%08d@example.com"`), raw: raw.find},
		{name: "externalId-eq", hub: h.by(`externalId eq "ext-%d"`), raw: raw.find},
		{name: "email-eq", hub: h.by(`emails.value eq "user%08d@example.com"`), raw: raw.find},
		{name: "work-email-eq", hub: h.by(`emails[type eq "work"].value eq "user%08d@example.com"`), raw: raw.find},
		{name: "id-eq", hub: h.byID(), raw: raw.read},
		{name: "put", hub: h.put, raw: raw.write},
		{name: "patch-active", hub: h.patch, raw: raw.write},
		{name: "page-first", hub: h.pageAt("count=100"), raw: raw.page, page: true},
		{name: "page-deep-index", hub: h.pageAt(fmt.Sprintf("count=100&startIndex=%d", len(h.ids)-200)), raw: raw.page, page: true},
		{name: "page-deep-cursor", hub: h.pageAt("count=100&cursor=" + h.cursor), raw: raw.page, page: true},
	}
}

func (h *benchHub) get(query string) ([]byte, error) {
	return h.do(http.MethodGet, "/Users?"+query, nil, http.StatusOK)
}

// by looks people up by a filter with their serial number in it.
func (h *benchHub) by(filter string) func(int64) error {
	return h.one(func(i int) string { return fmt.Sprintf(filter, h.names[i]) })
}

func (h *benchHub) byID() func(int64) error {
	return h.one(func(i int) string { return `id eq "` + h.ids[i] + `"` })
}

// one looks up one person. It looks at one answer; see pageAt.
func (h *benchHub) one(filter func(i int) string) func(int64) error {
	return h.checked(`"totalResults":1,`, func(n int64) string { return "filter=" + url.QueryEscape(filter(int(n)%len(h.ids))) })
}

// put replaces somebody by what differs in the title alone.
func (h *benchHub) put(n int64) error {
	i := int(n) % len(h.ids)
	body := bytes.Replace(h.body(h.names[i]), []byte(`"active":true`), fmt.Appendf(nil, `"active":true,"title":"Title %d"`, n), 1)
	_, err := h.do(http.MethodPut, "/Users/"+h.ids[i], body, http.StatusOK)
	return err
}

// patch turns somebody off or on: never what they are already.
func (h *benchHub) patch(n int64) error {
	i := int(n) % len(h.ids)
	body := fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%t}]}`,
		h.off[i].Swap(!h.off[i].Load()))
	_, err := h.do(http.MethodPatch, "/Users/"+h.ids[i], body, http.StatusOK)
	return err
}

// pageAt asks for a page.
func (h *benchHub) pageAt(query string) func(int64) error {
	return h.checked(`"itemsPerPage":100,`, func(int64) string { return query })
}

// checked asks for users. It looks for a text in one answer and reads the others to
// their end, as the canned ones are read: a client's own work is no part of the
// comparison.
func (h *benchHub) checked(want string, query func(n int64) string) func(int64) error {
	var once sync.Once
	return func(n int64) (err error) {
		q := query(n)
		once.Do(func() {
			var out []byte
			if out, err = h.get(q); err == nil && !bytes.Contains(out, []byte(want)) {
				err = fmt.Errorf("%s: no %s in %.300s", q, want, out)
			}
		})
		if err != nil {
			return err
		}
		return h.drain("/Users?" + q)
	}
}

// drain reads an answer and forgets it.
func (h *benchHub) drain(path string) error {
	req, err := http.NewRequest(http.MethodGet, h.url+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer bench")
	res, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// page is a page of 100 as the hub answers it. It walks all pages on the way, to
// learn the cursor of a deep one.
func (h *benchHub) page(b *testing.B) []byte {
	first, err := h.get("count=100")
	if err != nil {
		b.Fatal(err)
	}
	next := ""
	for pages := 1; ; pages++ {
		out, err := h.get("count=100&cursor=" + next)
		if err != nil {
			b.Fatal(err)
		}
		var list struct{ NextCursor string }
		if err := json.Unmarshal(out, &list); err != nil {
			b.Fatal(err)
		}
		if list.NextCursor == "" || pages*100 > len(h.ids)-300 {
			return first
		}
		next, h.cursor = list.NextCursor, list.NextCursor
	}
}

// prepareUpdate is the bare statement of a change: row, event, audit entry, mark.
func prepareUpdate(prepare func(string) *sql.Stmt, pg bool, p []string) *sql.Stmt {
	if !pg {
		return prepare("UPDATE raw SET doc = " + p[1] + " WHERE id = " + p[0])
	}
	return prepare(`WITH a AS (UPDATE raw SET doc = $2 WHERE id = $1), b AS (INSERT INTO raw_events VALUES ($3, $2)),
c AS (INSERT INTO raw_audit VALUES ($3, $2)) INSERT INTO raw_marks VALUES ($1, $4) ON CONFLICT (id) DO UPDATE SET at = excluded.at`)
}

func (r *benchRaw) write(n int64) error {
	id, doc := r.ids[int(n)%len(r.ids)], string(r.hub.body(n))
	entry := fmt.Sprintf("change-%d", n)
	if r.pg {
		_, err := r.update.Exec(id, doc, entry, n)
		return err
	}
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	update := tx.Stmt(r.update)
	defer func() { _ = update.Close() }()
	if _, err := update.Exec(doc, id); err != nil {
		return err
	}
	for _, text := range []string{"INSERT INTO raw_events VALUES (?,?)", "INSERT INTO raw_audit VALUES (?,?)"} {
		if _, err := tx.Exec(text, entry, doc); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("INSERT INTO raw_marks VALUES (?,?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", id, n); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *benchRaw) page(n int64) error {
	rows, err := r.listed.Query(r.ids[int(n)%len(r.ids)][:1]) // where it begins does not matter
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			return err
		}
	}
	return rows.Err()
}
