package fanout

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

// BenchmarkThroughput creates accounts at a target 20 or 100 ms away and reports the rate
// as a fraction of what latency, concurrency and rate allow, and the processor's time for
// each account, in microseconds, the simulated target's included. At 20 ms a bare client
// loses a twentieth, too: that is how late timers and two processors are.
//
//	go test -run '^$' -bench BenchmarkThroughput -benchtime 1x ./fanout
func BenchmarkThroughput(b *testing.B) {
	for _, c := range []struct {
		people, concurrency int
		perSecond           float64
		latency             time.Duration
	}{
		{4000, 16, 0, 20 * time.Millisecond},
		{1600, 16, 0, 100 * time.Millisecond},
		{1000, 16, 200, 20 * time.Millisecond},
		{200, 4, 40, 20 * time.Millisecond},
	} {
		b.Run(fmt.Sprintf("at-once=%d/rate=%g/away=%s", c.concurrency, c.perSecond, c.latency), func(b *testing.B) {
			latency := c.latency
			for range b.N {
				b.StopTimer()
				h, posts := canned(latency)
				w := worldWith(b, nil, h, func(t *model.Target) { t.Rate = model.Rate{PerSecond: c.perSecond, Concurrency: c.concurrency} })
				clock := &stopwatch{}
				w.worker.Transport = clock
				w.wantMany(c.people)
				used := processorTime()
				b.StartTimer()
				began := time.Now()
				w.start()
				w.drained()
				took := time.Since(began)
				b.StopTimer()
				used = processorTime() - used
				w.stop()
				if n := posts.Load(); n != int64(c.people) {
					b.Fatalf("%d creates for %d accounts", n, c.people)
				}
				ideal := float64(c.concurrency) / latency.Seconds()
				if c.perSecond > 0 {
					ideal = min(ideal, c.perSecond)
				}
				rate := float64(c.people) / took.Seconds()
				b.ReportMetric(rate/ideal, "fraction")
				b.ReportMetric(rate, "accounts/s")
				if c.perSecond == 0 {
					b.ReportMetric(rate/bare(b, latency, c.concurrency, 1600), "of-bare-client")
					b.ReportMetric(clock.total().Seconds()/took.Seconds()/float64(c.concurrency), "of-slots-busy")
				}
				b.ReportMetric(float64(used.Microseconds())/float64(c.people), "cpu-µs/account")
				b.StartTimer()
			}
		})
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
