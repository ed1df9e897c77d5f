package main_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// leaseLasts is longer than a replica keeps a target that it has stopped working on.
const leaseLasts = 16500 * time.Millisecond

// replicas are hubs that share one PostgreSQL.
type replicas struct {
	*moments
	admin *sql.DB
	name  string // of their connections

	mu   sync.Mutex
	hubs []*replica
}

type replica struct {
	base, config string
	hub          *process
	up           bool         // answers
	asked        atomic.Int64 // connections of the source
}

// asking is a connection of the source to a replica.
type asking struct {
	net.Conn
	over func()
}

// Close ends the connection, which is counted no longer.
func (a *asking) Close() error {
	defer a.over()
	return a.Conn.Close()
}

func newReplicas(t *testing.T, count, people int, profiles ...string) *replicas {
	t.Helper()
	database := storetest.URL(t, storetest.Postgres)
	name := fmt.Sprintf("replicas-%d", rand.Uint32())
	admin, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	rs := &replicas{moments: newMoments(t, withName(t, database, name), people, profiles...), admin: admin, name: name}
	text, err := os.ReadFile(rs.config)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimPrefix(rs.base, "http://")
	for i := range count {
		r := &replica{config: filepath.Join(rs.dir, fmt.Sprintf("hub%d.yaml", i))}
		address := fmt.Sprintf("127.0.0.1:%d", storetest.Port(t))
		r.base = "http://" + address
		if err := os.WriteFile(r.config, []byte(strings.Replace(string(text), own, address, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		rs.hubs = append(rs.hubs, r)
		rs.startReplica(i)
	}
	rs.base = rs.hubs[0].base
	rs.hr.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: rs.dial}}
	return rs
}

// dial connects to a replica that answers, as a load balancer would.
func (rs *replicas) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	rs.mu.Lock()
	var up []*replica
	for _, r := range rs.hubs {
		if r.up {
			up = append(up, r)
		}
	}
	if len(up) == 0 {
		rs.mu.Unlock()
		return nil, errors.New("no replica answers")
	}
	r := up[rand.IntN(len(up))]
	r.asked.Add(1)
	rs.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, strings.TrimPrefix(r.base, "http://"))
	if err != nil {
		r.asked.Add(-1)
		return nil, err
	}
	return &asking{conn, sync.OnceFunc(func() { r.asked.Add(-1) })}, nil
}

// answered waits until the source has its answers from a replica that it asks no more: a
// request that goes on when the replica wakes up would undo what the source said since.
func (rs *replicas) answered(i int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for over := time.Now().Add(6 * time.Second); rs.hubs[i].asked.Load() > 0 && time.Now().Before(over); {
		<-tick.C
	}
}

func (rs *replicas) setUp(i int, up bool) { rs.mu.Lock(); rs.hubs[i].up = up; rs.mu.Unlock() }

func (rs *replicas) startReplica(i int) {
	rs.t.Helper()
	r := rs.hubs[i]
	env := append(rs.env(), "SCIMHUB_RUNTIME_DIR="+filepath.Join(rs.dir, fmt.Sprint("run", i)))
	r.hub = launch(rs.t, fmt.Sprint("replica ", i), env, "serve", "--config", r.config)
	r.hub.awaitReady(rs.t, r.base)
	rs.setUp(i, true)
}

// kill ends a replica; what it held runs out at once, as time would have it.
func (rs *replicas) kill(i int) {
	rs.t.Helper()
	rs.setUp(i, false)
	rs.hubs[i].hub.kill()
	_, err := rs.admin.ExecContext(rs.t.Context(), `UPDATE targets SET leased_until = 0 WHERE holder LIKE '%/' || $1 || '/%'`, fmt.Sprint(rs.hubs[i].hub.cmd.Process.Pid))
	if err == nil {
		_, err = rs.admin.ExecContext(rs.t.Context(), `UPDATE marks SET leased_until = 0`) // they name no holder; two may decide about one person
		for tries := 0; err != nil && tries < 20; tries++ {                                // others lock marks in another order
			_, err = rs.admin.ExecContext(rs.t.Context(), `UPDATE marks SET leased_until = 0`)
		}
	}
	if err != nil {
		rs.t.Fatal(err)
	}
}

// stopAtWrite suspends the replica that works on an application, while the application
// holds the answer to a change; -1: there was none for a while.
func (rs *replicas) stopAtWrite(rng *rand.Rand) int {
	rs.t.Helper()
	stopped := make(chan int, 1)
	a := rs.watched[rng.IntN(len(rs.watched))]
	tr := &trigger{kill: func() {
		var holder string
		_ = rs.admin.QueryRowContext(rs.t.Context(), `SELECT holder FROM targets WHERE name = $1`, a.name).Scan(&holder) // empty: nobody's
		for i, r := range rs.hubs {
			if strings.Contains(holder, fmt.Sprintf("/%d/", r.hub.cmd.Process.Pid)) {
				rs.setUp(i, false)
				rs.answered(i)
				_ = r.hub.cmd.Process.Signal(syscall.SIGSTOP)
				stopped <- i
				return
			}
		}
		stopped <- -1
	}}
	tr.left.Store(1 + rng.Int64N(10))
	a.trigger.Store(tr)
	defer a.trigger.Store(nil)
	select {
	case i := <-stopped:
		return i
	case <-time.After(5 * time.Second):
		if tr.left.Swap(-1) <= 0 { // it is being done just now
			return <-stopped
		}
		return -1
	}
}

// TestReplicasKilledAndStopped lets three replicas on one PostgreSQL work, kills them in
// turn, cuts their connections to it, and suspends one for longer than its leases last:
// when it wakes up it must not go on where it was.
//
//	SCIMHUB_KILLS=150 go test -timeout 30m -run TestReplicasKilledAndStopped ./cmd/scimhub
func TestReplicasKilledAndStopped(t *testing.T) {
	if os.Getenv("SCIMHUB_KILLS") == "" {
		t.Skip("takes minutes and a quiet machine: set SCIMHUB_KILLS")
	}
	t.Parallel()
	rs := newReplicas(t, 3, sized(60, 24, 12), "generic", "aws", "github", "slack")
	defer rs.found()
	seed := randomSeed(t)
	rng := rand.New(rand.NewPCG(seed, 23))
	rs.spoil(momentFaults, momentTwice)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	end := make(chan struct{})
	finished := rs.live(ctx, seed, end)
	pauses, killed, cut := max(kills(t, 10, 3)/50, 1), 0, 0
	for range pauses {
		rs.runAll(time.Second)
		asleep := rs.stopAtWrite(rng)
		if asleep < 0 {
			t.Log("no replica was stopped: there was nothing to write")
		}
		for over := time.Now().Add(leaseLasts); time.Now().Before(over); {
			if i := rng.IntN(len(rs.hubs)); i != asleep {
				rs.kill(i)
				rs.startReplica(i)
				killed++
			}
			rs.runAll(time.Duration(500+rng.IntN(1500)) * time.Millisecond)
			if rng.IntN(4) == 0 {
				cut += terminate(ctx, t, rs.admin, rs.name)
			}
		}
		if asleep >= 0 {
			if err := rs.hubs[asleep].hub.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			rs.setUp(asleep, true)
		}
	}
	rs.runAll(time.Second)
	close(end)
	if err := finished(); err != nil {
		t.Fatal(err)
	}
	rs.spoil("", "")
	last := time.Now()
	await(t, 2*time.Minute, "everything is as acknowledged", rs.asAcknowledged)
	rs.sound()
	if err := rs.asAcknowledged(); err != nil {
		t.Error(err)
	}
	t.Logf("%d replicas stopped, %d killed, %d connections to the database cut; %d changes acknowledged, %d requests repeated; converged after %s",
		pauses, killed, cut, rs.hr.acknowledged.Load(), rs.hr.repeated.Load(), time.Since(last).Round(time.Millisecond))
	rs.report()
}

// runAll lets the replicas work for a while; none must end by itself.
func (rs *replicas) runAll(d time.Duration) {
	rs.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	for i, r := range rs.hubs {
		if r.hub.ended() {
			rs.t.Fatalf("replica %d ended by itself: %s", i, r.hub.err.tail(20))
		}
	}
}
