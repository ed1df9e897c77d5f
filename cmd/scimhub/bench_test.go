package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/glebarez/go-sqlite"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"
)

// BenchmarkInbound measures the hub from the wire to the disk beside its floor, in
// one run on the same machine and database:
//
//	H   an HTTP server that answers canned bytes of the same size
//	D   a raw driver doing the same row's work: resource, event, audit entry and mark
//	    written durably in one step (no chain, no counts, no other indexes); read by
//	    id; found by userName
//	C   1/(1/H + 1/D): what is left when both share the cores
//
// and reports the hub's rate and its fraction of C. Eight connections, 10,000
// people in the database before anything is measured (SCIMHUB_BENCH_PEOPLE).
//
//	SCIMHUB_BENCH_POSTGRES=postgres://… go test ./cmd/scimhub -run '^$' -bench Inbound -benchtime 1x
//
// PostgreSQL is measured where SCIMHUB_BENCH_POSTGRES names a database with
// durable settings (fsync and synchronous_commit on) that may be written to.
func BenchmarkInbound(b *testing.B) { eachBenchDatabase(b, benchInbound) }

// eachBenchDatabase runs a benchmark on a new database of each kind; open gives the
// raw driver on the same one.
func eachBenchDatabase(b *testing.B, run func(b *testing.B, dsn string, open func() (*sql.DB, error), pg bool)) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		raw := filepath.Join(dir, "raw.db")
		run(b, "sqlite:"+filepath.Join(dir, "hub.db"), func() (*sql.DB, error) {
			return sql.Open("sqlite", "file:"+raw+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
		}, false)
	})
	b.Run("postgres", func(b *testing.B) {
		dsn := os.Getenv("SCIMHUB_BENCH_POSTGRES")
		if dsn == "" {
			b.Skip("SCIMHUB_BENCH_POSTGRES is not set")
		}
		schema := "bench_" + uuid.NewString()[:8]
		admin, err := sql.Open("pgx", dsn)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_, _ = admin.Exec("DROP SCHEMA " + schema + " CASCADE")
			_ = admin.Close()
		})
		own := dsn + "&search_path=" + schema
		run(b, own, func() (*sql.DB, error) { return sql.Open("pgx", own) }, true)
	})
}

const (
	benchConns  = 8
	benchRounds = 6
)

// benchPeople is how many people there are before anything is measured.
func benchPeople(b *testing.B) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SCIMHUB_BENCH_PEOPLE"), "10000"))
	if err != nil || n < 1000 {
		b.Fatalf("SCIMHUB_BENCH_PEOPLE must be a number of at least 1000: %v", err)
	}
	return n
}

func benchInbound(b *testing.B, dsn string, open func() (*sql.DB, error), pg bool) {
	h := newBenchHub(b, dsn)
	raw := newBenchRaw(b, open, pg)
	canned := newCanned(b, h.body(0))
	h.seed(b)
	raw.seed(b)
	page := newCanned(b, h.page(b))
	for _, s := range h.steps(raw) {
		b.Run(s.name, func(b *testing.B) {
			var h2, d, got float64
			canned := canned
			if s.page {
				canned = page
			}
			for range benchRounds { // in turns, so that whatever else the machine does hits all three
				h2 += rate(b, canned.get) / benchRounds
				d += rate(b, s.raw) / benchRounds
				got += rate(b, s.hub) / benchRounds
			}
			c := 1 / (1/h2 + 1/d)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(h2, "H/s")
			b.ReportMetric(d, "D/s")
			b.ReportMetric(c, "C/s")
			b.ReportMetric(got, "hub/s")
			b.ReportMetric(got/c, "of_C")
		})
	}
}

// serial numbers every call of a benchmark, so that creates never collide.
var serial atomic.Int64

// rate runs fn on eight connections for a second and gives calls per second.
func rate(b *testing.B, fn func(int64) error) float64 {
	b.Helper()
	d := time.Second
	if testing.Short() {
		d = 100 * time.Millisecond
	}
	var done atomic.Int64
	errs := make(chan error, benchConns)
	start := time.Now()
	for range benchConns {
		go func() {
			for time.Since(start) < d {
				if err := fn(serial.Add(1)); err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
			errs <- nil
		}()
	}
	for range benchConns {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return float64(done.Load()) / time.Since(start).Seconds()
}

type benchHub struct {
	url    string
	client *http.Client
	ids    []string
	names  []int64 // serial numbers in the user names
	cursor string  // of a deep page
	off    []atomic.Bool
}

func newBenchHub(b *testing.B, dsn string) *benchHub {
	b.Setenv("BENCH_TOKEN", "bench")
	b.Setenv("BENCH_DSN", dsn)
	config := "listen: 127.0.0.1:0\ndatabase: ${env:BENCH_DSN}\nsources: {hr: {tokens: [{name: main, secret: \"${env:BENCH_TOKEN}\"}]}}\n"
	collectSeldom() // as serve does
	ctx, cancel := context.WithCancel(b.Context())
	i, err := start(ctx, instanceOptions{Name: "bench", Config: []byte(config), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	// The evaluation is not part of an inbound request and would share the cores
	// with it: it runs after the burst, as the marks are kept.
	stopped := make(chan error, 1)
	go func() { stopped <- i.server.Serve(i.listener) }()
	b.Cleanup(func() {
		cancel()
		_ = i.server.Close()
		if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
		_ = i.close()
	})
	return &benchHub{url: i.URL + scimPath, client: benchClient()}
}

func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchConns, MaxConnsPerHost: benchConns}}
}

func (h *benchHub) body(n int64) []byte {
	return fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"user%08d@example.com","externalId":"ext-%d","name":{"givenName":"Given","familyName":"Family%d"},"displayName":"Given Family%d","active":true,"emails":[{"value":"user%08d@example.com","type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engineering","employeeNumber":"%d"}}`, n, n, n, n, n, n)
}

// seed creates the people, on all connections at once.
func (h *benchHub) seed(b *testing.B) {
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(benchConns)
	for range benchPeople(b) {
		work.Go(func() error {
			n := serial.Add(1)
			var user struct{ ID string }
			body, err := h.do(http.MethodPost, "/Users", h.body(n), http.StatusCreated)
			if err == nil {
				err = json.Unmarshal(body, &user)
			}
			mu.Lock()
			defer mu.Unlock()
			h.ids, h.names = append(h.ids, user.ID), append(h.names, n)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		b.Fatal(err)
	}
	h.off = make([]atomic.Bool, len(h.ids))
}

func (h *benchHub) do(method, path string, body []byte, want int) ([]byte, error) {
	req, err := http.NewRequest(method, h.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer bench")
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, out)
	}
	return out, err
}

func (h *benchHub) create(n int64) error {
	_, err := h.do(http.MethodPost, "/Users", h.body(n), http.StatusCreated)
	return err
}

func (h *benchHub) read(n int64) error { return h.drain("/Users/" + h.ids[int(n)%len(h.ids)]) }

// canned is the floor of HTTP: the same request size in, the same answer size out.
type canned struct {
	url    string
	client *http.Client
}

func newCanned(b *testing.B, body []byte) *canned {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(ln) }()
	b.Cleanup(func() { _ = s.Close() })
	return &canned{"http://" + ln.Addr().String(), benchClient()}
}

func (c *canned) get(int64) error {
	res, err := c.client.Get(c.url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// benchRaw is the floor of the database: one table, the bare statements.
type benchRaw struct {
	db                             *sql.DB
	pg                             bool
	insert, together, byID, byName *sql.Stmt
	update, listed                 *sql.Stmt
	ids                            []string
	hub                            benchHub
}

func newBenchRaw(b *testing.B, open func() (*sql.DB, error), pg bool) *benchRaw {
	db, err := open()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(benchConns)
	db.SetMaxIdleConns(benchConns)
	r := &benchRaw{db: db}
	for _, text := range []string{
		"CREATE TABLE raw (id text PRIMARY KEY, user_name text NOT NULL, doc text NOT NULL)",
		"CREATE UNIQUE INDEX raw_name ON raw (user_name)",
		"CREATE TABLE raw_events (id text PRIMARY KEY, data text NOT NULL)",
		"CREATE TABLE raw_audit (id text PRIMARY KEY, data text NOT NULL)",
		"CREATE TABLE raw_marks (id text PRIMARY KEY, at bigint NOT NULL)",
	} {
		if _, err := db.Exec(text); err != nil {
			b.Fatal(err)
		}
	}
	p := []string{"?", "?", "?"}
	if pg {
		p = []string{"$1", "$2", "$3"}
	}
	prepare := func(text string) *sql.Stmt {
		s, err := db.Prepare(text)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	r.pg = pg
	r.insert = prepare("INSERT INTO raw (id, user_name, doc) VALUES (" + p[0] + "," + p[1] + "," + p[2] + ")")
	if pg {
		r.together = prepare(`WITH a AS (INSERT INTO raw (id, user_name, doc) VALUES ($1, $2, $3)), b AS (INSERT INTO raw_events VALUES ($1, $4)),
c AS (INSERT INTO raw_audit VALUES ($1, $4)) INSERT INTO raw_marks VALUES ($1, $5)`)
	}
	r.byID = prepare("SELECT doc FROM raw WHERE id = " + p[0])
	r.update = prepareUpdate(prepare, pg, p)
	r.listed = prepare("SELECT id, doc FROM raw WHERE id > " + p[0] + " ORDER BY id LIMIT 100")
	r.byName = prepare("SELECT doc FROM raw WHERE user_name = " + p[0])
	return r
}

func (r *benchRaw) seed(b *testing.B) {
	for n := range int64(benchPeople(b)) {
		id := uuid.NewString()
		if _, err := r.insert.Exec(id, fmt.Sprintf("user%08d@example.com", n+1), string(r.hub.body(n))); err != nil {
			b.Fatal(err)
		}
		r.ids = append(r.ids, id)
	}
}

func (r *benchRaw) create(n int64) error {
	id, name, doc := uuid.NewString(), fmt.Sprintf("raw%08d@example.com", n), string(r.hub.body(n))
	if r.pg {
		_, err := r.together.Exec(id, name, doc, doc, n)
		return err
	}
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert := tx.Stmt(r.insert)
	defer func() { _ = insert.Close() }()
	if _, err := insert.Exec(id, name, doc); err != nil {
		return err
	}
	for _, text := range []string{"INSERT INTO raw_events VALUES (?,?)", "INSERT INTO raw_audit VALUES (?,?)"} {
		if _, err := tx.Exec(text, id, doc); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("INSERT INTO raw_marks VALUES (?,?)", id, n); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *benchRaw) read(n int64) error {
	var doc string
	return r.byID.QueryRow(r.ids[int(n)%len(r.ids)]).Scan(&doc)
}

func (r *benchRaw) find(n int64) error {
	var doc string
	return r.byName.QueryRow(fmt.Sprintf("user%08d@example.com", n%int64(len(r.ids))+1)).Scan(&doc)
}
