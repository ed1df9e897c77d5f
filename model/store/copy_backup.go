package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model"
)

// backupPatience is how long the reader of a backup may stand still before PostgreSQL
// ends the transaction: as long as it is open, what others delete is not cleaned up.
const backupPatience = "15min"

// copyTick is after how many rows progress is told.
const copyTick = 10_000

// Backup writes everything the database holds, as it is at one moment, for Restore on
// either database. It reads in one transaction that keeps no writer waiting; memory is
// bounded. program is the version that writes; progress is told now and then, and may
// be nil.
func (s *Store) Backup(ctx context.Context, w io.Writer, program string, progress func(table string, rows int64)) (out BackupSummary, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.backup(w, program, progress)
		return err
	})
	return out, err
}

func (t *Tx) backup(w io.Writer, program string, progress func(string, int64)) (BackupSummary, error) {
	head := BackupHead{Format: copyFormat, Program: program, At: t.Now, From: "sqlite"}
	if t.pg {
		head.From = "postgres"
		if _, err := t.exec(`SELECT set_config('idle_in_transaction_session_timeout', ?, true)`, backupPatience); err != nil {
			return BackupSummary{}, err
		}
	}
	if err := t.row(`SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&head.Schema); err != nil {
		return BackupSummary{}, fmt.Errorf("read the schema's number: %w", err)
	}
	tables, err := t.ownTables()
	if err != nil {
		return BackupSummary{}, err
	}
	out, err := newCopyWriter(w, head)
	if err != nil {
		return BackupSummary{}, err
	}
	for _, name := range tables {
		if isLeftOut(name) {
			continue
		}
		if err := t.backupTable(out, name, progress); err != nil {
			return BackupSummary{}, fmt.Errorf("table %s: %w", name, err)
		}
	}
	return out.close()
}

func (t *Tx) backupTable(out *copyWriter, name string, progress func(string, int64)) error {
	columns, kinds, err := t.columnsOf(name)
	if err != nil {
		return err
	}
	if err := out.begin(copyTable{Name: name, Columns: columns}); err != nil {
		return err
	}
	rows, err := t.query(`SELECT ` + quoted(columns) + ` FROM ` + name)
	if err != nil {
		return err
	}
	defer rows.Close()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var line []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		line = line[:0]
		for i, v := range values {
			if line, err = appendValue(line, kinds[i], v); err != nil {
				return fmt.Errorf("column %s: %w", columns[i], err)
			}
		}
		if err := out.row(line); err != nil {
			return err
		}
		if progress != nil && out.table.Rows%copyTick == 0 {
			progress(name, out.table.Rows)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return out.end()
}

func isLeftOut(name string) bool { return slices.Contains(leftOut(), name) }

// Source is a database that is only read, whatever its schema: to move away from it.
type Source struct{ store *Store }

// OpenSource opens a database of this or an earlier version without changing its schema.
// The hub must not run on it: a SQLite file that is in use is refused.
func OpenSource(ctx context.Context, databaseURL string) (*Source, error) {
	s := &Store{
		deep: newDeepPages(),
		now:  time.Now,
	}
	var err error
	switch {
	case strings.HasPrefix(databaseURL, "sqlite:"):
		path := strings.TrimPrefix(databaseURL, "sqlite:")
		release, err := holdSQLite(ctx, path)
		if err != nil {
			return nil, err
		}
		release()
		err = s.openSQLite(path, Options{MaxConns: 2})
		if err != nil {
			return nil, err
		}
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		if err = s.openPostgres(databaseURL, Options{MaxConns: 2}); err != nil {
			return nil, err
		}
	default:
		return nil, model.Fail(model.Invalid, "the database must be sqlite:PATH or postgres://…", nil)
	}
	if err = s.known(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Source{s}, nil
}

// known refuses a database whose schema this program does not know.
func (s *Store) known(ctx context.Context) error {
	var have int
	err := s.read.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		return (&Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now()}).row(`SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&have)
	})
	switch {
	case err != nil:
		return model.Fail(model.Invalid, "this is no database of scimhub", err)
	case have > SchemaVersion:
		return newerSchema("the database", have)
	}
	return nil
}

func newerSchema(what string, have int) error {
	return model.Fail(model.Conflict, fmt.Sprintf("%s has schema %d, this program knows %d: start a newer scimhub", what, have, SchemaVersion), nil)
}

// Backup is Store.Backup.
func (s *Source) Backup(ctx context.Context, w io.Writer, program string, progress func(table string, rows int64)) (BackupSummary, error) {
	return s.store.Backup(ctx, w, program, progress)
}

// Close closes it.
func (s *Source) Close() error { return s.store.Close() }
