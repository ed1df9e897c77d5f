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
	return pace{time.Minute, 6 * time.Hour} // invalid, conflict, anything else: and then rarer, see rare
}

// What only a person can mend is tried every six hours, then after twelve, then daily,
// and given up after four weeks: rareAfter failures end the doubling, giveUpAfter all.
const (
	rareAfter   = 10
	giveUpAfter = 38
)

// gaveUp is added to the error of a row that is given up.
const gaveUp = " (not tried again after four weeks in vain: until its data changes or somebody asks for a sync)"

// rare is how long to wait after so many failures of a kind that does not pass by itself.
func rare(attempts int) (time.Duration, bool) {
	switch {
	case attempts <= rareAfter:
		return 0, false
	case attempts == rareAfter+1:
		return 12 * time.Hour, true
	}
	return 24 * time.Hour, true
}

// mendable tells the classes that a person has to mend: the data or the account.
func mendable(c Class) bool {
	switch c {
	case Invalid, Conflict, Missing, Unreadable:
		return true
	}
	return !c.ofTarget()
}

// GivesUp reports whether a row that has failed so often is not tried again until its
// data changes or somebody asks for a sync. Leavers are never given up.
func GivesUp(f RetryFacts, class Class) bool {
	return !f.Leaver && mendable(class) && f.Attempts > giveUpAfter
}

// NextAttempt says when a failed row is tried again: doubling from the class's
// base to its limit, then rarer where a person has to mend it, spread by ±20 % that depend on the row alone, never before
// what Retry-After asks (for leavers at most 30 s of it).
func NextAttempt(f RetryFacts, class Class, retryAfter time.Duration, now time.Time) time.Time {
	p := paceOf(class, f.Leaver)
	d := p.limit
	if n := max(f.Attempts-1, 0); n < 20 {
		d = min(p.limit, p.base<<n)
	}
	if long, is := rare(f.Attempts); is && !f.Leaver && mendable(class) {
		d = long
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
