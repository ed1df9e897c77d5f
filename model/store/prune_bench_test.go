package store_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// BenchmarkPrune: what writers wait while old rows are taken away beside them, against
// what they wait alone. PRUNE_ROWS=1000000 for the figures that are published.
func BenchmarkPrune(b *testing.B) {
	rows, _ := strconv.Atoi(os.Getenv("PRUNE_ROWS"))
	rows = max(rows, 20_000)
	for _, dialect := range storetest.Dialects() {
		b.Run(dialect, func(b *testing.B) {
			db := storetest.Open(b, dialect)
			for at := 0; at < rows; at += 10_000 {
				db.Exec(b, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
INSERT INTO events (id, at, type, source, resource_id, identity_id, data) SELECT '0' || substr('0000000' || CAST(i + `+fmt.Sprint(at)+` AS text), -8 + length('0000000' || CAST(i + `+fmt.Sprint(at)+` AS text)) + 1), i, 'x', 'hr', '', 'i', '{"a":"some data of an event, as long as they are"}' FROM n`)
			}
			written := 0
			write := func() time.Duration {
				began := time.Now()
				id := numbered("u", written)
				create(b, db, newUser(b, id, "user"+id, nil))
				written++
				return time.Since(began)
			}
			var alone, beside []time.Duration
			for range 500 {
				alone = append(alone, write())
			}
			done := make(chan error, 1)
			began := time.Now()
			go func() { done <- pruneAll(b, db.Store) }()
			var err error
			for running := true; running; {
				select {
				case err = <-done:
					running = false
				default:
					beside = append(beside, write())
				}
			}
			if err != nil {
				b.Fatal(err)
			}
			slices.Sort(alone)
			slices.Sort(beside)
			b.ReportMetric(float64(alone[len(alone)*99/100].Microseconds())/1000, "alone-p99-ms")
			b.ReportMetric(float64(beside[len(beside)*99/100].Microseconds())/1000, "beside-p99-ms")
			b.ReportMetric(float64(alone[len(alone)/2].Microseconds())/1000, "alone-p50-ms")
			b.ReportMetric(float64(beside[len(beside)/2].Microseconds())/1000, "beside-p50-ms")
			b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
		})
	}
}

// pruneAll takes all events away with rests as the hub does.
func pruneAll(b *testing.B, db *store.Store) error {
	b.Helper()
	for {
		began := time.Now()
		_, more, err := db.PruneBatch(b.Context(), "r1", "events", time.Unix(1, 0), 500)
		if err != nil || !more {
			return err
		}
		<-time.After(max(4*time.Since(began), 10*time.Millisecond))
	}
}
