package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How what a lost connection has spoilt is tried again. A server that restarts takes
// connections again within a second or two; most requests may wait for so long.
const (
	lostTries = 4
	lostPause = 100 * time.Millisecond // before the second try on a new connection; doubled
)

// cutOff says of an error that the connection is lost, or could not be opened.
func cutOff(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08") || pg.Code == "25P03" // idle for too long
	}
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err)
}

// again reports whether something that failed, and has left nothing behind, is to be
// tried once more: the connection was lost. The first such error is followed at once, on
// a new connection: those in the pool have met the same end, and each would fail once.
func (s *Store) again(ctx context.Context, err error, tries int) bool {
	if !s.pg || tries >= lostTries || !cutOff(err) || ctx.Err() != nil {
		return false
	}
	s.discard()
	if tries > 1 {
		wait(ctx, lostPause<<(tries-2))
	}
	return s.Reachable() && ctx.Err() == nil
}

// discard closes the connections that wait in the pool.
func (s *Store) discard() {
	if pool, err := s.write.DB(); err == nil {
		pool.SetMaxIdleConns(0)
		pool.SetMaxIdleConns(s.conns)
	}
}

// again is Store.again for a statement outside of a transaction: one that reads, or that
// the server ended for certain.
func (t *Tx) again(text string, err error, tries int) bool {
	if err == nil || t.alone == nil {
		return false
	}
	var pg *pgconn.PgError
	ended := errors.As(err, &pg) && pg.Code == "57P01" // before it was carried out: its answer would have come first
	var connect *pgconn.ConnectError
	return (ended || errors.As(err, &connect) || pgconn.SafeToRetry(err) || strings.HasPrefix(text, "SELECT")) && t.alone.again(t.ctx, err, tries)
}
