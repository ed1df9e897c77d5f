package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm/schema"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada", nil))
		again := storetest.OpenURL(t, db.Dialect, db.URL)
		if n := again.Int(t, `SELECT count(*) FROM schema_migrations`); n != store.SchemaVersion {
			t.Errorf("%d migrations noted, want %d", n, store.SchemaVersion)
		}
		if n := again.Int(t, `SELECT count(*) FROM resources`); n != 1 {
			t.Errorf("%d resources after opening again, want 1", n)
		}
	})
}

// former is a database of an earlier schema, with what these statements add.
func former(t *testing.T, dialect string, version int, more ...string) (url string) {
	t.Helper()
	url = storetest.URL(t, dialect)
	texts, err := store.StatementsUpTo(dialect == storetest.Postgres, version)
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, `CREATE TABLE schema_migrations (version integer PRIMARY KEY, at bigint NOT NULL)`)
	for v := 1; v <= version; v++ {
		texts = append(texts, fmt.Sprintf(`INSERT INTO schema_migrations VALUES (%d, 0)`, v))
	}
	raw := openRaw(t, dialect, url)
	for _, text := range append(texts, more...) {
		if _, err := raw.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return url
}

// openRaw opens a database without the store.
func openRaw(t *testing.T, dialect, url string) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", url
	if dialect == storetest.SQLite {
		driver, dsn = "sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// TestValuesOfEarlierSchemas: whoever was stored before values were kept beside is
// found by them all the same, and deep in a list.
func TestValuesOfEarlierSchemas(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url := former(t, dialect, 3,
				`INSERT INTO resource_counts VALUES ('hr', 'User', 0, 2)`,
				`INSERT INTO resources VALUES ('u1', 'hr', 'User', 'ada', 'E1', '', '{"userName":"Ada"}', '{"username":"ada","externalid":"E1","emails":[{"value":"ada@x"},{"value":"ada@x","type":"work"},{"type":"home"}]}', 1, 1, 1, 'i1')`,
				`INSERT INTO resources VALUES ('u2', 'hr', 'User', 'bob', '', '', '{"userName":"Bob"}', '{"username":"bob"}', 1, 1, 1, 'i2')`,
				`INSERT INTO resources VALUES ('g1', 'hr', 'Group', '', '', 'Team', '{"displayName":"Team"}', '{"displayname":"team"}', 1, 1, 1, '')`)
			db := storetest.OpenURL(t, dialect, url)
			for _, tt := range []struct{ kind, filter, id string }{
				{"User", `emails.value eq "ADA@x"`, "u1"}, {"User", `externalId eq "E1"`, "u1"}, {"User", `userName eq "BOB"`, "u2"}, {"Group", `displayName eq "TEAM"`, "g1"},
			} {
				rt := typeOf(t, tt.kind)
				if ids, n := list(t, db, "hr", rt, scim.Query{Filter: filterOf(t, rt, tt.filter), StartIndex: 1, Count: 9}); n != 1 || ids[0] != tt.id {
					t.Errorf("%s finds %v", tt.filter, ids)
				}
			}
		})
	}
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url := storetest.URL(t, dialect)
			errs := make([]error, 6)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					s, err := store.Open(t.Context(), url, store.Options{MaxConns: 2})
					if err == nil {
						err = s.Close()
					}
					errs[i] = err
				})
			}
			wg.Wait()
			for _, err := range errs {
				if err != nil {
					t.Errorf("one of several replicas that start together: %v", err)
				}
			}
		})
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		db.Exec(t, `INSERT INTO schema_migrations (version, at) VALUES (?, 0)`, store.SchemaVersion+1)
		s, err := store.Open(t.Context(), db.URL, store.Options{})
		if err == nil {
			s.Close()
			t.Fatal("a newer schema was opened")
		}
		if code := model.CodeOf(err); code != model.Conflict || !strings.Contains(err.Error(), "newer scimhub") {
			t.Errorf("error is %s %q", code, err)
		}
	})
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url  string
		code model.Code
	}{
		"no scheme":       {"hub.db", model.Invalid},
		"no file":         {"sqlite:", model.Invalid},
		"another base":    {"mysql://u:s3cret@h/db", model.Invalid},
		"no such folder":  {"sqlite:" + filepath.Join(t.TempDir(), "none", "hub.db"), model.Unavailable},
		"bad URL":         {"postgres://u:s3cret@h:notaport/db", model.Unavailable},
		"nobody answers":  {"postgres://u:s3cret@127.0.0.1:1/db?connect_timeout=2", model.Unavailable},
		"wrong parameter": {"postgres://u:s3cret@127.0.0.1:1/db?connect_timeout=soon", model.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), tt.url, store.Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if code := model.CodeOf(err); code != tt.code {
				t.Errorf("code %s, want %s (%v)", code, tt.code, err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestOddFileName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20?c#d.db")
	db := storetest.Open(t, storetest.SQLite)
	s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateResource(t.Context(), newUser(t, "u1", "ada", nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := filepath.Glob(path); err != nil {
		t.Fatal(err)
	}
	if n := db.Int(t, `SELECT count(*) FROM resources`); n != 0 {
		t.Error("another file was written")
	}
}

func TestClosedStoreSaysUnavailable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Ping(ctx); model.CodeOf(err) != model.Unavailable {
			t.Errorf("ping of a database that does not answer: %v", err)
		}
	})
}

// TestModelsHaveTheirColumns compares what GORM would read and write with the
// columns that the migrations made.
func TestModelsHaveTheirColumns(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for _, m := range store.Models() {
			s, err := schema.Parse(m, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			query := `SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?`
			if db.Dialect == storetest.SQLite {
				query = `SELECT name FROM pragma_table_info(?)`
			}
			have, want := db.Strings(t, query, s.Table), slices.Clone(s.DBNames)
			slices.Sort(have)
			slices.Sort(want)
			if diff := cmp.Diff(have, want); diff != "" {
				t.Errorf("table %s (-columns +struct):\n%s", s.Table, diff)
			}
		}
	})
}

// TestDialectsHaveOneSchema compares tables, columns and nullability of the two
// migrations.
func TestDialectsHaveOneSchema(t *testing.T) {
	t.Parallel()
	lite, pg := storetest.Open(t, storetest.SQLite), storetest.Open(t, storetest.Postgres)
	a := lite.Strings(t, `SELECT m.name || '.' || p.name || CASE WHEN p."notnull" = 1 OR p.pk > 0 THEN ' NOT NULL' ELSE '' END
FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'`)
	b := pg.Strings(t, `SELECT table_name || '.' || column_name || CASE WHEN is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END
FROM information_schema.columns WHERE table_schema = current_schema()`)
	slices.Sort(a)
	slices.Sort(b)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("columns (-sqlite +postgres):\n%s", diff)
	}
	a = lite.Strings(t, `SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`)
	b = pg.Strings(t, `SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() 
AND indexname NOT IN (SELECT conname FROM pg_constraint)`) // indexes of constraints have no name in SQLite
	slices.Sort(a)
	slices.Sort(b)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("indexes (-sqlite +postgres):\n%s", diff)
	}
}

func TestStatements(t *testing.T) {
	t.Parallel()
	got := store.Statements("-- a comment; with a semicolon\nCREATE TABLE a (\n  x text, -- why;\n  y text\n);\n\nINSERT INTO a\nVALUES (1);\nSELECT 1")
	want := []string{"CREATE TABLE a (\n  x text,\n  y text\n);\n", "INSERT INTO a\nVALUES (1);\n", "SELECT 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
