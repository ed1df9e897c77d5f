package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How replicas tell one another what there is to do.
const (
	tellEvery    = 50 * time.Millisecond // at most one message a replica in this time
	tellPatience = 2 * time.Second       // for the message to be taken by the database
	longestNews  = 7900                  // bytes; PostgreSQL takes less than 8000
)

// How the connection that listens is kept.
const (
	lineIdle    = time.Second            // without news the database is asked whether it is there
	linePing    = 4 * time.Second        // so long it may take to answer
	lineConnect = 3 * time.Second        // so long a new connection may take
	lineFirst   = 100 * time.Millisecond // until the next try to connect, doubled to
	lineSlowest = time.Second
)

// News is what a replica tells the others: where there may be something to do. It says
// never what; to lose one costs the time until the next look, nothing else.
type News struct {
	Config  bool     // a version of the configuration, or credentials, were stored
	Marks   bool     // more people are marked than whoever marked them can look at now
	Targets []string // there is more work, or a lease is free: for who works there, or waits to
	Asked   []string // somebody asked for something there: for everybody
	All     bool     // some may have been lost: for everybody, at every target
}

func (n News) none() bool {
	return !n.Config && !n.Marks && !n.All && len(n.Targets)+len(n.Asked) == 0
}

// message is the form of News on the wire.
type message struct {
	From    string   `json:"f"`
	Config  bool     `json:"c,omitempty"`
	Marks   bool     `json:"m,omitempty"`
	Targets []string `json:"t,omitempty"`
	Asked   []string `json:"a,omitempty"`
	All     bool     `json:"e,omitempty"`
}

// Tell has the other replicas told, soon and together with what else there is: it never
// blocks and never fails. It is for after the commit, not for inside of a transaction:
// PostgreSQL lets one transaction that notifies commit at a time. On SQLite there is
// nobody to be told.
func (s *Store) Tell(n News) {
	if !s.pg || n.none() {
		return
	}
	s.news.add(n)
}

// Listen tells the other replicas what Tell is given and calls hear with what they tell,
// until ctx ends. After the connection was lost, hear is called with everything, for some
// may have been missed. state is told when the database is lost, with the cause, and when
// it is there again. Calls come one at a time and must be short. On SQLite there is one
// process and nothing to hear.
func (s *Store) Listen(ctx context.Context, hear func(News), state func(up bool, cause error)) {
	if !s.pg {
		<-ctx.Done()
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.sendNews(ctx)
	}()
	pause := lineFirst
	for ctx.Err() == nil {
		heard, err := s.listenOnce(ctx, hear, state)
		if ctx.Err() != nil {
			break
		}
		if heard {
			pause = lineFirst
			continue // it worked a moment ago: try again at once
		}
		if gone(err) && s.line.lost() {
			state(false, redactDSN(err))
		}
		wait(ctx, pause)
		pause = min(2*pause, lineSlowest)
	}
	<-sent
}

// listenOnce listens on one connection until it breaks; heard is false where it could not
// be opened, or did not answer any more.
func (s *Store) listenOnce(ctx context.Context, hear func(News), state func(bool, error)) (heard bool, err error) {
	cfg, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		return false, err
	}
	patience(cfg)
	open, cancel := context.WithTimeout(ctx, lineConnect)
	defer cancel()
	conn, err := pgx.ConnectConfig(open, cfg)
	if err != nil {
		return false, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellPatience)
		defer cancel()
		_ = conn.Close(end) // it is of no use any more, however it ends
	}()
	var channel string
	if err := conn.QueryRow(open, `SELECT `+channelName).Scan(&channel); err != nil {
		return false, err
	}
	if _, err := conn.Exec(open, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
		return false, err
	}
	if s.line.found() {
		state(true, nil)
	}
	hear(News{Config: true, Marks: true, All: true})
	for {
		idle, cancel := context.WithTimeout(ctx, lineIdle)
		n, err := conn.WaitForNotification(idle)
		cancel()
		switch {
		case err == nil:
			if news, ok := s.opened(n.Payload); ok {
				hear(news)
			}
		case ctx.Err() != nil || conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded):
			return true, err
		default:
			ask, cancel := context.WithTimeout(ctx, linePing)
			_, err := conn.Exec(ask, `SELECT 1`)
			cancel()
			if err != nil {
				// It broke: a new one may do. It did not answer: the rest will not either.
				return !errors.Is(err, context.DeadlineExceeded) && !pgconn.Timeout(err), err
			}
		}
	}
}

// channelName is the channel of the hubs that share a schema.
const channelName = `'scimhub_' || md5(current_schema())`

// opened is what a message says; false: it is this replica's own, or not understood.
func (s *Store) opened(payload string) (News, bool) {
	var m message
	if err := json.Unmarshal([]byte(payload), &m); err != nil || m.From == s.news.from {
		return News{}, false
	}
	return News{Config: m.Config, Marks: m.Marks, Targets: m.Targets, Asked: m.Asked, All: m.All}, true
}

// sendNews sends what there is, until ctx ends, and then once more.
func (s *Store) sendNews(ctx context.Context) {
	for {
		select {
		case <-s.news.there:
		case <-ctx.Done():
			s.send(context.WithoutCancel(ctx))
			return
		}
		s.send(ctx)
		wait(ctx, tellEvery)
	}
}

func (s *Store) send(ctx context.Context) {
	n := s.news.take()
	if n.none() || !s.Reachable() {
		return
	}
	m := message{From: s.news.from, Config: n.Config, Marks: n.Marks, Targets: n.Targets, Asked: n.Asked, All: n.All}
	body, err := json.Marshal(m)
	if err == nil && len(body) > longestNews {
		m.Targets, m.Asked, m.All = nil, nil, true
		body, err = json.Marshal(m)
	}
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellPatience)
	defer cancel()
	_ = s.single(ctx, s.write, func(tx *Tx) error { // lost: they look by themselves
		// Nothing is stored: the commit, for which other senders wait, need not be on disk.
		_, err := tx.exec(`SELECT set_config('synchronous_commit', 'off', true), pg_notify(`+channelName+`, ?)`, string(body))
		return err
	})
}

// wait is over after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// newOutbox is of one replica; its name keeps it from hearing itself.
func newOutbox() *outbox { return &outbox{from: uuid.NewString()[:8], there: make(chan struct{}, 1)} }

// patience bounds how long a connection may take to open, where the URL does not.
func patience(cfg *pgx.ConnConfig) {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = lineConnect
	}
}

// gone says of an error of connecting that the database is not to be had at all, and
// not that it refuses one more connection.
func gone(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pg.Code, "57P")
	}
	return err != nil
}
