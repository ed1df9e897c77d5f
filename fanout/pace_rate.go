package fanout

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// rateLimit is a limit on some kinds of requests, as the generic cell rate algorithm
// (ITU-T I.371) has it: in any time t at most burst + t/interval requests.
type rateLimit struct {
	name     string // of the row that replicas share
	kinds    []string
	overBody int  // counts only requests with a body of more bytes
	members  bool // counts the memberships of a request and not the request
	interval time.Duration
	burst    int // requests that may come at once
	reserve  int // of the burst, that only urgent requests may use
}

const (
	rateAhead = 200 * time.Millisecond // so far ahead slots are taken out of the database
	rateSkew  = time.Minute            // that clocks of replicas may differ
)

// limitsOf are the limits of a target: those of its profile and its own, the slowest
// first, so that who waits for one does not hold a slot of a quicker one meanwhile.
// A bucket of the organisation is shared by all targets at the same host.
func limitsOf(t model.Target, p Profile) []rateLimit {
	var out []rateLimit
	for _, b := range p.Rate.Buckets {
		owner := "target/" + t.Name
		if u, err := url.Parse(t.URL); err == nil && b.Scope == "organisation" {
			owner = "host/" + strings.ToLower(u.Host)
		}
		l := newRateLimit(float64(b.Requests)/float64(b.PerSeconds), b.Burst, b.Requests)
		l.kinds, l.overBody, l.members = b.Kinds, b.OverBody, b.Counts == "members"
		l.name = fmt.Sprintf("%s/%s>%d", owner, strings.Join(slices.Sorted(slices.Values(b.Kinds)), ","), b.OverBody)
		if l.members {
			l.name += "/members"
		}
		out = append(out, l)
	}
	if t.Rate.PerSecond > 0 {
		l := newRateLimit(t.Rate.PerSecond, 0, int(t.Rate.PerSecond))
		l.kinds, l.overBody, l.name = []string{"*"}, -1, "target/"+t.Name+"/requests"
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b rateLimit) int {
		return cmp.Or(cmp.Compare(b.interval, a.interval), cmp.Compare(a.name, b.name))
	})
	return out
}

// newRateLimit leaves a fifth of the burst, at least one request, to urgent requests.
func newRateLimit(perSecond float64, burst, requests int) rateLimit {
	if burst <= 0 {
		burst = max(requests/10, 1)
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	return rateLimit{interval: max(interval, time.Microsecond), burst: burst, reserve: min(burst-1, max(burst/5, 1))}
}

// counts reports whether a request falls under the limit.
func (l rateLimit) counts(r PaceRequest) bool {
	return (l.overBody <= 0 || r.Body > l.overBody) && slices.ContainsFunc(l.kinds, func(w string) bool { return kindMatches(w, r.Kind) })
}

// units are how much of the limit a request uses up.
func (l rateLimit) units(r PaceRequest) int {
	if l.members {
		return r.Members
	}
	return 1
}

// all reports whether every request falls under the limit, so that its pause is the
// target's.
func (l rateLimit) all() bool { return l.overBody <= 0 && slices.Contains(l.kinds, "*") }

// late is how long after its moment a slot may still be used. What bursts tolerate is
// less by as much, so that the limit holds; a limit without burst takes requests that
// are a quarter of an interval nearer to each other than they should be.
func (l rateLimit) late() time.Duration {
	if l.burst > 1 {
		return l.interval / 10
	}
	return l.interval / 4
}

// early is how long before its moment a slot may be used.
func (l rateLimit) early(urgent bool) time.Duration {
	n := l.burst - 1
	if !urgent {
		n -= l.reserve
	}
	return max(time.Duration(n)*l.interval-l.late(), 0)
}

// take gives out up to want slots: their moments, one interval apart. Where none is to
// be had soon, wait is how long it takes. It is pure but for the state.
func (l rateLimit) take(st *store.RateState, want int, urgent bool, now time.Time) (slots []time.Time, wait time.Duration) {
	if d := paused(*st, urgent, now); d > 0 {
		return nil, d
	}
	horizon := now.Add(l.early(urgent) + rateAhead)
	arrival := st.Arrival
	if arrival.Before(now) {
		arrival = now
	}
	if limit := now.Add(time.Duration(l.burst)*l.interval + 2*rateAhead + rateSkew); arrival.After(limit) {
		arrival = limit // a clock that was ahead has been set back
	}
	for len(slots) < want && !arrival.After(horizon) {
		slots = append(slots, arrival)
		arrival = arrival.Add(l.interval)
	}
	if len(slots) == 0 {
		return nil, max(arrival.Sub(horizon), time.Millisecond)
	}
	// Microseconds are what is stored; rounding up keeps the limit.
	st.Arrival = arrival.Add(time.Microsecond - time.Nanosecond).Truncate(time.Microsecond)
	return slots, 0
}

// paused is how long a pause still lasts; urgent requests heed at most leaverPatience of
// it. One that begins in the future is that of a clock that was ahead and has been set
// back: when it ends is not known, and nobody waits for it.
func paused(st store.RateState, urgent bool, now time.Time) time.Duration {
	if ahead(st, now) {
		return 0
	}
	until := st.PausedUntil
	if limit := st.PausedFrom.Add(leaverPatience); urgent && until.After(limit) {
		until = limit
	}
	return max(until.Sub(now), 0)
}

// ahead reports whether a pause was begun by a clock that has been set back since.
func ahead(st store.RateState, now time.Time) bool { return st.PausedFrom.After(now.Add(rateSkew)) }
