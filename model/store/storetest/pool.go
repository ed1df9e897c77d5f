package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scimhub/scimhub/model/store"
)

// A migrated schema of PostgreSQL is a few hundred files: to make and drop one costs
// more than most tests do. On a server that goes away with the tests schemas are
// therefore used again, as long as they cannot be told from new ones: nobody is
// connected, the definitions are as the migrations left them, no statistics were
// gathered and little was in them. All rows are deleted then and those that the
// migrations wrote are put back. A schema that is anything else is dropped.

// Bounds of what is used again.
const (
	poolRows = 20_000 // rows deleted at one cleaning: more leave tables that are not as if new
	poolUses = 60     // tests in one schema: what they deleted is still in its files
)

// What becomes of a schema that a test has left.
const (
	asNew = iota // cleaned, to be used again
	inUse        // somebody is connected still
	worn         // not as the migrations left it, or used often
)

// pooled is a migrated schema and what is needed to bring it back to its first state.
type pooled struct {
	name  string
	uses  int
	looks string // its definitions, hashed
	reset string // statements that bring its rows back to what the migrations left
}

// pool holds the schemas of this process that tests have left, as they left them: they
// are looked at when they are wanted, when those who were connected are long gone.
var pool struct {
	sync.Mutex
	left []*pooled
}

// scratchServer reports whether the server goes away with the tests: one of this process,
// or one that is said to be.
func scratchServer() bool {
	return os.Getenv("SCIMHUB_TEST_POSTGRES") == "" || os.Getenv("SCIMHUB_TEST_POSTGRES_SCRATCH") == "1"
}

// pooledURL names a migrated schema for one test, used before or new.
func pooledURL(t testing.TB) string {
	t.Helper()
	server := postgresURL(t)
	p, err := usedAgain(t.Context(), server)
	if p == nil && err == nil {
		p, err = newPooled(t, server)
	}
	if err != nil {
		t.Fatalf("PostgreSQL: make a schema: %v", err)
	}
	t.Cleanup(func() {
		pool.Lock()
		defer pool.Unlock()
		pool.left = append(pool.left, p)
	})
	// Connections say by their name which schema they belong to, so that none is missed.
	return withParam(t, withParam(t, server, "search_path", p.name), "application_name", p.name)
}

// usedAgain takes a schema that was left and cleans it; none, if all of them are in use
// still or worn out. What is worn out is dropped.
func usedAgain(ctx context.Context, server string) (*pooled, error) {
	pool.Lock()
	left := pool.left
	pool.left = nil
	pool.Unlock()
	for i, p := range left {
		state, err := p.clean(ctx, server)
		switch {
		case err != nil || state == worn:
			if dropped := dropSchema(ctx, server, p.name); dropped != nil {
				return nil, errors.Join(err, dropped)
			}
		case state == asNew:
			back(left[i+1:])
			return p, nil
		default:
			back(left[i : i+1])
		}
	}
	return nil, nil
}

func back(left []*pooled) {
	pool.Lock()
	defer pool.Unlock()
	pool.left = append(pool.left, left...)
}

// newPooled makes a schema, migrates it and notes how it looks.
func newPooled(t testing.TB, server string) (*pooled, error) {
	t.Helper()
	p := &pooled{name: newSchemaName(t)}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), `CREATE SCHEMA `+p.name); err != nil {
		return nil, err
	}
	s, err := store.Open(t.Context(), withParam(t, server, "search_path", p.name), store.Options{MaxConns: 1})
	if err == nil {
		err = s.Close()
	}
	if err == nil {
		p.looks, err = p.look(t.Context(), admin)
	}
	if err == nil {
		p.reset, err = p.resetting(t.Context(), admin)
	}
	return p, err
}

// look hashes what is defined in the schema: tables, columns, indexes, constraints,
// triggers, functions, rights, and whether statistics were gathered.
func (p *pooled) look(ctx context.Context, admin *sql.DB) (string, error) {
	h := sha256.New()
	rows, err := admin.QueryContext(ctx, `
WITH rel AS (SELECT * FROM pg_class WHERE relnamespace = $1::regnamespace)
SELECT format('r %s %s %s %s %s', relname, relkind, relacl, relpersistence, reltuples <> -1 AND relkind IN ('r', 'm')) FROM rel
UNION ALL SELECT format('a %s %s %s %s %s', relname, attname, atttypid, attnotnull, atthasdef) FROM rel JOIN pg_attribute ON attrelid = rel.oid AND attnum > 0
UNION ALL SELECT format('c %s %s', conname, contype) FROM pg_constraint WHERE connamespace = $1::regnamespace
UNION ALL SELECT format('t %s %s', relname, tgname) FROM rel JOIN pg_trigger ON tgrelid = rel.oid AND NOT tgisinternal
UNION ALL SELECT format('f %s', proname) FROM pg_proc WHERE pronamespace = $1::regnamespace
ORDER BY 1`, p.name)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil)), rows.Err()
}

// resetting writes the statements of reset: they run while nothing else is in the
// schema, without foreign keys and triggers, which the definitions' look has vouched for.
func (p *pooled) resetting(ctx context.Context, admin *sql.DB) (string, error) {
	tables, err := names(ctx, admin, `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' ORDER BY relname`, p.name)
	if err != nil {
		return "", err
	}
	sequences, err := names(ctx, admin, `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'S' ORDER BY relname`, p.name)
	if err != nil {
		return "", err
	}
	var b, put strings.Builder
	fmt.Fprintf(&b, "BEGIN; SET LOCAL search_path = %s; SET LOCAL session_replication_role = replica; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT;", p.name, strings.Join(tables, ", "))
	for _, table := range tables {
		fmt.Fprintf(&b, "DELETE FROM %s;", table)
		var rows sql.NullString
		query := fmt.Sprintf(`SELECT quote_literal(json_agg(t)::text) FROM %s.%s AS t`, p.name, table)
		if err := admin.QueryRowContext(ctx, query).Scan(&rows); err != nil {
			return "", err
		}
		if rows.Valid {
			fmt.Fprintf(&put, "INSERT INTO %s SELECT * FROM json_populate_recordset(NULL::%s, %s);", table, table, rows.String)
		}
	}
	for _, s := range sequences {
		fmt.Fprintf(&put, "ALTER SEQUENCE %s RESTART;", s)
	}
	return b.String() + put.String() + "COMMIT", nil
}

// names runs a query whose rows are one word each.
func names(ctx context.Context, admin *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := admin.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// clean brings the schema back to its first state, where it can.
func (p *pooled) clean(ctx context.Context, server string) (state int, err error) {
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return worn, err
	}
	defer admin.Close()
	var connected int
	if err := admin.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, p.name).Scan(&connected); err != nil {
		return worn, err
	}
	if connected > 0 {
		return inUse, nil
	}
	looks, err := p.look(ctx, admin)
	if p.uses++; err != nil || looks != p.looks || p.uses >= poolUses {
		return worn, err
	}
	c, err := admin.Conn(ctx)
	if err != nil {
		return worn, err
	}
	defer c.Close()
	var deleted int64
	err = c.Raw(func(driver any) error {
		results, err := driver.(*stdlib.Conn).Conn().PgConn().Exec(ctx, p.reset).ReadAll()
		deleted = rowsDeleted(results)
		return err
	})
	if err != nil || deleted > poolRows {
		return worn, err
	}
	return asNew, nil
}

func rowsDeleted(results []*pgconn.Result) int64 {
	var n int64
	for _, r := range results {
		if r.CommandTag.Delete() {
			n += r.CommandTag.RowsAffected()
		}
	}
	return n
}

func dropSchema(ctx context.Context, server, name string) error {
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = admin.ExecContext(ctx, `DROP SCHEMA `+name+` CASCADE`)
	return err
}
