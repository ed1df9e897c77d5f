package fanout

import (
	"hash/fnv"
	"strconv"
	"time"
)

const (
	leaverPatience = 30 * time.Second // of what Retry-After asks, that leavers heed
	longestPause   = time.Hour        // that any Retry-After is believed
)

// RetryFacts is what the time of the next attempt depends on.
type RetryFacts struct {
	Key      string // target and identity: the same row always gets the same jitter
	Attempts int    // failed attempts so far, this one included
	Leaver   bool
}

// pace is how a class of failure is retried.
type pace struct{ base, limit time.Duration }

// paceOf: what passes by itself is tried again soon, what a person has to mend
// seldom. A change of the data makes the row due at once anyway.
func paceOf(c Class, leaver bool) pace {
	if leaver {
		switch c {
		case Invalid, Conflict, Credentials, Garbage:
			return pace{2 * time.Second, time.Minute}
		}
		return pace{time.Second, 15 * time.Second}
	}
	switch c {
	case Throttled:
		return pace{2 * time.Second, 5 * time.Minute}
	case Network, Timeout, Server, Garbage:
		return pace{2 * time.Second, 10 * time.Minute}
	case UnknownOutcome:
		return pace{time.Second, 5 * time.Minute}
	case Credentials:
		return pace{15 * time.Second, 15 * time.Minute}
	case Missing:
		return pace{5 * time.Second, 30 * time.Minute}
	}
	return pace{time.Minute, 6 * time.Hour} // invalid, conflict, anything else
}

// NextAttempt says when a failed row is tried again: doubling from the class's
// base to its limit, spread by ±20 % that depend on the row alone, never before
// what Retry-After asks (for leavers at most 30 s of it).
func NextAttempt(f RetryFacts, class Class, retryAfter time.Duration, now time.Time) time.Time {
	p := paceOf(class, f.Leaver)
	d := p.limit
	if n := max(f.Attempts-1, 0); n < 20 {
		d = min(p.limit, p.base<<n)
	}
	d = d * time.Duration(80+spread(f.Key, f.Attempts)) / 100
	if f.Leaver {
		retryAfter = min(retryAfter, leaverPatience)
	}
	return now.Add(max(d, min(retryAfter, longestPause)))
}

// spread is a number from 0 to 40 that looks random and is not.
func spread(key string, attempts int) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key + "#" + strconv.Itoa(attempts)))
	return int64(h.Sum32() % 41)
}

// Health is the standing of a target as a whole. The worker keeps one per target.
type Health struct {
	Failures      int // in a row, of kinds that concern the target
	ErrorClass    Class
	LastError     string
	RetryAt       time.Time // the normal lane waits until then; zero: it runs
	QuarantinedAt time.Time // zero: not quarantined
	FailingSince  time.Time
}

const (
	failuresToBackOff = 5                // in a row before the target as a whole waits
	quarantineAfter   = 30 * time.Minute // of nothing but failures
)

// Failed counts a failure that concerns the target as a whole; of any other
// class it changes nothing. Past a few in a row the normal lane waits, longer
// each time; refused credentials and Retry-After make it wait at once.
func (h Health) Failed(target string, err *ClientError, now time.Time) Health {
	if !err.Class.ofTarget() {
		return h
	}
	if !h.RetryAt.IsZero() && now.Before(h.RetryAt) {
		return h // late answers of requests sent before the pause
	}
	if h.Failures == 0 {
		h.FailingSince = now
	}
	h.Failures++
	h.ErrorClass, h.LastError = err.Class, err.Error()
	over := h.Failures - failuresToBackOff + 1
	if err.Status == 401 || err.Class == Throttled || err.RetryAfter > 0 {
		over = h.Failures
	}
	if over > 0 {
		h.RetryAt = NextAttempt(RetryFacts{Key: target, Attempts: over}, err.Class, err.RetryAfter, now)
	}
	if h.QuarantinedAt.IsZero() && err.Class != Throttled && h.Failures >= failuresToBackOff && now.Sub(h.FailingSince) >= quarantineAfter {
		h.QuarantinedAt = now
	}
	return h
}

// Succeeded ends back-off and quarantine. An answer to a request sent before a
// pause began does not end the pause.
func (h Health) Succeeded(now time.Time) Health {
	if now.Before(h.RetryAt) {
		return h
	}
	return Health{}
}

// probing reports whether the target has to show itself well with one request first.
func (h Health) probing() bool { return !h.RetryAt.IsZero() }
