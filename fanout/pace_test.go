package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/Users", "user.list"},
		{"GET", "/Users/x%2Fy", "user.get"},
		{"POST", "/Users", "user.create"},
		{"POST", "/Users/.search", "user.list"},
		{"PUT", "/Users/1", "user.update"},
		{"PATCH", "/Users/1", "user.update"},
		{"DELETE", "/Users/1", "user.delete"},
		{"GET", "/Groups", "group.list"},
		{"PATCH", "/Groups/1", "group.update"},
		{"GET", "/ServiceProviderConfig", "other.get"},
		{"GET", "/Userships", "other.get"},
	} {
		if got := kindOf(c.method, c.path); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.path, got, c.want)
		}
	}
	for _, c := range []struct {
		word, kind string
		want       bool
	}{
		{"*", "user.get", true}, {"user.get", "user.get", true}, {"user.*", "user.get", true}, {"*.get", "group.get", true},
		{"user.*", "group.get", false}, {"*.get", "user.list", false}, {"user", "user.get", false}, {"user.list", "user.get", false},
	} {
		if got := kindMatches(c.word, c.kind); got != c.want {
			t.Errorf("%s for %s: %v", c.word, c.kind, got)
		}
	}
}

func TestLimitsOf(t *testing.T) {
	t.Parallel()
	p := Profile{model.Profile{Rate: model.ProfileRate{Buckets: []model.Bucket{
		{Kinds: []string{"user.update", "user.create"}, Requests: 180, PerSeconds: 60, Burst: 20, Scope: "organisation"},
		{Kinds: []string{"group.update"}, Requests: 5, PerSeconds: 30, OverBody: 500, Scope: "target"},
	}}}}
	limits := limitsOf(model.Target{Name: "chat", URL: "https://API.example.com/scim", Rate: model.Rate{PerSecond: 10}}, p)
	var got []string
	for _, l := range limits {
		got = append(got, fmt.Sprintf("%s %v burst %d reserve %d", l.name, l.interval.Round(time.Millisecond), l.burst, l.reserve))
	}
	want := []string{
		"target/chat/group.update>500 6s burst 1 reserve 0",
		"host/api.example.com/user.create,user.update>0 333ms burst 20 reserve 4",
		"target/chat/requests 100ms burst 1 reserve 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("limits\n%q, want\n%q", got, want)
	}
	if !limits[0].counts(PaceRequest{Kind: "group.update", Body: 501}) || limits[0].counts(PaceRequest{Kind: "group.update", Body: 500}) {
		t.Error("the size of the body does not count")
	}
	if !limits[2].counts(PaceRequest{Kind: "other.get", Body: 0}) {
		t.Error("a request without a body is not under the target's limit")
	}
}

// Where memberships are counted a request uses up as many as it changes.
func TestLimitOnMemberships(t *testing.T) {
	t.Parallel()
	limits := limitsOf(model.Target{Name: "git"}, Profile{model.Profile{Rate: model.ProfileRate{Buckets: []model.Bucket{
		{Kinds: []string{"group.update"}, Requests: 1000, PerSeconds: 3600, Counts: "members"},
		{Kinds: []string{"group.update"}, Requests: 1000, PerSeconds: 3600},
	}}}})
	if limits[0].name == limits[1].name {
		t.Errorf("a limit on memberships and one on requests share the row %s", limits[0].name)
	}
	for _, l := range limits {
		want := 1
		if l.members {
			want = 70
		}
		if got := l.units(PaceRequest{Kind: "group.update", Members: 70}); got != want {
			t.Errorf("%s counts %d, want %d", l.name, got, want)
		}
	}
	c := &Client{profile: generic(t)}
	for _, body := range []map[string]any{patchOp(c.memberOps([]string{"a", "b"}, []string{"c"}))} {
		if n := membersIn(body); n != 3 {
			t.Errorf("%v changes %d memberships, want 3", body, n)
		}
	}
}

// In any time t a limit lets at most burst + t/interval requests through, whoever asks
// and however urgent; one without burst lets them be a quarter nearer.
func TestRateTakeProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newRateLimit(rapid.Float64Range(0.2, 500).Draw(t, "per second"), rapid.IntRange(1, 50).Draw(t, "burst"), 0)
		var st store.RateState
		now := noon
		var used []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*l.interval)).Draw(t, "passes")))
			urgent := rapid.Bool().Draw(t, "urgent")
			slots, wait := l.take(&st, rapid.IntRange(1, 20).Draw(t, "want"), urgent, now)
			if (len(slots) == 0) == (wait == 0) {
				t.Fatalf("%d slots and a wait of %v", len(slots), wait)
			}
			for _, at := range slots { // anywhere where a slot is good
				from := at.Add(-l.early(urgent))
				if from.Before(now) {
					from = now
				}
				last := at.Add(l.late())
				used = append(used, from.Add(time.Duration(rapid.Int64Range(0, int64(last.Sub(from))).Draw(t, "used"))))
			}
		}
		checkWindows(t, l, used)
	})
}

func checkWindows(t interface{ Fatalf(string, ...any) }, l rateLimit, used []time.Time) {
	slices.SortFunc(used, time.Time.Compare)
	for i := range used {
		for j := i; j < len(used); j++ {
			allowed := float64(l.burst) + float64(used[j].Sub(used[i]))/float64(l.interval) + 1e-3
			if l.burst == 1 {
				allowed += 0.25
			}
			if n := j - i + 1; float64(n) > allowed {
				t.Fatalf("%d requests in %v, allowed are %.2f", n, used[j].Sub(used[i]), allowed)
			}
		}
	}
}

// Two replicas share one limit through the database: together they stay within it, and
// use all of it.
func TestBucketShared(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		l := newRateLimit(200, 10, 0)
		l.name = "target/x/*"
		var mu sync.Mutex
		var used []time.Time
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		for range 2 {
			b := newBucket(l, db.Store, time.Now)
			for i := range 6 {
				all.Go(func() {
					for b.pass(ctx, i == 0) == nil {
						mu.Lock()
						used = append(used, time.Now())
						mu.Unlock()
					}
				})
			}
		}
		all.Wait()
		// When a slot was used is known only roughly here; the windows are checked in TestRateTakeProperty.
		if n, most := len(used), 10+200*time.Since(began).Seconds(); float64(n) > most || n < 10 {
			t.Errorf("%d requests, the limit allows %.0f", n, most)
		}
		st, err := db.Rate(t.Context(), l.name)
		if err != nil || st.Arrival.IsZero() {
			t.Errorf("state %+v, %v", st, err)
		}
	})
}

func TestBucketUrgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	l := newRateLimit(0.1, 10, 0)
	l.name = "x"
	b := newBucket(l, w.store, func() time.Time { return noon })
	count := func(urgent bool) (n int) {
		for {
			ok, _, err := b.try(t.Context(), urgent)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return n
			}
			n++
		}
	}
	normal, urgent := count(false), count(true)
	if normal != 7 || urgent != 2 { // one of the burst is what late slots cost
		t.Errorf("%d normal requests and %d urgent ones of a burst of ten", normal, urgent)
	}
}

// A pause that an application asks for holds at all replicas; leavers heed a part of it.
func TestBucketPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	now := noon
	l := newRateLimit(100, 10, 0)
	l.name, l.kinds = "x", []string{"user.create"}
	one, two := newBucket(l, w.store, func() time.Time { return now }), newBucket(l, w.store, func() time.Time { return now })
	if err := one.answered(t.Context(), &ClientError{Class: Throttled, RetryAfter: 10 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*bucket{one, two} {
		err := b.pass(t.Context(), false)
		if e, ok := errors.AsType[*ClientError](err); !ok || e.Class != Throttled || e.RetryAfter != 10*time.Minute || !e.Paced {
			t.Errorf("a normal request: %v", err)
		}
	}
	now = noon.Add(leaverPatience)
	if err := two.pass(t.Context(), true); err != nil {
		t.Errorf("an urgent request after %v: %v", leaverPatience, err)
	}
	if err := two.pass(t.Context(), false); err == nil {
		t.Error("a normal request during the pause")
	}
	now = noon.Add(10 * time.Minute)
	if err := two.pass(t.Context(), false); err != nil {
		t.Errorf("a normal request after the pause: %v", err)
	}
}

func TestPacerSpecificThrottle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	p := generic(t)
	p.Rate.Buckets = []model.Bucket{{Kinds: []string{"user.delete"}, Requests: 20, PerSeconds: 30, Scope: "target"}}
	pace := newPacer(w.target, p, w.store, time.Now, slog.New(slog.DiscardHandler))
	throttle := func(kind string) *ClientError {
		done, err := pace.pass(t.Context(), PaceRequest{Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		e := &ClientError{Class: Throttled, RetryAfter: time.Minute}
		done(e)
		return e
	}
	if e := throttle("user.delete"); !e.Paced {
		t.Error("a kind with a limit of its own stops the target")
	}
	if _, err := pace.pass(t.Context(), PaceRequest{Kind: "user.delete"}); err == nil {
		t.Error("the kind goes on")
	}
	if e := throttle("user.get"); e.Paced {
		t.Error("a kind without a limit does not stop the target")
	}
}

func TestBearing(t *testing.T) {
	t.Parallel()
	b := newBearing(16)
	now := noon
	answer := func(class Class, took time.Duration, inUse int) {
		began := now
		now = now.Add(took)
		b.answered("user.create", began, now, inUse, class)
	}
	answer("", 20*time.Millisecond, 16)
	if b.slots() != 16 {
		t.Fatalf("begins with %d", b.slots())
	}
	sent := now
	answer(Throttled, 10*time.Millisecond, 16)
	b.answered("user.create", sent, now, 15, Throttled) // sent before: the same news
	if b.slots() != 8 {
		t.Errorf("after one round of throttling: %d", b.slots())
	}
	for range 5 {
		answer(Timeout, time.Millisecond, 8)
	}
	if b.slots() != 1 {
		t.Errorf("after many: %d", b.slots())
	}
	for range 20 {
		answer("", 20*time.Millisecond, 0)
	}
	if b.slots() != 1 {
		t.Errorf("rises though not in use: %d", b.slots())
	}
	for range 40 {
		answer("", 20*time.Millisecond, b.slots())
	}
	if b.slots() < 5 || b.slots() > 12 {
		t.Errorf("after forty good answers: %d", b.slots())
	}
	had := b.slots()
	for range 40 {
		answer("", 300*time.Millisecond, b.slots())
	}
	if b.slots() > had+3 {
		t.Errorf("rises from %d to %d while answers are late", had, b.slots())
	}
	b = newBearing(16)
	answer(Server, time.Millisecond, 3)
	answer("", time.Millisecond, 3)
	answer(Server, time.Millisecond, 3)
	answer(Invalid, time.Millisecond, 3)
	if b.slots() != 16 {
		t.Errorf("single failures: %d", b.slots())
	}
	answer(Server, time.Millisecond, 3)
	answer(Server, time.Millisecond, 3)
	if b.slots() != 8 {
		t.Errorf("a burst of failures: %d", b.slots())
	}
}

// A request that hangs does not keep an urgent one waiting for longer than a moment.
func TestGateUrgentBeyond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, time.Now)
		if _, err := g.pass(t.Context(), PaceRequest{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		done, err := g.pass(urgently(t.Context()), PaceRequest{})
		if err != nil || time.Since(began) != urgentBeyond {
			t.Errorf("an urgent request waits %v: %v", time.Since(began), err)
		}
		short, cancel := context.WithTimeout(urgently(t.Context()), 10*time.Second)
		defer cancel()
		if _, err := g.pass(short, PaceRequest{}); err == nil {
			t.Error("two beyond the limit")
		}
		done(nil)
		if _, err := g.pass(urgently(t.Context()), PaceRequest{}); err != nil {
			t.Error(err)
		}
	})
}

// What waits for a slow limit can still be taken by the urgent lane: a leaver whose
// other change is in the queue does not wait for it.
func TestWorkerLeaverOfQueuedChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) {
		t.Overrides = map[string]any{"rate": map[string]any{"buckets": []any{
			map[string]any{"kinds": []any{"user.create"}, "requests": 1, "per_s": 3600, "burst": 1, "over_body": 0, "scope": "target"}}}}
	}, "")
	w.start()
	w.want(model.AccountRow{Identity: "b", Desired: account("bob")})
	w.allIn(model.StateInSync) // the only create of this hour
	w.want(model.AccountRow{Identity: "z", Desired: account("zoe")})
	w.until("zoe's creation is about to be sent", func(rows map[string]model.AccountRow) bool { return rows["z"].Owned == model.OwnedCreating })
	at := time.Now()
	w.want(model.AccountRow{Identity: "z", Leaver: true, LeaverAt: &at})
	w.until("zoe is settled", func(rows map[string]model.AccountRow) bool { return rows["z"].State == model.StateDeleted })
}
