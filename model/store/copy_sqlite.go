package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model"
)

// restoring is what a file is called while a backup is being restored into it. It takes
// the place of the database at the very end.
const restoring = ".restoring"

// sqlite restores into a new file, which takes the old one's name when it is whole and
// on disk. A restore that was killed leaves a file of another name, and the next one
// begins it again.
func (r *restorer) sqlite(ctx context.Context, path string) error {
	if path == "" {
		return model.Fail(model.Invalid, "database sqlite: names no file", nil)
	}
	_, err := os.Stat(path)
	switch {
	case err == nil:
		release, err := holdSQLite(ctx, path)
		if err != nil {
			return err
		}
		defer release()
		if err := r.replaceable(ctx, path); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrNotExist):
		return model.Fail(model.Invalid, "the database's file cannot be looked at", err)
	}
	fresh := path + restoring
	if err := removeSQLite(fresh); err != nil {
		return err
	}
	if err := r.fillSQLite(ctx, fresh); err != nil {
		return errors.Join(err, removeSQLite(fresh))
	}
	if err := syncFile(fresh); err != nil {
		return errors.Join(err, removeSQLite(fresh))
	}
	// The old file was taken out of WAL mode when it was locked: no log of it is left
	// that SQLite could take for one of the new file.
	if err := os.Rename(fresh, path); err != nil {
		return model.Fail(model.Invalid, "the restored database cannot take its place", errors.Join(err, removeSQLite(fresh)))
	}
	return syncFile(filepath.Dir(path))
}

// replaceable refuses a file that holds something, unless it is to be replaced, and one
// that is no hub's whatever is asked for.
func (r *restorer) replaceable(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return err
	}
	db, err := openGORM(sqlite.Open(sqliteDSN(path, "query_only(1)", "busy_timeout(0)", "locking_mode(NORMAL)")+"&mode=ro&immutable=1"), 1)
	if err != nil {
		return err
	}
	defer func() { _ = closeGORM(db) }() // it was only read
	tx := &Tx{ctx: ctx, db: db, Now: r.o.Now()}
	tables, err := tx.ownTables()
	if err != nil {
		return model.Fail(model.Refused, path+" is no database of scimhub: name another file", err)
	}
	if !slices.Contains(tables, "schema_migrations") {
		return model.Fail(model.Refused, path+" is no database of scimhub: name another file", nil)
	}
	return r.mayReplace(tx, tables)
}

// mayReplace refuses to drop what a database holds unless that was asked for, and notes
// who was erased there since the backup.
func (r *restorer) mayReplace(tx *Tx, tables []string) error {
	what, err := tx.holdsAnything(tables)
	switch {
	case err != nil || what == "":
		return err
	case !r.o.Replace:
		return used(what)
	}
	erased, err := tx.erasedSince(r.out.At)
	r.out.Erased = append(r.out.Erased, erased...)
	return err
}

func (r *restorer) fillSQLite(ctx context.Context, path string) error {
	db, err := openGORM(sqlite.Open(sqliteDSN(path, "journal_mode(OFF)", "synchronous(OFF)", "foreign_keys(1)", "cache_size(-65536)")), 1)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, closeGORM(db))
	}
	s := &Store{write: db, read: db, now: r.o.Now, deep: newDeepPages()}
	err = db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		tx := &Tx{ctx: ctx, db: db, Now: s.Now()}
		return r.fill(s, tx, func(table string, columns []string) (rowSink, error) { return newInserts(tx, table, columns) })
	})
	return errors.Join(err, closeGORM(db))
}

// inserts are the rows of one table of SQLite.
type inserts struct {
	ctx  context.Context
	stmt *sql.Stmt
}

func newInserts(tx *Tx, table string, columns []string) (*inserts, error) {
	stmt, err := tx.db.Statement.ConnPool.PrepareContext(tx.ctx, `INSERT INTO `+table+` (`+quoted(columns)+`) VALUES `+list(len(columns)))
	return &inserts{tx.ctx, stmt}, err
}

func (i *inserts) add(values []any) error {
	_, err := i.stmt.ExecContext(i.ctx, values...)
	return err
}

func (i *inserts) close() error { return i.stmt.Close() }
func (i *inserts) abort()       { _ = i.stmt.Close() }

// holdSQLite makes sure that nobody else has the file open, and keeps everybody out
// until release. It takes the file out of WAL mode, which its last user may do alone.
func holdSQLite(ctx context.Context, path string) (release func(), err error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil, model.Fail(model.Invalid, "there is no database at "+path, err)
	}
	db, err := openGORM(sqlite.Open(sqliteDSN(path, "busy_timeout(500)")), 1)
	if err != nil {
		return nil, model.Fail(model.Refused, path+" cannot be opened: is it in use, or no database of scimhub?", err)
	}
	release = func() { _ = closeGORM(db) }
	var mode string
	if err := db.WithContext(ctx).Raw(`PRAGMA journal_mode = DELETE`).Scan(&mode).Error; err != nil || mode != "delete" {
		release()
		return nil, sqliteBusy(path, err)
	}
	if err := db.WithContext(ctx).Exec(`BEGIN EXCLUSIVE`).Error; err != nil {
		release()
		return nil, sqliteBusy(path, err)
	}
	return release, nil
}

func sqliteBusy(path string, err error) error {
	if err == nil || strings.Contains(err.Error(), "locked") || strings.Contains(err.Error(), "busy") {
		return inUse(err)
	}
	return model.Fail(model.Refused, path+" is no database of scimhub: name another file", err)
}

func sqliteDSN(path string, pragmas ...string) string {
	path = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) // it is part of a URI
	return "file:" + path + "?" + url.Values{"_pragma": pragmas}.Encode()
}

func closeGORM(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// removeSQLite removes a file of SQLite with what belongs to it.
func removeSQLite(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a restore that was cut short: %w", err)
		}
	}
	return nil
}

// syncFile makes a file, or the names in a directory, durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
