package store_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// ears gather what a replica hears.
type ears struct {
	heard chan store.News
	state chan bool
}

// replicaOn opens another store over a database and has it listen.
func replicaOn(t *testing.T, databaseURL string) (*store.Store, *ears) {
	t.Helper()
	s, err := store.Open(t.Context(), databaseURL, store.Options{MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	e := &ears{heard: make(chan store.News, 1000), state: make(chan bool, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() {
		s.Listen(ctx, func(n store.News) { e.heard <- n }, func(up bool, _ error) { e.state <- up })
	})
	t.Cleanup(func() { cancel(); listening.Wait(); s.Close() })
	return s, e
}

// next is the next news that are wanted.
func (e *ears) next(t *testing.T, what string, want func(store.News) bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case n := <-e.heard:
			if want(n) {
				return
			}
		case <-limit:
			t.Fatalf("not heard: %s", what)
		}
	}
}

func everything(n store.News) bool { return n.All && n.Config && n.Marks }

func TestNewsReachTheOthers(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	a, heardA := replicaOn(t, db.URL)
	_, heardB := replicaOn(t, db.URL)
	heardA.next(t, "the beginning", everything)
	heardB.next(t, "the beginning", everything)
	begun := time.Now()
	for range 1000 {
		a.Tell(store.News{Targets: []string{"git"}})
	}
	a.Tell(store.News{Config: true, Asked: []string{"chat"}})
	got := store.News{}
	messages := 0
	heardB.next(t, "targets and configuration", func(n store.News) bool {
		messages++
		got.Config = got.Config || n.Config
		got.Targets, got.Asked = append(got.Targets, n.Targets...), append(got.Asked, n.Asked...)
		return got.Config && len(got.Asked) > 0 && len(got.Targets) > 0
	})
	t.Logf("heard after %s", time.Since(begun))
	if messages > 3 || got.Targets[0] != "git" || got.Asked[0] != "chat" {
		t.Errorf("%d messages for what was told at once: %+v", messages, got)
	}
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("target-%05d", i))
	}
	a.Tell(store.News{Targets: names})
	heardB.next(t, "news too long for a message", func(n store.News) bool { return n.All && !n.Config })
	a.Tell(store.News{})
	select {
	case n := <-heardA.heard:
		t.Errorf("a replica hears itself: %+v", n)
	default:
	}
}

// Hubs in other schemas of the database are none of ours.
func TestNewsStayInTheirSchema(t *testing.T) {
	t.Parallel()
	one, other := storetest.Open(t, storetest.Postgres), storetest.Open(t, storetest.Postgres)
	a, _ := replicaOn(t, one.URL)
	_, b := replicaOn(t, one.URL)
	_, c := replicaOn(t, other.URL)
	b.next(t, "the beginning", everything)
	c.next(t, "the beginning", everything)
	a.Tell(store.News{Marks: true})
	b.next(t, "marks", func(n store.News) bool { return n.Marks && !n.All })
	select {
	case n := <-c.heard:
		t.Errorf("another hub heard %+v", n)
	default:
	}
}

func TestNothingToHearOnSQLite(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db.Tell(store.News{Config: true})
	db.Listen(ctx, func(n store.News) { t.Errorf("heard %+v", n) }, func(bool, error) { t.Error("lost") })
}

// A replica whose way to the database is cut knows it at once, hangs nowhere, and is back
// by itself.
func TestDatabaseLostAndFound(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	c := storetest.NewCable(t, db.URL)
	s, e := replicaOn(t, c.URL)
	e.next(t, "the beginning", everything)
	c.Cut(true)
	if up := <-e.state; up || s.Reachable() {
		t.Fatal("the database is said to be there")
	}
	begun := time.Now()
	err := s.Update(t.Context(), func(*store.Tx) error { t.Error("reached"); return nil })
	if model.CodeOf(err) != model.Unavailable || s.Ping(t.Context()) == nil {
		t.Errorf("without a database: %v", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %s to say that there is no database", took)
	}
	c.Cut(false)
	if up := <-e.state; !up || !s.Reachable() {
		t.Fatal("it does not come back")
	}
	e.next(t, "what may have been missed", everything)
	if err := s.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A network that swallows everything keeps nobody waiting for long, whoever is in the
// middle of a statement either.
func TestDatabaseFallsSilent(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	c := storetest.NewCable(t, db.URL)
	s, e := replicaOn(t, c.URL)
	e.next(t, "the beginning", everything)
	c.Swallow(true)
	begun := time.Now()
	err := s.Update(t.Context(), func(*store.Tx) error { return nil })
	if took := time.Since(begun); model.CodeOf(err) != model.Unavailable || took > 8*time.Second {
		t.Errorf("after %s: %v", took, err)
	} else {
		t.Logf("a statement that is never answered failed after %s", took)
	}
	if up := <-e.state; up {
		t.Fatal("it is said to be there")
	}
	c.Swallow(false)
	if up := <-e.state; !up {
		t.Fatal("it does not come back")
	}
	if err := s.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A server that ends every connection, as one does that restarts, costs no request of its
// own, however many wait in the pool.
func TestDeadConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("application_name", "dead-"+strings.TrimPrefix(q.Get("search_path"), "test_"))
	u.RawQuery = q.Encode()
	s, err := store.Open(t.Context(), u.String(), store.Options{MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill := func() { // the pool
		var all sync.WaitGroup
		gate := make(chan struct{})
		for i := range 8 {
			all.Go(func() {
				_ = s.View(t.Context(), func(*store.Tx) error {
					if i == 7 {
						close(gate)
					}
					<-gate
					return nil
				})
			})
		}
		all.Wait()
	}
	kill := func() {
		fill()
		db.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '`+q.Get("application_name")+`'`)
	}
	for name, try := range map[string]func() error{
		"a transaction": func() error { return s.Update(t.Context(), func(*store.Tx) error { return nil }) },
		"a view":        func() error { return s.View(t.Context(), func(*store.Tx) error { return nil }) },
		"a read":        func() error { _, err := s.Pulse(t.Context()); return err },
		"a create": func() error {
			return s.CreateResource(t.Context(), newUser(t, fmt.Sprint(time.Now().UnixNano()), fmt.Sprint(time.Now().UnixNano()), nil))
		},
	} {
		for range 3 {
			kill()
			for range 4 {
				if err := try(); err != nil {
					t.Errorf("%s on a connection that was ended: %v", name, err)
				}
			}
		}
	}
}
