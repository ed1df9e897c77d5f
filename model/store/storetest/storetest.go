// Package storetest opens fresh databases for tests, SQLite and PostgreSQL alike,
// and decides where a PostgreSQL comes from. It refuses to know what is tested.
//
// SQLite needs nothing. PostgreSQL is the server that SCIMHUB_TEST_POSTGRES names;
// else, where its binaries are installed, a throw-away server of this process; else
// the PostgreSQL half of a test is skipped, which fails where
// SCIMHUB_REQUIRE_POSTGRES=1 or CI=true asks for it.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of database/sql

	"github.com/scimhub/scimhub/model/store"
)

// The dialects that Open knows.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// testConns keeps many parallel tests within one server's max_connections.
const testConns = 6

// Dialects lists every dialect a store supports.
func Dialects() []string { return []string{SQLite, Postgres} }

// DB is a fresh database with a store over it, and a connection of its own to look
// at rows behind the store's back, and to damage them.
type DB struct {
	*store.Store
	Dialect string
	URL     string // what store.Open takes
	SQL     *sql.DB
}

// Each runs a test on a fresh database of every dialect, in parallel.
func Each(t *testing.T, run func(t *testing.T, db *DB), options ...store.Options) {
	t.Helper()
	each(t, Dialects(), run, options)
}

func each(t *testing.T, dialects []string, run func(t *testing.T, db *DB), options []store.Options) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			run(t, Open(t, dialect, options...))
		})
	}
}

// Open makes a fresh database, migrated, that is gone when the test ends. A
// dialect that cannot be had skips or fails the test. Of options the first counts.
func Open(t testing.TB, dialect string, options ...store.Options) *DB {
	t.Helper()
	databaseURL := Migrated(t, dialect)
	return OpenURL(t, dialect, databaseURL, options...)
}

// OpenURL opens a store over a database that exists, for tests in which several
// stores share one, as replicas do.
func OpenURL(t testing.TB, dialect, databaseURL string, options ...store.Options) *DB {
	t.Helper()
	o := store.Options{}
	if len(options) > 0 {
		o = options[0]
	}
	if o.MaxConns == 0 {
		o.MaxConns = testConns
	}
	s, err := store.Open(t.Context(), databaseURL, o)
	if err != nil {
		t.Fatalf("open %s: %v", dialect, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	raw, err := rawOpen(dialect, databaseURL)
	if err != nil {
		t.Fatalf("open %s beside the store: %v", dialect, err)
	}
	raw.SetMaxOpenConns(2)
	t.Cleanup(func() { raw.Close() })
	return &DB{Store: s, Dialect: dialect, URL: databaseURL, SQL: raw}
}

func rawOpen(dialect, databaseURL string) (*sql.DB, error) {
	if dialect == Postgres {
		return sql.Open("pgx", databaseURL)
	}
	path := strings.TrimPrefix(databaseURL, "sqlite:")
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
}

// URL names a fresh, empty database that is gone when the test ends: a file, or a
// schema of its own in the server's database.
func URL(t testing.TB, dialect string) string {
	t.Helper()
	if dialect == SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "hub.db")
	}
	server := postgresURL(t)
	schema := newSchemaName(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	if _, err := admin.ExecContext(t.Context(), `CREATE SCHEMA `+schema); err != nil {
		t.Fatalf("PostgreSQL: make a schema: %v", err)
	}
	admin.SetMaxIdleConns(0)
	t.Cleanup(func() {
		defer admin.Close()
		// The test's own context has ended by now.
		if _, err := admin.Exec(`DROP SCHEMA ` + schema + ` CASCADE`); err != nil { //nolint:noctx // see above
			t.Errorf("PostgreSQL: drop schema: %v", err)
		}
	})
	return withParam(t, server, "search_path", schema)
}

// Migrated names a fresh database as URL does. Its schema is there already, since to
// make it costs more than most tests do: on SQLite copied from one that was made once,
// on PostgreSQL one that a test before has left and that was cleaned (see pool.go).
func Migrated(t testing.TB, dialect string) string {
	t.Helper()
	if dialect == Postgres && scratchServer() {
		return pooledURL(t)
	}
	databaseURL := URL(t, dialect)
	if dialect != SQLite {
		return databaseURL
	}
	file, err := migratedFile()
	if err == nil {
		err = os.WriteFile(strings.TrimPrefix(databaseURL, "sqlite:"), file, 0o600)
	}
	if err != nil {
		t.Fatalf("SQLite: %v", err)
	}
	return databaseURL
}

// migratedFile is an empty SQLite database of the present schema.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "scimhub-sqlite-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hub.db")
	s, err := store.Open(context.Background(), "sqlite:"+path, store.Options{}) //nolint:forbidigo // for all tests of the process
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // which writes the log back into the file
		return nil, err
	}
	return os.ReadFile(path)
})

func newSchemaName(t testing.TB) string {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return "test_" + hex.EncodeToString(b[:])
}

func withParam(t testing.TB, raw, key, value string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("the PostgreSQL URL cannot be parsed") // its text may hold a password
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec changes rows behind the store's back; `?` placeholders. It returns how
// many rows there were.
func (db *DB) Exec(t testing.TB, text string, args ...any) int64 {
	t.Helper()
	res, err := db.SQL.ExecContext(t.Context(), db.rebind(text), args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// Int reads one number; `?` placeholders.
func (db *DB) Int(t testing.TB, text string, args ...any) int {
	t.Helper()
	var n int
	if err := db.SQL.QueryRowContext(t.Context(), db.rebind(text), args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// Strings reads a column of text; `?` placeholders.
func (db *DB) Strings(t testing.TB, text string, args ...any) []string {
	t.Helper()
	rows, err := db.SQL.QueryContext(t.Context(), db.rebind(text), args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// Plan says how SQLite would run a query, a step a line.
func (db *DB) Plan(t testing.TB, text string, args ...any) []string {
	t.Helper()
	rows, err := db.SQL.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func (db *DB) rebind(text string) string {
	if db.Dialect != Postgres {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// Clock is a clock that tests set. It is safe for concurrent use.
type Clock struct{ micros atomic.Int64 }

// NewClock starts a clock at a moment; it stands still until it is moved.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	c.Set(at)
	return c
}

// Now is the moment the clock shows, UTC.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Load()).UTC() }

// Set moves the clock to a moment.
func (c *Clock) Set(at time.Time) { c.micros.Store(at.UnixMicro()) }

// Add moves the clock by d.
func (c *Clock) Add(d time.Duration) { c.micros.Add(d.Microseconds()) }
