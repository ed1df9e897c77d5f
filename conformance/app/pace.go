package app

import (
	"math"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// kindOf says what a request does, as limits and counts name it.
func kindOf(r *http.Request) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, Prefix), "/"), "/")
	rest = strings.TrimSuffix(rest, "/")
	kind := ""
	switch {
	case strings.EqualFold(first, "Users"):
		kind = "user."
	case strings.EqualFold(first, "Groups"):
		kind = "group."
	default:
		return "other"
	}
	switch r.Method {
	case http.MethodPost:
		if rest == ".search" {
			return kind + "list"
		}
		return kind + "create"
	case http.MethodPut, http.MethodPatch:
		return kind + "update"
	case http.MethodDelete:
		return kind + "delete"
	case http.MethodGet, http.MethodHead:
		if rest == "" {
			return kind + "list"
		}
		return kind + "get"
	}
	return "other"
}

// stands reports whether a kind with stars stands for another.
func stands(pattern, kind string) bool {
	if pattern == "*" || pattern == kind {
		return true
	}
	what, does, _ := strings.Cut(pattern, ".")
	kindWhat, kindDoes, _ := strings.Cut(kind, ".")
	return (what == "*" || what == kindWhat) && (does == "*" || does == kindDoes)
}

// bucket is a Limit at work.
type bucket struct {
	limit   Limit
	limiter *rate.Limiter
}

// bucketsOf makes the limits of a profile, pace times as fast as they are; an
// infinite pace means none.
func bucketsOf(limits []Limit, pace float64) []bucket {
	if math.IsInf(pace, 1) {
		return nil
	}
	var out []bucket
	for _, l := range limits {
		burst := l.Burst
		if burst == 0 {
			burst = l.Requests
		}
		perSecond := float64(l.Requests) / l.Per.Seconds() * pace
		out = append(out, bucket{l, rate.NewLimiter(rate.Limit(perSecond), max(1, int(float64(burst)*pace)))})
	}
	return out
}

// uses is how much of the limit a request takes.
func (b bucket) uses(c *call) int {
	named := false
	for _, k := range b.limit.Kinds {
		named = named || stands(k, c.kind)
	}
	switch {
	case !named, b.limit.OverBody > 0 && len(c.body) <= b.limit.OverBody:
		return 0
	case b.limit.Members:
		return min(c.added(), b.limiter.Burst())
	}
	return 1
}

// throttled answers 429 where a request is beyond the pace.
func (a *App) throttled(w http.ResponseWriter, c *call) bool {
	for _, b := range a.buckets {
		n := b.uses(c)
		if n == 0 || b.limiter.AllowN(a.now(), n) {
			continue
		}
		missing := float64(n) - b.limiter.TokensAt(a.now())
		a.counter.forbid(ForbiddenThrottled)
		writeError(w, http.StatusTooManyRequests, "too many requests", max(1, int(math.Ceil(missing/float64(b.limiter.Limit())))))
		return true
	}
	return false
}

// parallel refuses what is too much at once. The answer leaves only after its place
// is free again: a client that has read it may send the next request.
func (a *App) parallel(next http.Handler) http.Handler {
	most := int64(a.profile.Parallel)
	if most == 0 {
		return next
	}
	var running atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if running.Add(1) > most {
			running.Add(-1)
			a.counter.forbid(ForbiddenParallel)
			writeError(w, a.profile.ParallelStatus, a.profile.ParallelText, 0)
			return
		}
		answer := &keptResponse{header: http.Header{}}
		func() {
			defer running.Add(-1)
			next.ServeHTTP(answer, r)
		}()
		answer.send(w)
	})
}
