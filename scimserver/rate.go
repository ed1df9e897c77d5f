package scimserver

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scimhub/scimhub/model/scim"
)

// Limit is how many requests a source may send to this process.
type Limit struct {
	Requests float64 // a second; 0 or less: no limit
	Burst    int     // at once
}

// limits are the token buckets of the sources.
type limits struct {
	mu      sync.RWMutex
	buckets map[string]*bucket
}

type bucket struct {
	limit Limit
	*rate.Limiter
}

func newLimits() *limits { return &limits{buckets: map[string]*bucket{}} }

// keep makes the buckets those of the map; one whose limit is as before keeps its level.
func (l *limits) keep(want map[string]Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*bucket, len(want))
	for source, limit := range want {
		if limit.Requests <= 0 {
			continue
		}
		if b := l.buckets[source]; b != nil && b.limit == limit {
			next[source] = b
			continue
		}
		next[source] = &bucket{limit, rate.NewLimiter(rate.Limit(limit.Requests), max(1, limit.Burst))}
	}
	l.buckets = next
}

// take counts a request; a [Retry] with 429 says that there were too many (RFC 6585 §4).
func (l *limits) take(source string, now time.Time) error {
	l.mu.RLock()
	b := l.buckets[source]
	l.mu.RUnlock()
	if b == nil {
		return nil
	}
	wait := reserve(b.Limiter, now)
	if wait == 0 {
		return nil
	}
	return &Retry{After: wait, Err: scim.Errorf(http.StatusTooManyRequests, "",
		"source %s sends more than the %g requests a second that are agreed; come back later", source, b.limit.Requests)}
}

// reserve takes a token, or says how long to wait for one and leaves the bucket
// alone. (A reservation that is cancelled does not: of two at once one is lost.)
func reserve(l *rate.Limiter, now time.Time) time.Duration {
	if l.AllowN(now, 1) {
		return 0
	}
	return max(1, lacking(l, now))
}

// lacking is how long it takes until there is a token; 0: there is one.
func lacking(l *rate.Limiter, now time.Time) time.Duration {
	return max(0, time.Duration((1-l.TokensAt(now))/float64(l.Limit())*float64(time.Second)))
}

// How many attempts at authentication may fail from one address, and how many
// addresses, and credentials that were right there, are remembered at most twice over.
const (
	failuresPerSecond = 10
	failuresAtOnce    = 50
	addressesKept     = 4096
)

// failures slows guessing down. It is bounded whoever sends what from wherever.
type failures struct {
	mu        sync.Mutex
	addresses recent[string, *rate.Limiter]
	right     recent[[32]byte, struct{}]
}

func newFailures() *failures { return &failures{} }

// wait says how long an address has to wait until it may fail again; 0 is now.
func (f *failures) wait(addr string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.addresses.get(addr)
	if !ok {
		return 0
	}
	return lacking(l, now)
}

// failed counts a failure, and says as wait does whether it was one too many.
func (f *failures) failed(addr string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.addresses.get(addr)
	if !ok {
		l = rate.NewLimiter(failuresPerSecond, failuresAtOnce)
		f.addresses.put(addr, l)
	}
	return reserve(l, now)
}

func (f *failures) known(pair [32]byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.right.get(pair)
	return ok
}

func (f *failures) succeeded(pair [32]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.right.get(pair); !ok {
		f.right.put(pair, struct{}{})
	}
}

func tooManyFailures(wait time.Duration) error {
	return &Retry{After: wait, Err: scim.Errorf(http.StatusTooManyRequests, "",
		"too many requests with wrong credentials came from this address; come back later")}
}

// recent is a map that forgets what was not asked for lately. It holds at most
// twice addressesKept entries.
type recent[K comparable, V any] struct{ young, old map[K]V }

func (m *recent[K, V]) get(k K) (V, bool) {
	v, ok := m.young[k]
	if ok {
		return v, true
	}
	if v, ok = m.old[k]; ok {
		m.put(k, v)
	}
	return v, ok
}

func (m *recent[K, V]) put(k K, v V) {
	if len(m.young) >= addressesKept {
		m.old, m.young = m.young, nil
	}
	if m.young == nil {
		m.young = make(map[K]V)
	}
	m.young[k] = v
}
