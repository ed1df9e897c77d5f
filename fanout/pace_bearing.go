package fanout

import "time"

// bearing is how many requests at once a target bears: between one and what its
// profile allows, beginning there. It falls by half when the target shows that it has
// too many, and rises by one in the time of one round of requests while all of it is
// in use and answers come no later than they use to (additive increase, multiplicative
// decrease, as TCP does).
//
//	answer                                     effect
//	---------------------------------------------------------------
//	throttled, no answer in time               half, once for all that were sent before
//	5xx, connection lost, third within a short time   half
//	good, limit in use, as quick as usual      one more per round
//	good, otherwise                            –
//	about one object, credentials              –
type bearing struct {
	most, limit float64
	cut         time.Time // when it fell; requests sent before say nothing new
	broken      int       // answers of a broken target, less those that were good since
	usual       map[string]*latency
}

// latency of a kind of request: of late and usually, in nanoseconds.
type latency struct{ late, usual float64 }

const (
	brokenBurst = 3 // such answers halve the limit
	slower      = 2 // times the usual latency is too slow to ask for more
	slowerFloor = float64(20 * time.Millisecond)
)

func newBearing(most int) bearing {
	n := float64(max(most, 1))
	return bearing{most: n, limit: n, usual: map[string]*latency{}}
}

func (b *bearing) slots() int { return max(int(b.limit), 1) }

// answered takes an answer to a request that was sent at began, with inUse requests
// under way, itself included; class is empty where it was good.
func (b *bearing) answered(kind string, began, now time.Time, inUse int, class Class) {
	switch class {
	case Throttled, Timeout:
		b.halve(began, now)
	case Server, Network, UnknownOutcome:
		if b.broken++; b.broken >= brokenBurst {
			b.halve(began, now)
		}
	case "":
		b.broken = max(b.broken-1, 0)
		quick := b.quick(kind, now.Sub(began))
		if quick && inUse >= b.slots() && !began.Before(b.cut) {
			b.limit = min(b.limit+1/b.limit, b.most)
		}
	}
}

func (b *bearing) halve(began, now time.Time) {
	if began.Before(b.cut) {
		return
	}
	b.limit, b.cut, b.broken = max(b.limit/2, 1), now, 0
}

// quick takes a latency in and reports whether the target is as quick as usual. What
// is usual follows slowly upwards and quickly downwards.
func (b *bearing) quick(kind string, d time.Duration) bool {
	l := b.usual[kind]
	if l == nil {
		b.usual[kind] = &latency{float64(d), float64(d)}
		return true
	}
	l.late += (float64(d) - l.late) / 8
	follow := 1.0 / 256
	if l.late < l.usual {
		follow = 1.0 / 16
	}
	l.usual += (l.late - l.usual) * follow
	return l.late <= max(slower*l.usual, slowerFloor)
}
