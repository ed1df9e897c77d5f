package fanout

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model/store"
)

// Several replicas share one limit, each with slots of its own, urgent requests and
// others in any order, while their clock is set back now and then: in any time t, as it
// really passes, at most burst + t/interval requests are let through, and nobody waits
// for longer than the limit asks, and the clock went back.
func TestReplicasShareALimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newRateLimit(rapid.Float64Range(0.2, 500).Draw(t, "per second"), rapid.IntRange(1, 50).Draw(t, "burst"), 0)
		var st store.RateState
		truth, back := noon, time.Duration(0)
		clock := func() time.Time { return truth.Add(-back) }
		replicas := make([]*bucket, rapid.IntRange(1, 3).Draw(t, "replicas"))
		for i := range replicas {
			replicas[i] = newBucket(l, nil, clock)
		}
		var used []time.Time
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			truth = truth.Add(time.Duration(rapid.Int64Range(0, int64(2*l.interval)).Draw(t, "passes")))
			if rapid.IntRange(0, 20).Draw(t, "set back") == 0 {
				back += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "by"))
			}
			b := replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")]
			urgent := rapid.Bool().Draw(t, "urgent")
			ok, wait := b.use(urgent)
			if !ok && wait == 0 { // as bucket.try does
				slots, later := l.take(&st, b.batch(), urgent, clock())
				if b.slots = append(b.slots, slots...); len(slots) > 0 {
					ok, wait = b.use(urgent)
				} else if wait = later; wait <= 0 {
					t.Fatal("no slot, and no time to wait")
				}
			}
			if ok {
				used = append(used, truth)
			}
			if most := time.Duration(l.burst+len(replicas)*60)*l.interval + time.Duration(len(replicas)+3)*rateAhead + rateSkew; wait > most+back {
				t.Fatalf("waits for %v, at most %v", wait, most)
			}
		}
		checkWindows(t, l, used)
	})
}

// A pause ends in time, whatever the clock of who was asked for it: urgent requests heed
// at most leaverPatience of it, and a clock that was ahead and has been set back does not
// keep anybody waiting.
func TestPauseOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ahead := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "ahead"))
		asked := time.Duration(rapid.Int64Range(1, int64(longestPause)).Draw(t, "asked"))
		from := noon.Add(ahead)
		st := store.RateState{PausedFrom: from, PausedUntil: from.Add(asked)}
		if d := paused(st, true, noon); d > leaverPatience+rateSkew {
			t.Fatalf("a leaver waits for %v", d)
		}
		if d := paused(st, false, noon); d > longestPause+rateSkew {
			t.Fatalf("waits for %v of %v", d, asked)
		}
		if d := paused(st, false, from); d != asked {
			t.Fatalf("waits for %v of %v", d, asked)
		}
	})
}

// However answers come: what a target bears stays between one and what the profile
// allows, falls only when it shows that it has too many, and comes back.
func TestBearingWhateverIsAnswered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 64).Draw(t, "most")
		b := newBearing(most)
		now := noon
		for range rapid.IntRange(1, 200).Draw(t, "answers") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "passes")))
			class := rapid.SampledFrom([]Class{"", "", "", Throttled, Timeout, Server, Network, UnknownOutcome, Invalid, Missing, Conflict, Credentials}).Draw(t, "class")
			before := b.slots()
			began := now.Add(-time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "took")))
			b.answered("user.get", began, now, rapid.IntRange(1, most).Draw(t, "in use"), class)
			switch after := b.slots(); {
			case after < 1 || after > most:
				t.Fatalf("%d slots of %d", after, most)
			case after < before/2 || after > before+1:
				t.Fatalf("%s: from %d to %d", class, before, after)
			case after != before && (class == Invalid || class == Missing || class == Conflict || class == Credentials):
				t.Fatalf("%s: from %d to %d, and it is about one object", class, before, after)
			case after < before && class == "":
				t.Fatalf("fell from %d to %d by a good answer", before, after)
			}
		}
		b.usual = map[string]*latency{}
		for range most * most * 2 { // all of it in use, and quick
			now = now.Add(time.Millisecond)
			b.answered("user.get", now, now.Add(time.Millisecond), b.slots(), "")
		}
		if b.slots() != most {
			t.Fatalf("%d slots of %d after nothing but good answers", b.slots(), most)
		}
	})
}
