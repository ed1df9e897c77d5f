//go:build unix

package hub_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// benchRoles is how many rules people are put to.
const benchRoles = 200

// BenchmarkEvaluation measures evaluation from the database to the database, of
// SCIMHUB_BENCH_PEOPLE people (default 5,000) under 200 rules:
//
//	everybody   all are new: roles and accounts of each are written
//	same        a version that decides nothing otherwise: all are looked at
//	onepercent  a rule that gives one person in a hundred another role
//
// with people/s, the processor time per person, the rows of people, grants and accounts
// that were written, and the largest heap seen. Database URLs as in tests:
//
//	SCIMHUB_BENCH_PEOPLE=100000 go test ./hub -run '^$' -bench Evaluation -benchtime 1x
func BenchmarkEvaluation(b *testing.B) {
	for _, dialect := range storetest.Dialects() {
		b.Run(dialect, func(b *testing.B) { benchEvaluation(b, dialect) })
	}
}

func benchConfig(extra string) string {
	var s strings.Builder
	s.WriteString("database: sqlite:x.db\nsources: {hr: {dialect: rfc}}\nroles:\n")
	for n := range benchRoles {
		grant := fmt.Sprintf("{target: t%d, group: g%d}", n%3, n)
		switch n % 4 {
		case 0:
			fmt.Fprintf(&s, "  r%d: {when: 'user.active && user.title == \"Title %d\"', grants: [%s]}\n", n, n, grant)
		case 1:
			fmt.Fprintf(&s, "  r%d: {when: 'user.enterprise.department == \"Department %d\" && user.enterprise.costCenter != \"CC%d\"', grants: [%s]}\n", n, n, n%30, grant)
		default:
			fmt.Fprintf(&s, "  r%d: {when: 'user.active && user.enterprise.department == \"Department %d\"', grants: [%s]}\n", n, n, grant)
		}
	}
	s.WriteString("  all: {when: user.active, grants: [{target: t0}]}\n" + extra)
	s.WriteString("targets:\n")
	for n := range 3 {
		fmt.Fprintf(&s, "  t%d: {url: http://127.0.0.1:%d}\n", n, n+1)
	}
	return s.String()
}

func benchEvaluation(b *testing.B, dialect string) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("SCIMHUB_BENCH_PEOPLE"), "5000"))
	if err != nil || people < 100 {
		b.Fatalf("SCIMHUB_BENCH_PEOPLE must be a number of at least 100: %v", err)
	}
	db := storetest.Open(b, dialect)
	h := hub.New(db.Store, slog.New(slog.DiscardHandler))
	benchPeople(b, db, people)
	db.Exec(b, `DELETE FROM marks`)
	for n, step := range []struct{ name, extra string }{
		{"everybody", ""},
		{"same", "  nobody: {when: 'user.title == \"None\"', grants: [{target: t1}]}\n"},
		{"onepercent", "  some: {when: 'user.displayName == \"Person 7\"', grants: [{target: t1}]}\n"},
	} {
		b.Run(step.name, func(b *testing.B) {
			if n > 0 && b.N > 1 {
				b.Skip("-benchtime 1x: each step is taken once")
			}
			before := benchRows(b, db)
			active, _, err := db.ActiveConfig(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			snap, err := h.Apply(b.Context(), hub.Actor{Name: "bench"}, "bench.yaml", []byte(benchConfig(step.extra)), active.Version)
			if err != nil {
				b.Fatal(err)
			}
			h.Activate(snap)
			heap, stop := watchHeap()
			began, used := time.Now(), cpuTime(b)
			for {
				n, err := h.EvaluateBatch(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if n == 0 {
					break
				}
			}
			took, used := time.Since(began), cpuTime(b)-used
			close(stop)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(people)/took.Seconds(), "people/s")
			b.ReportMetric(used.Seconds()*1e6/float64(people), "CPU-µs/person")
			b.ReportMetric(float64(benchRows(b, db)-before), "rows")
			b.ReportMetric(float64(heap.Load())/(1<<20), "MiB")
		})
	}
}

// cpuTime is what this process used so far; with PostgreSQL the database's share is
// not in it.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchRows counts what evaluation has written so far: versions of people, grants and
// accounts only grow.
func benchRows(b *testing.B, db *storetest.DB) int {
	return db.Int(b, `SELECT coalesce(sum(version), 0) FROM identities`) + db.Int(b, `SELECT count(*) FROM grants`) +
		db.Int(b, `SELECT coalesce(sum(generation), 0) FROM accounts`)
}

// watchHeap looks at the heap every few milliseconds until stop is closed.
func watchHeap() (largest *atomic.Uint64, stop chan struct{}) {
	largest, stop = &atomic.Uint64{}, make(chan struct{})
	runtime.GC()
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > largest.Load() {
				largest.Store(m.HeapAlloc)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return largest, stop
}

// benchPeople brings people in, many in one transaction.
func benchPeople(b *testing.B, db *storetest.DB, n int) {
	b.Helper()
	user, _ := scim.DefaultRegistry().Type("User")
	const together = 500
	for start := 0; start < n; start += together {
		err := db.Update(b.Context(), func(tx *store.Tx) error {
			for i := start; i < min(start+together, n); i++ {
				id := fmt.Sprintf("%08d", i)
				attrs := map[string]any{
					"schemas": []any{scim.URNUser, scim.URNEnterprise}, "userName": "person" + id + "@example.com", "externalId": id, "active": i%17 != 0,
					"displayName": fmt.Sprintf("Person %d", i%100), "title": fmt.Sprintf("Title %d", i%benchRoles),
					"name":             map[string]any{"givenName": "Given", "familyName": "Family" + id},
					"emails":           []any{map[string]any{"value": "person" + id + "@example.com", "type": "work", "primary": true}},
					scim.URNEnterprise: map[string]any{"department": fmt.Sprintf("Department %d", i%benchRoles), "costCenter": fmt.Sprintf("CC%d", i%30), "employeeNumber": id},
				}
				err := tx.CreateResource(store.ResourceWrite{Source: "hr", Actor: "source hr/main", Type: user, Action: "create", Identity: "i-" + id, NewIdentity: true,
					Resource: scim.Resource{ID: "r-" + id, Type: "User", Attrs: attrs, Meta: scim.Meta{Created: noon(), LastModified: noon(), Version: 1}}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
