package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// balancer sends requests to replicas in turn, to those that were ready when last asked.
// Where a connection is refused nothing was sent, and it tries the next replica, as nginx,
// HAProxy and a Kubernetes service do. Otherwise it repeats nothing: what fails, fails for
// the client.
type balancer struct {
	server    *httptest.Server
	transport *http.Transport
	next      atomic.Uint64
	refused   atomic.Int64 // connections
	under     sync.RWMutex // held for reading by each request under way

	mu    sync.Mutex
	out   *yearReplica // taken out by hand
	ready []string     // host and port
}

// newBalancer makes one that asks every 100 ms who is ready.
func newBalancer(ctx context.Context, t *testing.T, replicas []*yearReplica) *balancer {
	t.Helper()
	b := &balancer{transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	t.Cleanup(b.transport.CloseIdleConnections)
	look := func() {
		var ready []string
		for _, r := range replicas {
			if readyAt(ctx, r.base) == nil {
				ready = append(ready, r.address)
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.ready = ready; b.out != nil {
			b.ready = slices.DeleteFunc(b.ready, func(a string) bool { return a == b.out.address })
		}
	}
	look()
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				look()
			}
		}
	})
	t.Cleanup(watching.Wait)
	b.server = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: b})
	t.Cleanup(b.server.Close)
	return b
}

// takeOut sends nothing to a replica any more, and waits for what is under way. nil puts
// the last one back.
func (b *balancer) takeOut(r *yearReplica) {
	b.mu.Lock()
	if b.out = r; r != nil {
		b.ready = slices.DeleteFunc(slices.Clone(b.ready), func(a string) bool { return a == r.address })
	}
	b.mu.Unlock()
	b.under.Lock()
	defer b.under.Unlock()
}

// RoundTrip sends a request to the next replica that takes a connection.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.under.RLock()
	defer b.under.RUnlock()
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	ready := b.ready
	b.mu.Unlock()
	last, first := errors.New("no replica is ready"), b.next.Add(1)
	for i := range uint64(len(ready)) {
		one := r.Clone(r.Context())
		one.URL.Scheme, one.URL.Host, one.GetBody = "http", ready[(first+i)%uint64(len(ready))], nil
		if one.Body = http.NoBody; len(body) > 0 {
			one.Body = io.NopCloser(bytes.NewReader(body))
		}
		res, err := b.transport.RoundTrip(one)
		if op := (*net.OpError)(nil); err == nil || !errors.As(err, &op) || op.Op != "dial" {
			return res, err
		}
		b.refused.Add(1)
		last = err
	}
	return nil, last
}

// ledger is what clients of the balancer have seen.
type ledger struct {
	years  *years
	client *http.Client
	base   string

	asked  atomic.Int64
	mu     sync.Mutex
	failed []string
}

// ask sends one request, once.
func (l *ledger) ask(ctx context.Context, method, path string, body any) answer {
	s := &source{base: l.base + "/scim/v2", token: hrToken, http: l.client}
	l.asked.Add(1)
	a, err := s.once(ctx, method, path, body)
	if err != nil || a.status >= 300 {
		l.mu.Lock()
		l.failed = append(l.failed, fmt.Sprintf("%s %s: %d %s %v", method, path, a.status, a.body, err))
		l.mu.Unlock()
	}
	return a
}

// live brings people in and changes them until end; nothing is repeated.
func (l *ledger) live(ctx context.Context, w, width int, rng *rand.Rand, end <-chan struct{}) {
	var mine []*moved
	for n := w; ; n += width {
		select {
		case <-end:
			return
		default:
		}
		if n < len(l.years.people) {
			p := l.years.people[n]
			p.id = text(l.ask(ctx, http.MethodPost, "/Users", p.doc()).doc, "id")
			mine = append(mine, p)
		}
		p := mine[rng.IntN(len(mine))]
		if rng.IntN(8) == 0 {
			p.active = !p.active
		}
		p.number++
		l.ask(ctx, http.MethodPut, "/Users/"+p.id, p.doc())
		if rng.IntN(2) == 0 {
			l.ask(ctx, http.MethodGet, "/Users/"+p.id, nil)
		}
	}
}

// rolled replaces replicas one by one while clients go on. Where they do not say that they
// stop, each is taken out of the balancer first.
func rolled(t *testing.T, y *years, say bool, replace func(r *yearReplica)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := newBalancer(ctx, t, y.replicas)
	l := &ledger{years: y, base: b.server.URL, client: &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	end, seed := make(chan struct{}), randomSeed(t)
	var clients sync.WaitGroup
	for w := range 4 {
		clients.Go(func() { l.live(ctx, w, 4, rand.New(rand.NewPCG(seed, uint64(w))), end) })
	}
	runFor(ctx, time.Second)
	for _, r := range y.replicas {
		if !say {
			b.takeOut(r)
		}
		begun := time.Now()
		r.hub.stop(t)
		t.Logf("replica %d stopped within %s", r.n, time.Since(begun).Round(time.Millisecond))
		replace(r)
		y.launchReplica(r)
		y.serves(r)
		b.takeOut(nil)
		runFor(ctx, time.Second)
	}
	close(end)
	clients.Wait()
	cancel()
	var in []*moved
	for _, p := range y.people {
		if p.id != "" {
			in = append(in, p)
		}
	}
	y.people = in
	for _, f := range l.failed[:min(len(l.failed), 10)] {
		t.Errorf("failed: %s", f)
	}
	t.Logf("%d requests, %d failed, %d connections refused and tried elsewhere; %d people", l.asked.Load(), len(l.failed), b.refused.Load(), len(y.people))
	await(t, 2*time.Minute, "all is as acknowledged", func() error {
		if n, err := y.waiting(y.database); err != nil || n > 0 {
			return fmt.Errorf("%d marks and accounts wait: %w", n, err)
		}
		return y.settled()
	})
	y.sureOf(t.Context())
}

func runFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// TestRollingRestart: three replicas are restarted one by one under load, and no request
// fails, although every table has another column meanwhile, as after a newer release.
func TestRollingRestart(t *testing.T) {
	if storetest.UnderRace {
		t.Skip("a stop in order is in many tests; three at once with the detector take a minute")
	}
	t.Parallel()
	pg := startPostgres(t)
	y := newYears(t, pg.URL, 3, sized(5000, 2000, 500))
	y.groups = nil
	for _, r := range y.replicas {
		y.launchReplica(r)
	}
	for _, r := range y.replicas {
		y.serves(r)
	}
	rolled(t, y, true, func(r *yearReplica) {
		if r.n == 0 {
			widen(t, pg.URL)
			return
		}
		if text := r.hub.err.String(); strings.Contains(text, "cached plan") {
			t.Errorf("replica %d minds another column: %s", r.n, text)
		}
	})
}

// widen adds a column to every table.
func widen(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tables []string
	if err := db.QueryRowContext(t.Context(), `SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = current_schema()`).Scan(pgtype.NewMap().SQLScanner(&tables)); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables { // one by one: all at once would wait for those that wait for it
		if _, err := db.ExecContext(t.Context(), `ALTER TABLE "`+name+`" ADD COLUMN added_later text`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRollingUpgrade: three replicas of the release before are replaced one by one by this
// program under load, and no request fails. The release is built from the repository's
// history; .ci/former names it. Building takes a minute: it is done in CI, once, or where
// SCIMHUB_TEST_FULL asks for it; SCIMHUB_BEFORE names a program that is there.
func TestRollingUpgrade(t *testing.T) {
	if os.Getenv("SCIMHUB_TEST_FULL") == "" && os.Getenv("SCIMHUB_BEFORE") == "" && (os.Getenv("CI") != "true" || storetest.UnderRace) {
		t.Skip("builds an earlier release: set SCIMHUB_TEST_FULL=1, or SCIMHUB_BEFORE to a program of it")
	}
	t.Parallel()
	before := formerProgram(t)
	pg := startPostgres(t)
	y := newYears(t, pg.URL, 3, sized(5000, 2000, 500))
	y.groups = nil
	for _, r := range y.replicas {
		text, err := os.ReadFile(r.config)
		if err != nil {
			t.Fatal(err)
		}
		// The release before knows neither the key nor the flag.
		former := filepath.Join(y.dir, fmt.Sprintf("former%d.yaml", r.n))
		own := "listen: " + r.address + "\n" + strings.Replace(string(text), "shutdown_delay: 1s\n", "", 1)
		if err := os.WriteFile(former, []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
		now, args := r.config, r.args
		r.config, r.args, r.program = former, nil, before
		y.launchReplica(r)
		y.serves(r)
		r.config, r.args = now, args
	}
	rolled(t, y, false, func(r *yearReplica) { r.program = programPath(t) })
}

// formerProgram builds the release that upgrades start from.
func formerProgram(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SCIMHUB_BEFORE"); path != "" {
		return path
	}
	root := "../.."
	commit, err := os.ReadFile(filepath.Join(root, ".ci", "former"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `git -C "$1" archive "$2" | tar -x -C "$3"`, "sh", root, strings.TrimSpace(string(commit)), dir).CombinedOutput()
	if _, missing := os.Stat(filepath.Join(dir, "go.mod")); err != nil || missing != nil {
		why := fmt.Sprintf("the history of this repository has no release %s (a shallow clone? git fetch --unshallow): %v %s", strings.TrimSpace(string(commit)), err, out)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	path := filepath.Join(dir, "scimhub-before")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "./cmd/scimhub")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the release before cannot be built: %v\n%s", err, out)
	}
	return path
}
