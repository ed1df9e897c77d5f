package fanout

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

// canned answers like a target that is empty and always 20 ms away: what is
// measured is the hub, not the target.
func canned(latency time.Duration) (http.Handler, *atomic.Int64) {
	var posts atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		timer := time.NewTimer(latency)
		defer timer.Stop()
		<-timer.C
		w.Header().Set("Content-Type", mediaType)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
			return
		}
		n := posts.Add(1)
		var doc map[string]any
		if json.Unmarshal(body, &doc) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		doc["id"] = fmt.Sprint(n)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(doc)
	}), &posts
}

// stopwatch sums the time that requests are under way.
type stopwatch struct{ nanos atomic.Int64 }

func (s *stopwatch) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	defer func() { s.nanos.Add(int64(time.Since(began))) }()
	return benchTransport.RoundTrip(r)
}

func (s *stopwatch) total() time.Duration { return time.Duration(s.nanos.Load()) }

var benchTransport = &http.Transport{MaxIdleConnsPerHost: 64}

// bare is the rate of a plain HTTP client with the same number of requests under
// way and nothing else to do: what the machine allows at this moment.
func bare(b *testing.B, latency time.Duration, concurrency, n int) float64 {
	b.Helper()
	h, _ := canned(latency)
	server := httptest.NewServer(h)
	defer server.Close()
	var left atomic.Int64
	left.Store(int64(n))
	began := time.Now()
	var all sync.WaitGroup
	for range concurrency {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				resp, err := benchTransport.RoundTrip(must(http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/Users", strings.NewReader(`{"userName":"x"}`))))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	all.Wait()
	return float64(n) / time.Since(began).Seconds()
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err) // a literal request that cannot be made
	}
	return r
}

// BenchmarkFanout creates 10,000 accounts at a target 20 ms away with 16 requests
// at a time, from due rows to settled ones, on SQLite. 16 requests of 20 ms allow
// 800 accounts a second at the very best.
//
//	go test -run '^$' -bench BenchmarkFanout -benchtime 1x ./fanout
func BenchmarkFanout(b *testing.B) {
	const people, latency, concurrency = 10_000, 20 * time.Millisecond, 16
	for range b.N {
		b.StopTimer()
		h, posts := canned(latency)
		w := worldWith(b, nil, h, func(t *model.Target) { t.Rate.Concurrency = concurrency })
		clock := &stopwatch{}
		w.worker.Transport = clock
		w.wantMany(people)
		b.StartTimer()
		began := time.Now()
		w.start()
		w.drained()
		took := time.Since(began)
		b.StopTimer()
		w.stop()
		if n := posts.Load(); n != people {
			b.Fatalf("%d creates for %d accounts", n, people)
		}
		rate := people / took.Seconds()
		b.ReportMetric(rate, "accounts/s")
		b.ReportMetric(rate/(concurrency/latency.Seconds()), "of-ideal")
		b.ReportMetric(rate/bare(b, latency, concurrency, 4000), "of-bare-client")
		b.ReportMetric(clock.total().Seconds()/took.Seconds()/concurrency, "of-slots-busy")
		b.StartTimer()
	}
}

// drained waits until nothing is due.
func (w *world) drained() {
	w.t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, due, err := w.store.NextDue(w.t.Context(), w.target.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		if !due {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			w.t.Fatal("not drained")
		}
	}
}
