package console_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/console"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

// scaleRounds is how often each page is asked for.
const scaleRounds = 11

// BenchmarkPages asks the console for each of its pages, over a database of many people,
// three roles and three accounts for each, and what comes with them, and reports the
// median and the worst time of each in milliseconds:
//
//	SCALE_PEOPLE=1000000 SCIMHUB_BENCH_POSTGRES=postgres://… \
//	  go test ./admin/console -run '^$' -bench BenchmarkPages -benchtime 1x -timeout 1h
//
// SCIMHUB_BENCH_POSTGRES names a server on which databases may be made: the benchmark
// makes its own and drops it. SCALE_KEEP=1 leaves it there and says how it is called;
// SCALE_DATABASE=postgres://… asks over one that was left.
func BenchmarkPages(b *testing.B) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("SCALE_PEOPLE"), "2000"))
	if err != nil || people < 1000 {
		b.Fatalf("SCALE_PEOPLE must be a number of at least 1000: %v", err)
	}
	w := openScale(b, people)
	var lines []string
	only := regexp.MustCompile(os.Getenv("SCALE_ONLY"))
	for _, a := range w.allPages() {
		if !only.MatchString(a.name + " " + a.path) {
			continue
		}
		next := ""
		b.Run(a.name, func(b *testing.B) {
			for range b.N {
				next = w.measure(b, a, &lines)
			}
		})
		if next != "" {
			a.name, a.path = a.name+", next page", next
			b.Run(a.name, func(b *testing.B) {
				for range b.N {
					w.measure(b, a, &lines)
				}
			})
		}
	}
	_, _ = fmt.Fprintf(os.Stdout, "\n%d people\n\n| page | median ms | worst ms | KB |\n|---|---|---|---|\n%s\n", people, strings.Join(lines, "\n"))
}

// scalePage is a page that is measured.
type scalePage struct {
	name, as, path string
	first          bool // time to the first byte: the rest is as long as what is exported
}

var nextPage = regexp.MustCompile(`rel="next" href="([^"]+)"`)

// measure asks for a page several times and adds its line to the table. It returns the
// address of the next page, where there is one.
func (w *scale) measure(b *testing.B, a scalePage, lines *[]string) (next string) {
	b.Helper()
	var took []time.Duration
	size := 0
	for range scaleRounds {
		began := time.Now()
		body, status := w.ask(b, a)
		took = append(took, time.Since(began))
		if status != http.StatusOK {
			b.Fatalf("%s: %d %.600s", a.path, status, alertOf(body))
		}
		size = len(body)
		if m := nextPage.FindStringSubmatch(body); m != nil {
			next = html.UnescapeString(m[1])
		}
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	median, worst := ms(took[len(took)/2]), ms(took[len(took)-1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median, "ms_median")
	b.ReportMetric(worst, "ms_worst")
	b.ReportMetric(float64(size)/1024, "KB")
	*lines = append(*lines, fmt.Sprintf("| %s | %.0f | %.0f | %d |", a.name, median, worst, size/1024))
	return next
}

func alertOf(body string) string {
	_, main, _ := strings.Cut(body, `<main`)
	return main
}

func (w *scale) ask(b *testing.B, a scalePage) (body string, status int) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+a.path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("As", cmp.Or(a.as, "admin"))
	req.Header.Set("X-Live", "1") // nothing is noted as seen
	res, err := w.server.Client().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var from io.Reader = res.Body
	if a.first {
		from = io.LimitReader(res.Body, 1)
	}
	text, err := io.ReadAll(from)
	if err != nil {
		b.Fatal(err)
	}
	return string(text), res.StatusCode
}

// scale is a console over a database of many people.
type scale struct {
	server *httptest.Server
	hub    *hub.Hub
	db     *sql.DB
	people int

	person, boss, request, task, review, item string
}

// openScale makes a database, or takes the one that was left, and serves the console.
func openScale(b *testing.B, people int) *scale {
	b.Helper()
	dsn, made := os.Getenv("SCALE_DATABASE"), false
	if dsn == "" {
		dsn, made = scaleDatabase(b), true
	}
	s, err := store.Open(b.Context(), dsn, store.Options{MaxConns: 8})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	raw, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { raw.Close() })
	raw.SetMaxOpenConns(1) // what is set for it holds
	log := slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	h := hub.New(s, log)
	var snap *hub.Snapshot
	if text := []byte(scaleConfiguration()); made {
		snap, err = h.Apply(b.Context(), hub.Actor{Name: "bench"}, "hub.yaml", text, 0)
	} else {
		snap, err = hub.Compile(1, "hub.yaml", text, h.Check)
	}
	if err != nil {
		b.Fatal(err)
	}
	h.Activate(snap)
	w := &scale{hub: h, db: raw, people: people}
	if made {
		began := time.Now()
		w.fill(b)
		_, _ = fmt.Fprintf(os.Stdout, "%d people written in %s\n", people, time.Since(began).Round(time.Second))
	}
	w.find(b)
	api := &admin.API{Hub: h, Tokens: &admin.Tokens{Now: time.Now}, Log: log, Nudge: func(string) {},
		Activate: func(context.Context, *hub.Snapshot) error { return nil }}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	api.Mount(root.PathPrefix("/api/v1").Subrouter())
	c := &console.Console{API: root, Caller: asked, Protect: http.NewCrossOriginProtection().Handler, Log: log, Now: s.Now, Secure: func() bool { return false }}
	if err := c.Mount(b.Context(), root); err != nil {
		b.Fatal(err)
	}
	w.server = httptest.NewServer(root)
	b.Cleanup(w.server.Close)
	return w
}

// scaleDatabase makes a database that is gone when the benchmark ends.
func scaleDatabase(b *testing.B) string {
	b.Helper()
	dsn := os.Getenv("SCIMHUB_BENCH_POSTGRES")
	if dsn == "" {
		b.Skip("SCIMHUB_BENCH_POSTGRES is not set")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		b.Fatal("SCIMHUB_BENCH_POSTGRES is no URL") // its text may hold a password
	}
	server, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	name := "scale_" + uuid.NewString()[:8]
	if _, err := server.ExecContext(b.Context(), "CREATE DATABASE "+name); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		defer server.Close()
		if os.Getenv("SCALE_KEEP") != "" {
			_, _ = fmt.Fprintf(os.Stdout, "the database %s is left\n", name)
			return
		}
		if _, err := server.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			b.Errorf("drop %s: %v", name, err)
		}
	})
	u.Path = "/" + name
	return u.String()
}
