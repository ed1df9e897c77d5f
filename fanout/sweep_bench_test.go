package fanout

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

// BenchmarkSweep reads an application page by page and compares every account with
// what was applied, on SQLite. The heap's high-water mark is to be the same whatever
// the number of accounts, which SWEEP_ACCOUNTS gives; default 20,000.
//
//	SWEEP_ACCOUNTS=1000000 go test -run '^$' -bench BenchmarkSweep -benchtime 1x ./fanout
func BenchmarkSweep(b *testing.B) {
	n := 20_000
	if text := os.Getenv("SWEEP_ACCOUNTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	c := &crowd{n: n}
	w, _ := crowded(b, c, func(t *model.Target) { t.Overrides = map[string]any{"page_max": int64(500)} })
	for b.Loop() {
		runtime.GC()
		high, stop := highWater()
		began := time.Now()
		report, err := w.Sweep(b.Context(), "crowd")
		took := time.Since(began)
		stop()
		if err != nil || report.Checked != n || len(report.Kinds) != 0 {
			b.Fatalf("report %+v, %v", report, err)
		}
		b.ReportMetric(float64(n)/took.Seconds(), "accounts/s")
		b.ReportMetric(float64(high.Load())/(1<<20), "heap-MiB")
	}
}

// highWater watches the heap that is in use until stop is called.
func highWater() (high *atomic.Uint64, stop func()) {
	high = &atomic.Uint64{}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			high.Store(max(high.Load(), m.HeapInuse))
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return high, func() { close(quit); <-done }
}
