package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestReplicasForYears has three replicas share one PostgreSQL while clients bring people
// in, change them and have them leave, and repeat what is not answered, as identity
// providers do. Meanwhile replicas are killed, suspended and cut off from the database, in
// an order of chance, and the database is restarted, once in order and once by a crash.
// In the end all that was acknowledged is there, nobody has two accounts, no change came
// out of order, the audit chain is whole, and the applications are right.
//
//	SCIMHUB_CHAOS=50000 go test -timeout 20m -v -run TestReplicasForYears ./cmd/scimhub
//	SCIMHUB_CHAOS=50000 SCIMHUB_CHAOS_FOR=1h …    and trouble for so long at least
func TestReplicasForYears(t *testing.T) {
	people, trouble := sized(3000, 1500, 400), 20*time.Second
	if text := os.Getenv("SCIMHUB_CHAOS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("SCIMHUB_CHAOS: %v", err)
		}
		people, trouble = n, time.Minute
	} else {
		t.Parallel()
	}
	if text := os.Getenv("SCIMHUB_CHAOS_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("SCIMHUB_CHAOS_FOR: %v", err)
		}
		trouble = d
	}
	pg := startPostgres(t)
	y := newYears(t, pg.URL, 3, people)
	for _, r := range y.replicas {
		y.launchReplica(r)
	}
	for _, r := range y.replicas {
		y.serves(r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute+trouble)
	defer cancel()
	seed, begun := randomSeed(t), time.Now()
	end := make(chan struct{})
	// Who asks a suspended replica waits: more people need more clients, not more time.
	done, joined := y.live(ctx, seed, min(max(people/400, 8), yearClients), end)
	c := &chaos{years: y, pg: pg, rng: rand.New(rand.NewPCG(seed, 7)), count: map[string]int{}}
	c.run(ctx, trouble, func() float64 { return float64(joined.Load()) / float64(people) }, done)
	t.Logf("%s: %d of %d people are in", time.Since(begun).Round(time.Second), joined.Load(), people)
	for joined.Load() < int64(people) && ctx.Err() == nil {
		select {
		case err := <-done:
			t.Fatal("a client gave up: ", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	said, told, counted, left := time.Now(), time.Now(), time.Time{}, 0
	await(t, 5*time.Minute, "all is as acknowledged", func() error {
		if left < 1000 || time.Since(counted) > 2*time.Second { // to count many takes them time
			var err error
			if left, err = y.waiting(pg.URL); err != nil {
				return err
			}
			counted = time.Now()
		}
		if left > 0 {
			if time.Since(told) > 10*time.Second {
				told = time.Now()
				t.Logf("%s: %d marks and accounts wait", time.Since(begun).Round(time.Second), left)
			}
			return fmt.Errorf("%d marks and accounts wait", left)
		}
		return y.settled()
	})
	t.Logf("%v; %d changes acknowledged, %d requests repeated (%d with 503), the slowest answer %s; all said after %s, all right %s later",
		c.count, y.acknowledged.Load(), y.repeated.Load(), y.unavailable.Load(), time.Duration(y.slowest.Load())*time.Microsecond,
		said.Sub(begun).Round(time.Second), time.Since(said).Round(time.Second/10))
	y.sureOf(ctx)
	t.Logf("%s in all", time.Since(begun).Round(time.Second))
}

// sureOf checks what must hold in the end.
func (y *years) sureOf(ctx context.Context) {
	t := y.t
	t.Helper()
	if err := y.remembered(ctx); err != nil {
		t.Error(err)
	}
	for _, a := range []*watched{y.all, y.some} {
		a.mu.Lock()
		for _, s := range a.stale[:min(len(a.stale), 10)] {
			t.Errorf("out of order: %s", s)
		}
		t.Logf("%s: %d writes of people, %d out of order", a.name, a.writes, len(a.stale))
		a.mu.Unlock()
	}
	y.sound()
	if err := y.settled(); err != nil {
		t.Error(err)
	}
}

// waiting counts what the hub still has to do.
func (y *years) waiting(database string) (n int, err error) {
	db, err := sql.Open("pgx", database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(y.t.Context(), `SELECT (SELECT count(*) FROM marks) + (SELECT count(*) FROM accounts WHERE state IN ('pending', 'failed', 'held', 'drifted'))`).Scan(&n)
	return n, err
}

// chaos does to replicas and their database what years do.
type chaos struct {
	*years
	pg  *ownPostgres
	rng *rand.Rand

	mu    sync.Mutex
	count map[string]int
	sick  sync.WaitGroup
	busy  [8]bool
}

// run makes trouble for at least so long, and until the database was restarted twice and
// everybody is in.
func (c *chaos) run(ctx context.Context, atLeast time.Duration, progress func() float64, failed <-chan error) {
	c.t.Helper()
	begun, restarts := time.Now(), 0
	for ctx.Err() == nil {
		passed := max(float64(time.Since(begun))/float64(atLeast), 0)
		if restarts == 2 && passed >= 1 && progress() >= 1 {
			break
		}
		if at := min(passed, max(progress(), 0.1)); restarts < 2 && at > 0.3*float64(restarts+1) {
			c.restart(restarts == 1)
			restarts++
		}
		if i := c.rng.IntN(len(c.replicas)); c.take(i) {
			kind, long := c.rng.IntN(4), time.Duration(500+c.rng.IntN(7000))*time.Millisecond
			c.sick.Go(func() { c.trouble(ctx, c.replicas[i], kind, long); c.give(i) })
		}
		pause := time.NewTimer(time.Duration(500+c.rng.IntN(4500)) * time.Millisecond)
		select {
		case err := <-failed:
			c.t.Fatal("a client gave up: ", err)
		case <-pause.C:
		}
	}
	c.sick.Wait()
	for _, r := range c.replicas {
		c.serves(r)
	}
}

// take reserves a replica for trouble; at most two have any at a time.
func (c *chaos) take(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := 0
	for _, b := range c.busy {
		if b {
			others++
		}
	}
	if c.busy[i] || others > 1 {
		return false
	}
	c.busy[i] = true
	return true
}

func (c *chaos) give(i int) { c.mu.Lock(); c.busy[i] = false; c.mu.Unlock() }

func (c *chaos) counted(what string) { c.mu.Lock(); c.count[what]++; c.mu.Unlock() }

// trouble befalls one replica for a while.
func (c *chaos) trouble(ctx context.Context, r *yearReplica, kind int, long time.Duration) {
	pause := func() {
		timer := time.NewTimer(long)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	switch kind {
	case 0:
		c.counted("killed")
		r.hub.kill()
		long /= 4
		pause()
		c.launchReplica(r)
		c.up(ctx, r)
	case 1:
		c.counted("suspended")
		_ = r.hub.cmd.Process.Signal(syscall.SIGSTOP)
		pause()
		_ = r.hub.cmd.Process.Signal(syscall.SIGCONT)
	case 2:
		c.counted("cut off")
		r.cable.Cut(true)
		pause()
		r.cable.Cut(false)
	case 3:
		c.counted("not answered")
		r.cable.Swallow(true)
		pause()
		r.cable.Swallow(false)
	}
}

// up waits for a replica that was started; where the database was away at the moment it
// is started again, as a supervisor would.
func (c *chaos) up(ctx context.Context, r *yearReplica) {
	_ = awaitErr(ctx, time.Minute, func() error {
		if r.hub.ended() {
			c.launchReplica(r)
		}
		return readyAt(ctx, r.base)
	})
}

// restart stops the database and starts it again: in order, or as after a crash.
func (c *chaos) restart(crash bool) {
	c.t.Helper()
	sig := syscall.SIGINT
	if crash {
		sig = syscall.SIGQUIT
		c.counted("database crashed")
	} else {
		c.counted("database restarted")
	}
	c.pg.stop(sig)
	c.pg.start()
}
