package main_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKill ends the hub with SIGKILL at random moments while two sources push and
// three applications are filled. Nothing that was acknowledged is lost, nothing is
// made twice, and in the end everything is as if nothing had happened.
func TestKill(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		seed := randomSeed(t)
		rng := rand.New(rand.NewPCG(seed, 7))
		kills := sized(25, 5, 3)
		c := newCompany(sized(400, 80, 40), 9, rng)
		hr, idp := w.source("hr"), w.source("idp")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		pushers := startPushers(ctx, hr, idp, c, seed)
		began := time.Now()
		for i := range kills {
			w.runFor(time.Duration(50+rng.IntN(1500)) * time.Millisecond)
			w.hub.kill()
			if i < kills-1 || briefly() {
				w.runOut() // after the last kill the hub has to wait for it itself
			}
			w.start()
			if pushers.failed() {
				t.Logf("given up after %d kills", i+1)
				break
			}
		}
		if err := pushers.finish(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d kills while %d writes were acknowledged in %s; %d requests were repeated", kills, hr.acknowledged.Load()+idp.acknowledged.Load(),
			time.Since(began).Round(time.Millisecond), hr.repeated.Load()+idp.repeated.Load())
		last := time.Now()
		inParallel(t, 4, c.people, func(p *person) error { return checkAcknowledged(ctx, hr, idp, p) })
		checkGroups(ctx, t, idp, c)
		w.converge(2*time.Minute, "everybody is everywhere after the kills", c)
		t.Logf("converged %s after the last write", time.Since(last).Round(time.Millisecond))
		w.sound()
		checkTotal(ctx, t, hr, idp, c)
	})
}

// runOut makes on PostgreSQL what a dead hub held run out at once, as time would, so
// that the next one works on targets before it is killed as well. SQLite needs none
// of it.
func (w *world) runOut() {
	w.t.Helper()
	if !strings.HasPrefix(w.database, "postgres") {
		return
	}
	db, err := sql.Open("pgx", w.database)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{`UPDATE targets SET leased_until = 0`, `UPDATE marks SET leased_until = 0`} {
		if _, err := db.ExecContext(w.t.Context(), statement); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// randomSeed is a new one each time, or the one to repeat.
func randomSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64() % 1_000_000
	if text := os.Getenv("SCIMHUB_E2E_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SCIMHUB_E2E_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d (repeat with SCIMHUB_E2E_SEED=%d)", seed, seed)
	return seed
}

// runFor lets the hub work for a while; it must not end by itself.
func (w *world) runFor(d time.Duration) {
	w.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.hub.done:
		w.t.Fatalf("the hub ended by itself: %s", w.hub.err.tail(20))
	}
}

// pushers change people until they are told to come to an end. Each person belongs
// to one of them, so that what was acknowledged last is known.
type pushers struct {
	end     chan struct{}
	workers sync.WaitGroup
	err     atomic.Pointer[error]
}

func startPushers(ctx context.Context, hr, idp *source, c *company, seed uint64) *pushers {
	const width = 6
	p := &pushers{end: make(chan struct{})}
	for worker := range width {
		var mine []*person
		for _, one := range c.people {
			if one.n%width == worker {
				mine = append(mine, one)
			}
		}
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		p.workers.Go(func() {
			if err := p.work(ctx, hr, idp, c, mine, worker == 0, rng); err != nil {
				p.err.CompareAndSwap(nil, &err)
			}
		})
	}
	return p
}

func (p *pushers) failed() bool { return p.err.Load() != nil }

func (p *pushers) finish() error {
	close(p.end)
	p.workers.Wait()
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

// work brings the worker's people in, then changes them at random until the end.
// The first worker also makes the groups, which everybody's members come into.
func (p *pushers) work(ctx context.Context, hr, idp *source, c *company, mine []*person, groups bool, rng *rand.Rand) error {
	if groups {
		for _, g := range c.groups {
			id, err := idp.create(ctx, "/Groups", "displayName", map[string]any{
				"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name})
			if err != nil {
				return err
			}
			g.setID(id)
		}
	}
	for _, one := range mine {
		one.groups = map[string]bool{}
		if err := pushPerson(ctx, hr, idp, one); err != nil {
			return err
		}
	}
	for {
		select {
		case <-p.end:
			return nil
		default:
		}
		one := mine[rng.IntN(len(mine))]
		if err := checkAcknowledged(ctx, hr, idp, one); err != nil {
			return err
		}
		if err := changeAtRandom(ctx, hr, idp, c, one, rng); err != nil {
			return fmt.Errorf("%s: %w", one.userName, err)
		}
	}
}

// changeAtRandom does one thing to a person and returns when it is acknowledged.
func changeAtRandom(ctx context.Context, hr, idp *source, c *company, p *person, rng *rand.Rand) error {
	if !p.known() {
		return pushPerson(ctx, hr, idp, p) // deleted before: back again
	}
	main, id := hr, p.hrID
	if id == "" {
		main, id = idp, p.idpID
	}
	switch rng.IntN(8) {
	case 0:
		p.active = !p.active
		if err := main.patch(ctx, "/Users/"+id, op("replace", "active", p.active)); err != nil || p.hrID == "" || p.idpID == "" {
			return err
		}
		return idp.patch(ctx, "/Users/"+p.idpID, op("replace", "active", p.active))
	case 1, 2:
		p.department = departments[rng.IntN(len(departments))]
		if p.hrID == "" {
			return nil
		}
		return hr.patch(ctx, "/Users/"+p.hrID, op("replace", enterpriseURN+":department", p.department))
	case 3:
		p.title = []string{"Engineer", "Lead of all", "Lead", "Clerk"}[rng.IntN(4)]
		if p.hrID != "" {
			if err := hr.change(ctx, http.MethodPut, "/Users/"+p.hrID, p.hrDoc()); err != nil {
				return err
			}
		}
		if p.idpID != "" {
			return idp.change(ctx, http.MethodPut, "/Users/"+p.idpID, p.idpDoc())
		}
		return nil
	case 4:
		if rng.IntN(4) > 0 {
			return nil
		}
		p.groups = map[string]bool{} // memberships go with the resource
		return deletePerson(ctx, hr, idp, p)
	}
	g := c.groups[rng.IntN(len(c.groups))]
	gid := g.getID()
	if p.idpID == "" || gid == "" {
		return nil
	}
	if p.groups[g.name] {
		delete(p.groups, g.name)
		return idp.patch(ctx, "/Groups/"+gid, op("remove", `members[value eq "`+p.idpID+`"]`, nil))
	}
	p.groups[g.name] = true
	return idp.patch(ctx, "/Groups/"+gid, op("add", "members", []any{map[string]any{"value": p.idpID}}))
}

// checkAcknowledged reads a person back from both sources' views.
func checkAcknowledged(ctx context.Context, hr, idp *source, p *person) error {
	var errs []error
	if p.hrID != "" {
		errs = append(errs, readBack(ctx, hr, p.hrID, p.hrDoc()))
	}
	if p.idpID != "" {
		errs = append(errs, readBack(ctx, idp, p.idpID, p.idpDoc()))
	}
	return errors.Join(errs...)
}

// checkGroups compares the members of every group with what was acknowledged.
func checkGroups(ctx context.Context, t *testing.T, idp *source, c *company) {
	t.Helper()
	for _, g := range c.groups {
		a, _, err := idp.settled(ctx, http.MethodGet, "/Groups/"+g.getID(), nil)
		if err != nil || a.status != http.StatusOK {
			t.Fatalf("group %s: %d %s %v", g.name, a.status, a.body, err)
		}
		got := map[string]bool{}
		list, _ := a.doc["members"].([]any)
		for _, m := range list {
			m, _ := m.(map[string]any)
			got[text(m, "value")] = true
		}
		for _, p := range c.people {
			if p.idpID != "" && got[p.idpID] != p.groups[g.name] {
				t.Errorf("group %s: %s is a member: %t, acknowledged: %t", g.name, p.userName, got[p.idpID], p.groups[g.name])
			}
			delete(got, p.idpID)
		}
		if len(got) > 0 {
			t.Errorf("group %s has members whom nobody put there: %v", g.name, got)
		}
	}
}

// checkTotal wants as many resources as were acknowledged, no more.
func checkTotal(ctx context.Context, t *testing.T, hr, idp *source, c *company) {
	t.Helper()
	want := map[*source]int{}
	for _, p := range c.people {
		if p.hrID != "" {
			want[hr]++
		}
		if p.idpID != "" {
			want[idp]++
		}
	}
	for _, s := range []*source{hr, idp} {
		a, _, err := s.settled(ctx, http.MethodGet, "/Users?count=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		if total, _ := a.doc["totalResults"].(float64); int(total) != want[s] {
			t.Errorf("source %s has %v people, acknowledged were %d", s.name, a.doc["totalResults"], want[s])
		}
	}
}
