package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scimhub/scimhub/model"
)

// Schema reads which schema a database has, and changes nothing; 0 where there is none
// yet. The URL is as for Open. Schemas beyond SchemaVersion are no error here.
func Schema(ctx context.Context, databaseURL string) (version int, err error) {
	if path, isFile := strings.CutPrefix(databaseURL, "sqlite:"); isFile {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return 0, nil // to open it would make it
		}
	}
	s, err := connect(databaseURL, Options{MaxConns: 1})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Ping(ctx); err != nil {
		return 0, err
	}
	return s.schema(ctx)
}

// schema is the version in schema_migrations; 0 where there is no such table.
func (s *Store) schema(ctx context.Context) (version int, err error) {
	query := `SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'`
	if s.pg {
		query = `SELECT count(to_regclass('schema_migrations'))`
	}
	var there int
	db := s.write.WithContext(ctx)
	if err := db.Raw(query).Scan(&there).Error; err != nil || there == 0 {
		return 0, reachable(err)
	}
	err = db.Raw(`SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&version).Error
	return version, reachable(err)
}

// mayNotMigrate says what to do where migrations are missing and the database does not
// let this role run them; any other error stays what it is.
func (s *Store) mayNotMigrate(ctx context.Context, cause error) error {
	pg, ok := errors.AsType[*pgconn.PgError](cause)
	if !ok || pg.Code != "42501" && pg.Code != "3F000" { // no privilege; no schema that it may look into
		return cause
	}
	have, err := s.schema(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	if have > SchemaVersion {
		return tooNew(have)
	}
	return model.Fail(model.Conflict, fmt.Sprintf("the database has schema %d, this program needs %d, and its role may not change it: run scimhub migrate with the URL of the role that owns the tables, then start again",
		have, SchemaVersion), cause)
}

func tooNew(have int) error {
	return model.Fail(model.Conflict, fmt.Sprintf("the database has schema %d, this program knows %d: start a newer scimhub", have, SchemaVersion), nil)
}
