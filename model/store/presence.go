package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/scimhub/scimhub/model"
)

// A hub that runs on PostgreSQL holds a lock there that all of them share, on a
// connection of its own. A restore takes it alone, and so finds out whether one runs,
// and keeps others from starting. On SQLite the open file says so.

// presenceLock is the advisory lock of the hubs of one schema.
const presenceLock = `hashtextextended(current_schema() || ' scimhub runs', 0)`

// presencePoll is how often it is made sure that the lock is still held: a database
// that restarts forgets it.
const presencePoll = 10 * time.Second

// Presence is the lock of a hub that runs.
type Presence struct {
	store *Store
	conn  *sql.Conn
}

// Attend says that a hub runs on this database from now on. It fails while a backup is
// being restored there.
func (s *Store) Attend(ctx context.Context) (*Presence, error) {
	p := &Presence{store: s}
	if !s.pg {
		return p, nil
	}
	return p, p.take(ctx)
}

func (p *Presence) take(ctx context.Context) error {
	pool, err := p.store.write.DB()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return reachable(err)
	}
	var ours bool
	err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock_shared(`+presenceLock+`)`).Scan(&ours)
	if err == nil && !ours {
		err = model.Fail(model.Unavailable, "a backup is being restored into this database: start again when that is done", nil)
	}
	if err != nil {
		_ = conn.Close()
		return reachable(err)
	}
	p.conn = conn
	return nil
}

// Keep holds the lock until ctx ends, and takes it again where it was lost.
func (p *Presence) Keep(ctx context.Context) {
	if !p.store.pg {
		return
	}
	tick := time.NewTicker(presencePoll)
	defer tick.Stop()
	defer p.End()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.conn != nil && p.conn.PingContext(ctx) == nil {
			continue
		}
		p.End()
		_ = p.take(ctx) // the next try follows
	}
}

// End gives the lock back.
func (p *Presence) End() {
	if p == nil || p.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // what it began with is over by now
	defer cancel()
	_, _ = p.conn.ExecContext(ctx, `SELECT pg_advisory_unlock_shared(`+presenceLock+`)`)
	_ = p.conn.Close()
	p.conn = nil
}

// keepHubsOut takes the lock for a restore, until the transaction ends. A hub of a
// release before the lock shows by what it works on.
func (t *Tx) keepHubsOut() error {
	var alone, there bool
	if err := t.row(`SELECT pg_try_advisory_xact_lock(` + presenceLock + `)`).Scan(&alone); err != nil {
		return err
	}
	if !alone {
		return inUse(nil)
	}
	if err := t.row(`SELECT to_regclass('targets') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	var holder string
	err := t.row(`SELECT coalesce(max(holder), '') FROM targets WHERE holder <> '' AND leased_until > CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`).Scan(&holder)
	if err == nil && holder != "" {
		err = inUse(nil)
	}
	return err
}
