package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model"
)

// postgres restores in one transaction, tables and all: whoever looks meanwhile sees
// what was there before, and a restore that is killed leaves nothing.
func (r *restorer) postgres(ctx context.Context, dsn string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return model.Fail(model.Unavailable, "database cannot be opened", redactDSN(err))
	}
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return model.Fail(model.Unavailable, "database cannot be opened", redactDSN(err))
	}
	defer conn.Close()
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: conn}), gormConfig())
	if err != nil {
		return model.Fail(model.Unavailable, "database cannot be opened", redactDSN(err))
	}
	s := &Store{write: db, read: db, pg: true, now: r.o.Now, deep: newDeepPages()}
	tx := &Tx{ctx: ctx, db: db, pg: true, Now: s.Now()}
	tx.db = db.WithContext(ctx)
	if _, err := conn.ExecContext(ctx, `BEGIN`); err != nil {
		return reachable(err)
	}
	if err := r.inPlace(s, tx, conn); err != nil {
		_, rolled := conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		return errors.Join(reachable(err), rolled)
	}
	if _, err := conn.ExecContext(ctx, `COMMIT`); err != nil {
		return reachable(err)
	}
	return r.analyze(ctx, tx)
}

func (r *restorer) inPlace(s *Store, tx *Tx, conn *sql.Conn) error {
	if _, err := tx.exec(`SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return err
	}
	if err := tx.keepHubsOut(); err != nil {
		return err
	}
	tables, err := tx.ownTables()
	if err != nil {
		return err
	}
	if err := r.mayReplace(tx, tables); err != nil {
		return err
	}
	for _, name := range slices.Backward(tables) {
		if _, err := tx.exec(`DROP TABLE ` + name); err != nil {
			return fmt.Errorf("drop table %s: %w", name, err)
		}
	}
	return r.fill(s, tx, func(table string, columns []string) (rowSink, error) {
		return newCopyIn(tx.ctx, conn, table, columns), nil
	})
}

// analyze tells the planner how large the tables have become: with what it believes of
// empty ones it would read them from end to end.
func (r *restorer) analyze(ctx context.Context, tx *Tx) error {
	tables, err := tx.ownTables()
	for _, name := range tables {
		if err == nil {
			_, err = tx.exec(`ANALYZE ` + name)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("everything is restored, but its statistics are not: run ANALYZE: %w", err)
	}
	return nil
}

// copyIn are the rows of one table of PostgreSQL, sent by COPY.
type copyIn struct {
	rows  chan [][]any
	batch [][]any
	given atomic.Bool // up
	ended chan struct{}
	err   error
}

var errGivenUp = errors.New("the restore was given up")

// copyBatch is how many rows are handed on at a time.
const copyBatch = 200

func newCopyIn(ctx context.Context, conn *sql.Conn, table string, columns []string) *copyIn {
	c := &copyIn{rows: make(chan [][]any, 4), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.err = conn.Raw(func(driver any) error {
			own, ok := driver.(*stdlib.Conn)
			if !ok {
				return fmt.Errorf("a connection of type %T", driver)
			}
			_, err := own.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, &copySource{rows: c.rows, given: &c.given})
			return err
		})
	}()
	return c
}

func (c *copyIn) add(values []any) error {
	c.batch = append(c.batch, slices.Clone(values))
	if len(c.batch) < copyBatch {
		return nil
	}
	return c.send()
}

func (c *copyIn) send() error {
	select {
	case c.rows <- c.batch:
		c.batch = nil
		return nil
	case <-c.ended:
		return c.err
	}
}

func (c *copyIn) close() error {
	if err := c.send(); err != nil {
		return err
	}
	close(c.rows)
	<-c.ended
	return c.err
}

func (c *copyIn) abort() {
	c.given.Store(true)
	close(c.rows)
	<-c.ended
}

// copySource gives rows to COPY as they come.
type copySource struct {
	rows  <-chan [][]any
	given *atomic.Bool
	batch [][]any
	now   []any
}

// Next waits for a row; false: there are no more.
func (s *copySource) Next() bool {
	for len(s.batch) == 0 {
		batch, more := <-s.rows
		if !more {
			return false
		}
		s.batch = batch
	}
	s.now, s.batch = s.batch[0], s.batch[1:]
	return true
}

// Values is the row.
func (s *copySource) Values() ([]any, error) { return s.now, nil }

// Err ends the COPY without its rows where the restore was given up.
func (s *copySource) Err() error {
	if s.given.Load() {
		return errGivenUp
	}
	return nil
}
