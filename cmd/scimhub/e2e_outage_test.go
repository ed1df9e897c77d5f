package main_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of database/sql

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestRestartWhileDown: people come and go while every application is down; the
// hub is stopped in order and started again meanwhile. Nobody has to tell it what
// was left to do.
func TestRestartWhileDown(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		c := newCompany(sized(200, 40, 30), 9, rand.New(rand.NewPCG(8, 9)))
		later := c.people[len(c.people)/2:]
		c.people = c.people[:len(c.people)/2]
		hr, idp := push(t, w, c)
		w.converge(2*time.Minute, "the first half is everywhere", c)
		for _, name := range appNames {
			w.apps[name].faults(t, "down")
		}
		var off []*person
		for _, p := range c.people {
			if p.n%5 == 0 && p.hrID != "" {
				off = append(off, p)
			}
		}
		inParallel(t, 4, off, func(p *person) error {
			p.active = false
			return hr.patch(t.Context(), "/Users/"+p.hrID, op("replace", "active", false))
		})
		for _, p := range later {
			p.groups = map[string]bool{}
		}
		inParallel(t, 4, later, func(p *person) error { return pushPerson(t.Context(), hr, idp, p) })
		c.people = append(c.people, later...)
		for range 2 {
			began := time.Now()
			w.hub.stop(t)
			t.Logf("stopped within %s", time.Since(began).Round(time.Millisecond))
			w.start()
		}
		healed := time.Now()
		for _, name := range appNames {
			w.apps[name].faults(t, "")
		}
		await(t, 30*time.Second, "leavers of the outage are off everywhere", func() error {
			for _, name := range appNames {
				h, err := w.apps[name].state(t.Context())
				if err != nil {
					return err
				}
				for _, p := range off {
					if a := h.accounts[p.externalID]; a != nil && a.active {
						return fmt.Errorf("%s is active at %s", p.userName, name)
					}
				}
			}
			return nil
		})
		leavers := time.Since(healed)
		w.converge(3*time.Minute, "everything is made up for", c)
		t.Logf("%d leavers off %s after the applications were back, everything made up for after %s", len(off),
			leavers.Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
		w.sound()
		w.hub.stop(t)
	})
}

// TestDatabaseConnectionsLost: PostgreSQL ends every connection of the hub, again
// and again, while sources push. The hub stays up, nothing acknowledged is lost,
// and it goes on by itself.
func TestDatabaseConnectionsLost(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("e2e-%d", rand.Uint32())
	database := storetest.URL(t, storetest.Postgres)
	admin, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	w := newWorld(t, withName(t, database, name))
	seed := randomSeed(t)
	rng := rand.New(rand.NewPCG(seed, 11))
	c := newCompany(sized(200, 40, 30), 9, rng)
	hr, idp := w.source("hr"), w.source("idp")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	pushers := startPushers(ctx, hr, idp, c, seed)
	cuts, ended := sized(40, 10, 6), 0
	for range cuts {
		w.runFor(time.Duration(50+rng.IntN(500)) * time.Millisecond)
		ended += terminate(ctx, t, admin, name)
	}
	if err := pushers.finish(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d times all connections (%d) while %d writes were acknowledged; %d requests were repeated", cuts, ended,
		hr.acknowledged.Load()+idp.acknowledged.Load(), hr.repeated.Load()+idp.repeated.Load())
	if ended < cuts {
		t.Errorf("only %d connections were ended: the test has not done its work", ended)
	}
	last := time.Now()
	inParallel(t, 4, c.people, func(p *person) error { return checkAcknowledged(ctx, hr, idp, p) })
	checkGroups(ctx, t, idp, c)
	w.converge(2*time.Minute, "everybody is everywhere after the cuts", c)
	t.Logf("converged %s after the last write", time.Since(last).Round(time.Millisecond))
	w.sound()
	checkTotal(ctx, t, hr, idp, c)
	if w.hub.ended() {
		t.Error("the hub has ended")
	}
	w.hub.stop(t)
}

// withName makes the connections of a URL known by a name of their own.
func withName(t *testing.T, database, name string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the PostgreSQL URL cannot be parsed")
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// terminate ends all connections of that name and says how many there were.
func terminate(ctx context.Context, t *testing.T, admin *sql.DB, name string) int {
	t.Helper()
	var n int
	err := admin.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDatabaseAway: while the database cannot be had at all, the hub says so and
// stays; afterwards it goes on. The database is away behind a gate that the test
// closes and opens.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	database := storetest.URL(t, storetest.Postgres)
	g := startGate(t, database)
	w := newWorld(t, g.database)
	c := newCompany(20, 4, rand.New(rand.NewPCG(1, 9)))
	hr, _ := push(t, w, c)
	w.converge(time.Minute, "everybody is everywhere", c)
	g.close()
	await(t, 30*time.Second, "readyz tells", func() error {
		if w.ready(t.Context()) == nil {
			return errors.New("the hub says it is ready")
		}
		return nil
	})
	a, err := hr.once(t.Context(), http.MethodPost, "/Users", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "too-early@example.com"})
	if err != nil || a.status < 500 || text(a.doc, "detail") == "" {
		t.Errorf("a write without a database: %d %s %v", a.status, a.body, err)
	}
	for _, name := range appNames {
		if err := w.differs(name, c.people); err != nil {
			t.Errorf("without a database: %v", err)
		}
	}
	g.open()
	await(t, 30*time.Second, "the hub is ready again", func() error { return w.ready(t.Context()) })
	p := c.people[1]
	p.active = false
	if err := hr.patch(t.Context(), "/Users/"+p.hrID, op("replace", "active", false)); err != nil {
		t.Fatal(err)
	}
	w.converge(time.Minute, "a leaver after the outage", c)
	w.sound()
}
