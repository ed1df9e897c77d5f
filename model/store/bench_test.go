package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// BenchmarkStore puts each hot path beside a floor: a raw driver doing the work of
// the same rows, in one transaction where the store uses one, through as many
// connections on the same database in the same run. Read the metric "x-floor",
// which is time over the floor's time; times alone depend on the machine.
//
//	go test ./model/store -run '^$' -bench Store -benchtime 2s
//	SCIMHUB_TEST_POSTGRES=postgres://… go test …      a durable server, not the throw-away one
//
// SQLite's writes are bound by fsync on both sides.
func BenchmarkStore(b *testing.B) {
	for _, dialect := range storetest.Dialects() {
		b.Run(dialect, func(b *testing.B) {
			f := newField(b, dialect)
			for _, p := range f.paths(b) {
				b.Run(p.name, func(b *testing.B) {
					floor := timed(b, p.floor)
					b.ResetTimer()
					took := timed(b, p.store)
					b.ReportMetric(float64(took)/float64(floor), "x-floor")
					b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "floor-ns/op")
				})
			}
		})
	}
}

const (
	benchUsers   = 5_000
	benchMembers = 10_000
	benchConns   = 8
)

// timed runs b.N operations on eight connections and gives the time they took.
func timed(b *testing.B, op func(ctx context.Context, n int) error) time.Duration {
	b.Helper()
	var next atomic.Int64
	var failed atomic.Pointer[error]
	done := make(chan struct{})
	started := time.Now()
	for range benchConns {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				n := int(next.Add(1))
				if n > b.N || failed.Load() != nil {
					return
				}
				if err := op(b.Context(), n); err != nil {
					failed.Store(&err)
				}
			}
		}()
	}
	for range benchConns {
		<-done
	}
	took := time.Since(started)
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return max(took, 1)
}

type benchPath struct {
	name         string
	floor, store func(ctx context.Context, n int) error
}

// field is a filled database and a raw pool to it.
type field struct {
	db    *storetest.DB
	raw   *sql.DB
	user  *scim.ResourceType
	group *scim.ResourceType
	docs  map[string][2]string // id -> document and search document, as stored
	made  atomic.Int64
}

func newField(b *testing.B, dialect string) *field {
	b.Helper()
	f := &field{db: storetest.Open(b, dialect, store.Options{MaxConns: benchConns}), user: userType(b), group: groupType(b)}
	name, dsn := "pgx", f.db.URL
	if dialect == storetest.SQLite {
		name = "sqlite"
		dsn = "file:" + strings.TrimPrefix(dsn, "sqlite:") + "?_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"
	}
	raw, err := sql.Open(name, dsn)
	if err != nil {
		b.Fatal(err)
	}
	raw.SetMaxOpenConns(benchConns)
	raw.SetMaxIdleConns(benchConns)
	b.Cleanup(func() { raw.Close() })
	f.raw = raw
	members := make([]store.Member, benchMembers)
	for i := range members {
		members[i] = store.Member{ID: numbered("m", i)}
	}
	update(b, f.db, func(tx *store.Tx) error {
		for i := range benchUsers {
			if err := tx.CreateResource(newUser(b, numbered("u", i), numbered("user", i)+"@example.com", benchAttrs(i))); err != nil {
				return err
			}
		}
		return tx.CreateResource(newGroup(b, "big", "big", members...))
	})
	if dialect == storetest.Postgres {
		f.db.Exec(b, `ANALYZE`)
	}
	f.docs = map[string][2]string{}
	rows, err := raw.QueryContext(b.Context(), `SELECT id, doc, search FROM resources WHERE kind = 'User'`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var doc [2]string
		if err := rows.Scan(&id, &doc[0], &doc[1]); err != nil {
			b.Fatal(err)
		}
		f.docs[id] = doc
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return f
}

func benchAttrs(i int) map[string]any {
	return map[string]any{
		"active": true, "displayName": fmt.Sprintf("Person %d", i), "title": "Engineer",
		"name":             map[string]any{"givenName": "Person", "familyName": fmt.Sprint(i)},
		"emails":           []any{map[string]any{"value": fmt.Sprintf("user%d@example.com", i), "type": "work", "primary": true}},
		scim.URNEnterprise: map[string]any{"department": fmt.Sprintf("Department %d", i%20), "employeeNumber": fmt.Sprint(i)},
	}
}

// q numbers the placeholders of a floor's statement where the database wants it.
func (f *field) q(text string) string {
	if f.db.Dialect == storetest.SQLite {
		return text
	}
	for i := 1; strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", fmt.Sprint("$", i), 1)
	}
	return text
}

func (f *field) paths(b *testing.B) []benchPath {
	id := func(n int) string { return numbered("u", n*7919%benchUsers) }
	page := func(n int) int { return n * 100 % (benchUsers - 100) }
	read := f.q(`SELECT id, doc, version, created_at, modified_at FROM resources WHERE id = ?`)
	eq := f.q(`SELECT id, doc, version, created_at, modified_at FROM resources WHERE source = ? AND kind = ? AND key = ? AND key <> ''`)
	pages := f.q(`SELECT id, doc, version, created_at, modified_at FROM resources WHERE source = ? AND kind = ? AND id >= ? ORDER BY id LIMIT 100`)
	return []benchPath{
		{"create", func(ctx context.Context, n int) error { return f.floorWrite(ctx, "", true) },
			func(ctx context.Context, n int) error {
				id := uuid.NewString()
				return f.db.CreateResource(ctx, newUser(b, id, id, benchAttrs(n)))
			}},
		{"read", func(ctx context.Context, n int) error { return f.floorRead(ctx, read, id(n)) },
			func(ctx context.Context, n int) error {
				_, err := f.db.Resource(ctx, "hr", f.user, id(n), scim.Fields{})
				return err
			}},
		{"userName-eq", func(ctx context.Context, n int) error {
			return f.floorRead(ctx, eq, "hr", "User", numbered("user", n*7919%benchUsers)+"@example.com")
		}, func(ctx context.Context, n int) error {
			q := scim.Query{StartIndex: 1, Count: 100, Filter: filterOf(b, f.user, `userName eq "`+numbered("user", n*7919%benchUsers)+`@example.com"`)}
			p, err := f.db.Resources(ctx, "hr", f.user, q)
			if err == nil && p.Total != 1 {
				err = fmt.Errorf("%d found", p.Total)
			}
			return err
		}},
		{"page-of-100", func(ctx context.Context, n int) error {
			return f.floorRead(ctx, pages, "hr", "User", numbered("u", page(n)))
		},
			func(ctx context.Context, n int) error {
				_, err := f.db.Resources(ctx, "hr", f.user, scim.Query{StartIndex: page(n) + 1, Count: 100})
				return err
			}},
		{"modify", func(ctx context.Context, n int) error { return f.floorWrite(ctx, id(n), true) },
			func(ctx context.Context, n int) error { return f.modify(ctx, id(n)) }},
		{"add-member", func(ctx context.Context, n int) error { return f.floorWrite(ctx, "big", false) },
			func(ctx context.Context, n int) error { return f.addMember(ctx) }},
	}
}

func (f *field) floorRead(ctx context.Context, text string, args ...any) error {
	rows, err := f.raw.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var doc []byte
		var version, created, modified int64
		if err := rows.Scan(&id, &doc, &version, &created, &modified); err != nil {
			return err
		}
	}
	return rows.Err()
}

// floorWrite writes the rows that a write has: resource or member, event, audit
// entry with its hash, and mark.
func (f *field) floorWrite(ctx context.Context, id string, user bool) error {
	tx, err := f.raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	n, fresh := f.made.Add(1), uuid.NewString()
	exec := func(text string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, f.q(text), args...)
		}
	}
	identity := fresh
	switch {
	case id == "":
		exec(`INSERT INTO resources (id, source, kind, key, external_id, display, doc, search, version, created_at, modified_at, identity_id) VALUES (?,'floor','User',?,'','',?,?,1,1,1,?)`, fresh, fresh, f.docs[numbered("u", 0)][0], f.docs[numbered("u", 0)][1], fresh)
		exec(`INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,?,?,'','{}','{}',0,1,'',FALSE,'[]')`, fresh, fresh, fresh)
	case user:
		identity = id
		doc := f.docs[id]
		exec(`UPDATE resources SET doc = ?, search = ?, version = version + 1, modified_at = ? WHERE id = ?`, doc[0], doc[1], n, id)
	default:
		exec(`INSERT INTO group_members (group_id, member_id, type, display, fold, type_fold) VALUES (?,?,'','','','')`, id, fresh)
		exec(`UPDATE resources SET version = version + 1, modified_at = ? WHERE id = ?`, n, id)
	}
	exec(`INSERT INTO events (id, at, type, source, resource_id, identity_id, data) VALUES (?,1,'t','floor',?,?,'{}')`, fresh, identity, identity)
	exec(`INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until) VALUES (?,?,FALSE,1,0) ON CONFLICT (identity_id) DO UPDATE SET generation = excluded.generation`, identity, n)
	hash := sha256.Sum256([]byte(fresh))
	exec(`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash) VALUES (1000,?,1,'a','t','o',?,'{}',?)`, n, identity, hash[:])
	if err != nil {
		return err
	}
	return tx.Commit()
}

func (f *field) modify(ctx context.Context, id string) error {
	return f.db.Update(ctx, func(tx *store.Tx) error {
		h, err := tx.ResourceForUpdate("hr", f.user, id, nil, false, scim.Fields{Exclude: []scim.Path{{Attr: "groups"}}})
		if err != nil {
			return err
		}
		r := h.Resource
		r.Attrs["active"] = r.Attrs["active"] != true
		r.Meta.Version++
		return tx.ModifyResource(store.ResourceWrite{Source: "hr", Actor: "hr", Type: f.user, Action: "modify", Resource: r, Identity: h.Identity, Marks: []string{h.Identity}})
	})
}

func (f *field) addMember(ctx context.Context) error {
	fresh := uuid.NewString()
	return f.db.Update(ctx, func(tx *store.Tx) error {
		h, err := tx.ResourceForUpdate("hr", f.group, "big", []string{fresh}, false, scim.Fields{})
		if err != nil {
			return err
		}
		r := h.Resource
		r.Meta.Version++
		return tx.ModifyResource(store.ResourceWrite{Source: "hr", Actor: "hr", Type: f.group, Action: "modify", Resource: r, Joined: []store.Member{{ID: fresh}}, Marks: []string{fresh}})
	})
}
