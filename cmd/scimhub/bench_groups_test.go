package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkGroups measures what is done with groups of 100 and of 100,000 members:
// what touches some of the members must cost the same in both. Beside it the bare
// statements, in the same database: raw-add inserts one member row with event,
// audit entry and mark and raises the version of the group; raw-read selects the
// rows of 10,000 members.
//
//	SCIMHUB_BENCH_POSTGRES=postgres://… go test ./cmd/scimhub -run '^$' -bench Groups -benchtime 200x
func BenchmarkGroups(b *testing.B) {
	eachBenchDatabase(b, func(b *testing.B, dsn string, open func() (*sql.DB, error), pg bool) {
		h := newBenchHub(b, dsn)
		raw := newBenchRaw(b, open, pg)
		for _, size := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("members-%d", size), func(b *testing.B) { benchGroup(b, h, size) })
		}
		b.Run("raw-add", func(b *testing.B) { raw.addMember(b) })
		g := h.group(b, 10_000)
		b.Run("read-10000", func(b *testing.B) {
			for range b.N {
				if _, err := h.do(http.MethodGet, "/Groups/"+g, nil, http.StatusOK); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("raw-read-10000", func(b *testing.B) { raw.readMembers(b, 10_000) })
	})
}

func benchGroup(b *testing.B, h *benchHub, size int) {
	g := h.group(b, size)
	b.Run("add-one", func(b *testing.B) {
		for range b.N {
			h.patchGroup(b, g, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"new-%d"}]}`, serial.Add(1)))
		}
	})
	b.Run("remove-100", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			first := serial.Add(100) - 99
			h.patchGroup(b, g, `{"op":"add","path":"members","value":[`+memberList("gone", first, 100)+`]}`)
			ops := make([]string, 100)
			for i := range ops {
				ops[i] = fmt.Sprintf(`{"op":"remove","path":"members[value eq \"gone-%d\"]"}`, first+int64(i))
			}
			b.StartTimer()
			h.patchGroup(b, g, strings.Join(ops, ","))
		}
	})
	b.Run("read-without-members", func(b *testing.B) {
		for range b.N {
			if _, err := h.do(http.MethodGet, "/Groups/"+g+"?excludedAttributes=members", nil, http.StatusOK); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func memberList(prefix string, first int64, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`{"value":"%s-%d"}`, prefix, first+int64(i))
	}
	return strings.Join(out, ",")
}

// group makes a group with so many members.
func (h *benchHub) group(b *testing.B, size int) string {
	b.Helper()
	body, err := h.do(http.MethodPost, "/Groups",
		fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g%d"}`, serial.Add(1)), http.StatusCreated)
	var g struct{ ID string }
	if err == nil {
		err = json.Unmarshal(body, &g)
	}
	if err != nil {
		b.Fatal(err)
	}
	const step = 5000
	for from := 0; from < size; from += step {
		h.patchGroup(b, g.ID, `{"op":"add","path":"members","value":[`+memberList("m", int64(from), min(step, size-from))+`]}`)
	}
	return g.ID
}

func (h *benchHub) patchGroup(b *testing.B, id, ops string) {
	b.Helper()
	body := []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`)
	// The answer without members: what a client that cares for time asks for.
	if _, err := h.do(http.MethodPatch, "/Groups/"+id+"?excludedAttributes=members", body, http.StatusOK); err != nil {
		b.Fatal(err)
	}
}

func (r *benchRaw) members(b *testing.B) {
	b.Helper()
	for _, text := range []string{
		"CREATE TABLE IF NOT EXISTS raw_members (group_id text NOT NULL, member_id text NOT NULL, PRIMARY KEY (group_id, member_id))",
		"CREATE TABLE IF NOT EXISTS raw_groups (id text PRIMARY KEY, version bigint NOT NULL)",
		"INSERT INTO raw_groups VALUES ('g', 1) ON CONFLICT DO NOTHING",
	} {
		if _, err := r.db.Exec(text); err != nil {
			b.Fatal(err)
		}
	}
}

// addMember is the bare work of adding a member, committed.
func (r *benchRaw) addMember(b *testing.B) {
	r.members(b)
	for range b.N {
		n := serial.Add(1)
		tx, err := r.db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for _, text := range []string{
			"UPDATE raw_groups SET version = version + 1 WHERE id = 'g'",
			fmt.Sprintf("INSERT INTO raw_members VALUES ('g', 'new-%d')", n),
			fmt.Sprintf("INSERT INTO raw_events VALUES ('add-%d', 'x')", n),
			fmt.Sprintf("INSERT INTO raw_audit VALUES ('add-%d', 'x')", n),
			fmt.Sprintf("INSERT INTO raw_marks VALUES ('add-%d', 1)", n),
		} {
			if _, err := tx.Exec(text); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func (r *benchRaw) readMembers(b *testing.B, size int) {
	r.members(b)
	for i := range size {
		if _, err := r.db.Exec(fmt.Sprintf("INSERT INTO raw_members VALUES ('read', 'm-%d') ON CONFLICT DO NOTHING", i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if err := r.readOnce(); err != nil {
			b.Fatal(err)
		}
	}
}

func (r *benchRaw) readOnce() error {
	rows, err := r.db.Query("SELECT member_id FROM raw_members WHERE group_id = 'read' ORDER BY member_id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
	}
	return rows.Err()
}
