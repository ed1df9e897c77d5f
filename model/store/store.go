// Package store keeps everything the hub knows in one SQL database: SQLite or
// PostgreSQL, through GORM. It decides how rows are written together, how filters
// become SQL and who may work on what; it refuses to know what a rule, a request
// or a target means. Times are microseconds UTC in both databases.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/scimhub/scimhub/model"
)

// Options adjust a Store. The zero value is ready for use.
type Options struct {
	Now      func() time.Time // default time.Now
	MaxConns int              // connections to PostgreSQL, readers of SQLite; default 16
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	write   *gorm.DB // SQLite: one connection, so that writers queue here and not on the file
	read    *gorm.DB
	pg      bool
	now     func() time.Time
	deep    deepPages
	turns   turns // of writers of SQLite
	counted counted
	own     bool // the clock is the caller's: leases follow it and not the server's
	dsn     string
	conns   int
	line    line
	news    *outbox
}

// Tx is one transaction. It carries the clock: Now is the same for all that
// happens in it.
type Tx struct {
	ctx context.Context
	db  *gorm.DB
	pg  bool
	Now time.Time

	lane  int // one more than that of its audit entries; 0: it has none yet
	later later
	alone *Store // of a statement without a transaction: the store that sends it
}

// Open opens the database and brings its schema up to date. The URL is
// sqlite:PATH or postgres://…; an error says which part is wrong.
func Open(ctx context.Context, databaseURL string, o Options) (*Store, error) {
	s, err := connect(databaseURL, o)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connect opens the database as it is.
func connect(databaseURL string, o Options) (*Store, error) {
	own := o.Now != nil
	if !own {
		o.Now = time.Now
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	s := &Store{now: o.Now, deep: newDeepPages(), own: own, news: newOutbox()}
	var err error
	switch {
	case strings.HasPrefix(databaseURL, "sqlite:"):
		err = s.openSQLite(strings.TrimPrefix(databaseURL, "sqlite:"), o)
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		err = s.openPostgres(databaseURL, o)
	default:
		err = model.Fail(model.Invalid, "database must be sqlite:PATH or postgres://…", nil)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true, // it halves the writes; transactions are explicit here
		Logger:                 logger.Discard,
		QueryFields:            true, // never *: a newer release that runs beside this one may have added columns
	}
}

func (s *Store) openSQLite(path string, o Options) error {
	if path == "" {
		return model.Fail(model.Invalid, "database sqlite: names no file", nil)
	}
	if err := makePrivate(path); err != nil {
		return err
	}
	params := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(1)"}}
	path = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) // it is part of a URI
	writeDSN := "file:" + path + "?" + params.Encode() + "&_txlock=immediate"
	params.Add("_pragma", "query_only(1)")
	readDSN := "file:" + path + "?" + params.Encode()
	var err error
	if s.write, err = openGORM(sqlite.Open(writeDSN), 1); err != nil {
		return err
	}
	s.read, err = openGORM(sqlite.Open(readDSN), o.MaxConns)
	return err
}

func (s *Store) openPostgres(dsn string, o Options) error {
	s.dsn, s.conns = dsn, o.MaxConns
	options := []stdlib.OptionOpenDB{stdlib.OptionBeforeConnect(s.line.watch), stdlib.OptionAfterConnect(boundIdle)}
	db, err := openGORM(postgres.New(postgres.Config{DSN: dsn, OptionOpenDB: options}), o.MaxConns)
	s.write, s.read, s.pg = db, db, true
	return err
}

// boundIdle has the server end transactions that stand still, unless it has a limit
// already: those of a replica that hangs would keep others from what it has locked.
func boundIdle(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '60s', false) WHERE current_setting('idle_in_transaction_session_timeout') IN ('0', '0ms')`)
	return err
}

func openGORM(d gorm.Dialector, conns int) (*gorm.DB, error) {
	db, err := gorm.Open(d, gormConfig())
	if err != nil {
		return nil, model.Fail(model.Unavailable, "database cannot be opened", redactDSN(err))
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return db, nil
}

// redactDSN keeps only what the server or the file system said: pgx's text of a
// failed connection holds the user and the host, which are useful, and never the password.
func redactDSN(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("the postgres URL cannot be parsed")
	}
	return err
}

// Close closes the connections; work under way is waited for.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*gorm.DB{s.read, s.write} {
		if db == nil {
			continue
		}
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(); err != nil {
		return err
	}
	pool, err := s.read.DB()
	if err != nil {
		return fmt.Errorf("database pool: %w", err)
	}
	if err := pool.PingContext(ctx); err != nil {
		return model.Fail(model.Unavailable, "the database does not answer", err)
	}
	return nil
}

// Postgres reports whether the database is PostgreSQL.
func (s *Store) Postgres() bool { return s.pg }

// Now is the store's clock, cut to the precision the database keeps.
func (s *Store) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// Update runs fn in a transaction that commits when fn returns nil. A deadlock
// or a serialization failure runs fn again, so fn must not have effects elsewhere.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	ctx, span := s.span(ctx)
	defer span.End("")
	if !s.pg {
		next, err := s.turns.take(ctx)
		if err != nil {
			return err
		}
		defer next()
	}
	if err := s.ready(); err != nil {
		return err
	}
	var err error
	for tries := 1; tries <= 5; tries++ {
		committing := false
		err = s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error {
			tx := &Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now()}
			if err := inTime(ctx); err != nil {
				return err
			}
			if err := tx.fence(); err != nil {
				return err
			}
			if err := fn(tx); err != nil {
				return err
			}
			if err := tx.once(); err != nil {
				return err
			}
			err := tx.end()
			committing = err == nil
			return err
		})
		if outdated(err) {
			s.discard()
		}
		if !retryable(err) && (committing || !s.again(ctx, err, tries)) {
			break
		}
	}
	return reachable(err)
}

// reachable says of an error that comes from a lost or refused connection that the
// database is not to be had at the moment: who asked may come again.
func reachable(err error) error {
	var pg *pgconn.PgError
	full := errors.As(err, &pg) && strings.HasPrefix(pg.Code, "53")
	if !full && !cutOff(err) {
		return err
	}
	return model.Fail(model.Unavailable, "the database does not answer", err)
}

// View runs fn in a read-only transaction: all reads see one state.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: s.pg, Isolation: sql.LevelDefault}
	if s.pg {
		opts.Isolation = sql.LevelRepeatableRead
	}
	if err := s.ready(); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		begun := false // fn may hand out what it reads: it runs once
		err := s.read.WithContext(ctx).Transaction(func(db *gorm.DB) error {
			begun = true
			return fn(&Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now()})
		}, opts)
		if begun || !s.again(ctx, err, tries) {
			return reachable(err)
		}
	}
}

// single runs fn on a connection without a transaction: for one statement, sent
// raw. (GORM's own calls would miss the context, which costs a clone of its state.)
func (s *Store) single(ctx context.Context, db *gorm.DB, fn func(*Tx) error) error {
	if err := s.ready(); err != nil {
		return err
	}
	if err := inTime(ctx); err != nil {
		return err
	}
	return reachable(fn(&Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now(), alone: s}))
}

func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001") || outdated(err)
}

// outdated reports that a connection has prepared a statement for a table that was
// changed since, by the migration of a newer release.
func outdated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan")
}

// isUnique reports a violated unique index, whose name or columns are in the text.
func isUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505"
	}
	return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed")
}

// isDivision reports a division by zero, which orphanGuard fails by.
func isDivision(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "22012"
}

// exec, query and row send raw SQL through GORM's connection: `?` placeholders
// on both databases.
func (t *Tx) exec(text string, args ...any) (int64, error) {
	res, err := t.db.Statement.ConnPool.ExecContext(t.ctx, t.rebind(text), args...)
	for tries := 1; t.again(text, err, tries); tries++ {
		res, err = t.db.Statement.ConnPool.ExecContext(t.ctx, t.rebind(text), args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// planned are the arguments of a statement that PostgreSQL plans anew each time. A
// plan made when a table was small reads it from end to end, and is kept for as long as
// a minute after the table has become huge.
func (t *Tx) planned(args []any) []any {
	if !t.pg {
		return args
	}
	return append([]any{pgx.QueryExecModeCacheDescribe}, args...)
}

func (t *Tx) query(text string, args ...any) (*sql.Rows, error) {
	rows, err := t.db.Statement.ConnPool.QueryContext(t.ctx, t.rebind(text), args...)
	for tries := 1; t.again(text, err, tries); tries++ {
		rows, err = t.db.Statement.ConnPool.QueryContext(t.ctx, t.rebind(text), args...)
	}
	return rows, err
}

// texts reads a query whose rows have one column of text.
func (t *Tx) texts(text string, args ...any) ([]string, error) {
	rows, err := t.query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

func (t *Tx) row(text string, args ...any) *sql.Row {
	row := t.db.Statement.ConnPool.QueryRowContext(t.ctx, t.rebind(text), args...)
	for tries := 1; t.again(text, row.Err(), tries); tries++ {
		row = t.db.Statement.ConnPool.QueryRowContext(t.ctx, t.rebind(text), args...)
	}
	return row
}

// rebind numbers the placeholders for PostgreSQL.
func (t *Tx) rebind(text string) string {
	if !t.pg {
		return text
	}
	return rebind(text)
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func microsPtr(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	us := micros(*t)
	return &us
}

func timePtr(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := fromMicros(*us)
	return &t
}
