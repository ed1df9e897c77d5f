package store

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/scimhub/scimhub/model"
)

// line knows every connection to PostgreSQL, so that all can be given up at once when the
// database does not answer: a network that swallows what is sent says so to nobody, and
// whoever waits for an answer would for minutes.
type line struct {
	down atomic.Bool

	mu    sync.Mutex
	conns map[*lineConn]struct{}
}

type lineConn struct {
	net.Conn
	line *line
}

// Close closes the connection and forgets it.
func (c *lineConn) Close() error {
	c.line.mu.Lock()
	delete(c.line.conns, c)
	c.line.mu.Unlock()
	return c.Conn.Close()
}

// watch has a connection that is about to be opened be known.
func (l *line) watch(_ context.Context, cfg *pgx.ConnConfig) error {
	patience(cfg)
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &lineConn{Conn: conn, line: l}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.conns == nil {
			l.conns = map[*lineConn]struct{}{}
		}
		l.conns[c] = struct{}{}
		return c, nil
	}
	return nil
}

// lost notes that the database is not to be had and closes all connections; false: it
// was known.
func (l *line) lost() bool {
	first := l.down.CompareAndSwap(false, true)
	l.mu.Lock()
	open := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // whoever uses it is told
	}
	return first
}

// found notes that the database is there; false: it was known.
func (l *line) found() bool { return l.down.CompareAndSwap(true, false) }

// Reachable is false while the database is known not to answer. It is known where Listen
// runs; elsewhere a try tells.
func (s *Store) Reachable() bool { return !s.line.down.Load() }

// ready fails while the database is known not to answer: nobody waits for that anew.
func (s *Store) ready() error {
	if s.Reachable() {
		return nil
	}
	return model.Fail(model.Unavailable, "the database does not answer", errLineDown)
}

var errLineDown = errors.New("every try to reach it fails at the moment")

// outbox gathers news until they are sent.
type outbox struct {
	from  string
	there chan struct{}

	mu   sync.Mutex
	news News
	at   map[string]bool // targets; true: somebody asked
}

// add notes news; it does not block.
func (o *outbox) add(n News) {
	o.mu.Lock()
	o.news.Config = o.news.Config || n.Config
	o.news.Marks = o.news.Marks || n.Marks
	o.news.All = o.news.All || n.All
	if o.at == nil {
		o.at = map[string]bool{}
	}
	for _, t := range n.Targets {
		if !o.at[t] { // it may be asked for
			o.at[t] = false
		}
	}
	for _, t := range n.Asked {
		o.at[t] = true
	}
	o.mu.Unlock()
	select {
	case o.there <- struct{}{}:
	default:
	}
}

// take empties the outbox.
func (o *outbox) take() News {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.news
	for _, t := range slices.Sorted(maps.Keys(o.at)) {
		if o.at[t] {
			n.Asked = append(n.Asked, t)
		} else {
			n.Targets = append(n.Targets, t)
		}
	}
	o.news, o.at = News{}, nil
	return n
}
