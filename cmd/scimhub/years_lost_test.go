package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestDatabaseLostUnderWay cuts the only replica off from the database, and then has the
// network swallow everything, while it writes to targets: it stops before its leases end,
// says so, asks who sends it something to come back, and goes on by itself.
func TestDatabaseLostUnderWay(t *testing.T) {
	if storetest.UnderRace {
		t.Skip("how soon is what it shows; TestReplicasForYears cuts replicas off with the detector")
	}
	t.Parallel()
	pg := startPostgres(t)
	y := newYears(t, pg.URL, 1, sized(3000, 1200, 400))
	y.groups = nil
	r := y.replicas[0]
	y.launchReplica(r)
	y.serves(r)
	for _, a := range []*watched{y.all, y.some} {
		a.faults(t, "slow:20ms")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	half := len(y.people) / 2
	for i, way := range []func(bool){r.cable.Cut, r.cable.Swallow} {
		inParallel(t, 6, y.people[i*half:(i+1)*half], func(p *moved) error {
			return y.join(t.Context(), rand.New(rand.NewPCG(uint64(p.n), 3)), p)
		})
		before := y.writes()
		await(t, time.Minute, "targets are written to", func() error {
			if n := y.writes() - before; n < 20 {
				return fmt.Errorf("%d writes", n)
			}
			return nil
		})
		way(true)
		lost, last, written := time.Now(), time.Now(), y.writes()
		tick := time.NewTicker(10 * time.Millisecond)
		for time.Since(lost) < 8*time.Second {
			<-tick.C
			if n := y.writes(); n > written {
				written, last = n, time.Now()
			}
		}
		tick.Stop()
		t.Logf("the last write came %s after the database was lost, with %d people left to do", last.Sub(lost).Round(time.Millisecond), len(y.people[:(i+1)*half])-written)
		if late := last.Sub(lost); late > 6*time.Second {
			t.Errorf("a write came %s after the database was lost, when another replica may have the lease", late)
		}
		s := &source{base: r.base + "/scim/v2", token: hrToken, http: r.http}
		begun := time.Now()
		a, err := s.once(t.Context(), http.MethodPatch, "/Users/"+y.people[0].id, map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": []any{op("replace", "title", "x")}})
		if err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || time.Since(begun) > 2*time.Second {
			t.Errorf("a request without a database: %d %s %v after %s", a.status, a.body, err, time.Since(begun))
		}
		if readyAt(t.Context(), r.base) == nil {
			t.Error("it says that it is ready without a database")
		}
		way(false)
		back := time.Now()
		y.serves(r)
		t.Logf("ready %s after the database was back", time.Since(back).Round(time.Millisecond))
	}
	y.people = y.people[:2*half]
	y.people[0].number++
	if err := y.change(t.Context(), rng, http.MethodPut, "/Users/"+y.people[0].id, y.people[0].doc()); err != nil {
		t.Error(err)
	}
	await(t, 2*time.Minute, "all is as acknowledged", func() error {
		if n, err := y.waiting(y.database); err != nil || n > 0 {
			return fmt.Errorf("%d marks and accounts wait: %w", n, err)
		}
		return y.settled()
	})
	y.sureOf(t.Context())
}

// writes is how many writes of people have arrived.
func (y *years) writes() (n int) {
	for _, a := range []*watched{y.all, y.some} {
		a.mu.Lock()
		n += a.writes
		a.mu.Unlock()
	}
	return n
}
