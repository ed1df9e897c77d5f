package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/glebarez/go-sqlite" // the driver sqlite
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/scimhub/scimhub/model"
)

// database is a new one for the hub, and beside it the raw driver on the same engine,
// with the same promises: what is committed is on disk.
type database struct {
	kind string // sqlite or postgres
	url  string // for the hub
	pg   bool
	raw  func() (*sql.DB, error)
	drop func() error
}

// newDatabase makes one of the kind that a URL names.
func (r *run) newDatabase(ctx context.Context, address string) (*database, error) {
	switch {
	case strings.HasPrefix(address, "sqlite:"):
		dir, err := os.MkdirTemp(r.Folder, "bench")
		if err != nil {
			return nil, err
		}
		raw := "file:" + filepath.Join(dir, "raw.db") + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate"
		return &database{kind: "sqlite", url: "sqlite:" + filepath.Join(dir, "hub.db"),
			raw:  func() (*sql.DB, error) { return sql.Open("sqlite", raw) },
			drop: func() error { return os.RemoveAll(dir) }}, nil
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"):
		return newSchema(ctx, address)
	}
	return nil, model.Fail(model.Invalid, "database must be sqlite: or postgres://…", nil)
}

func newSchema(ctx context.Context, address string) (*database, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, model.Fail(model.Invalid, "the postgres URL cannot be parsed", nil)
	}
	schema := "bench_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	owner, err := sql.Open("pgx", address)
	if err != nil {
		return nil, model.Fail(model.Invalid, "the postgres URL cannot be parsed", nil)
	}
	if _, err := owner.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, errors.Join(model.Fail(model.Unavailable, "no schema can be made in the database", err), owner.Close())
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	own := u.String()
	return &database{kind: "postgres", pg: true, url: own,
		raw: func() (*sql.DB, error) { return sql.Open("pgx", own) },
		drop: func() error {
			// After the context ended, too: nothing is to be left behind.
			_, err := owner.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
			return errors.Join(err, owner.Close())
		}}, nil
}

// place is a placeholder of a statement.
func (d *database) place(n int) string {
	if d.pg {
		return fmt.Sprintf("$%d", n)
	}
	return "?"
}
