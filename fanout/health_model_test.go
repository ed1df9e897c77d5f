package fanout

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// ago is a target's standing as it is after some time has passed: the clock stands still
// and everything else moves, so that standings reached by different ways are one.
func (h Health) ago(d time.Duration) Health {
	for _, at := range []*time.Time{&h.RetryAt, &h.FailingSince, &h.QuarantinedAt, &h.Window.Since} {
		if !at.IsZero() {
			*at = at.Add(-d)
		}
	}
	return h
}

// event is something that happens to a target, as the worker tells it.
type event struct {
	name string
	verb string
	err  error
}

func healthEvents() []event {
	one := func(class Class, status int, after time.Duration) error {
		return &ClientError{Class: class, Status: status, RetryAfter: after}
	}
	return []event{
		{"ok", "update", nil},
		{"401", "update", one(Credentials, 401, 0)},
		{"403", "update", one(Credentials, 403, 0)},
		{"429", "update", one(Throttled, 429, 0)},
		{"429 for a week", "update", one(Throttled, 429, 7*24*time.Hour)},
		{"500", "update", one(Server, 500, 0)},
		{"garbage", "get", one(Garbage, 200, 0)},
		{"invalid", "update", one(Invalid, 400, 0)},
		{"missing", "update", one(Missing, 404, 0)},
	}
}

// Every sequence of six answers, at once or when the target has been waited for: nobody
// is quarantined by what is wrong with one object, or without a reason, or for ever; a
// target that shows itself well is well; and leavers are let through all the time.
func TestHealthWhateverHappens(t *testing.T) {
	t.Parallel()
	const length = 6
	r := &runner{w: &Worker{Now: func() time.Time { return noon }}}
	r.target.Name = "t"
	seen := map[Health]string{{}: ""} // with one way to get there
	last := []Health{{}}
	for range length {
		var next []Health
		for _, h := range last {
			for _, e := range healthEvents() {
				for _, waits := range []bool{false, true} {
					before := h
					if waits {
						if !h.RetryAt.After(noon) {
							continue
						}
						before = h.ago(h.RetryAt.Sub(noon))
					}
					r.health = before
					r.judge(e.verb, e.err)
					way := func() string {
						return seen[h] + ", " + e.name + map[bool]string{true: " (in time)"}[waits]
					}
					if checkHealth(t, before, r.health, e, way); t.Failed() {
						return
					}
					if _, known := seen[r.health]; !known {
						seen[r.health] = way()
						next = append(next, r.health)
					}
				}
			}
		}
		last = next
	}
	quarantined := 0
	for h, way := range seen {
		if h.quarantined() {
			quarantined++
		}
		r.health = h
		if r.halted(t.Context(), urgently(t.Context())) {
			t.Fatalf("%s: leavers wait", way)
		}
		at := noon
		if h.RetryAt.After(at) {
			at = h.RetryAt
		}
		if well := h.Answered().Succeeded(at); well.quarantined() || well.probing() || well.Failures > 0 || well.Reason != "" {
			t.Fatalf("%s: well and still %+v", way, well)
		}
	}
	if len(seen) < 1000 || quarantined < 100 {
		t.Errorf("%d standings, %d of them quarantined: that says nothing", len(seen), quarantined)
	}
	t.Logf("%d standings, %d of them quarantined", len(seen), quarantined)
}

func checkHealth(t *testing.T, before, after Health, e event, way func() string) {
	t.Helper()
	fault := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s\nbefore %+v\nafter  %+v", way(), fmt.Sprintf(format, args...), before, after)
	}
	begins := after.quarantined() && !before.quarantined()
	class := ClassOf(e.err)
	wait := after.RetryAt.Sub(noon)
	switch {
	case after.quarantined() && (after.Reason == "" || !after.RetryAt.After(after.QuarantinedAt)):
		fault("quarantined without a reason or a probe to come")
	case begins && (e.err == nil || !class.ofTarget() || class == Throttled):
		fault("quarantined by what is not about the target")
	case begins && strings.Contains(after.Reason, "credentials") && asClientError(e.err).Status == 403 && after.Same < failuresToBackOff:
		fault("quarantined by a few objects that are refused")
	case begins && class != Credentials && after.Failures-after.Throttled < failuresToBackOff && after.Window.Operations < windowLeast:
		fault("quarantined after %d failures", after.Failures)
	case before.quarantined() && !after.quarantined() && (e.err != nil && class.ofTarget() || noon.Before(before.RetryAt)):
		fault("out of quarantine by a failure, or a late answer")
	case !class.ofTarget() && after.Failures > before.Failures:
		fault("counts what is wrong with one object")
	case !after.quarantined() && wait > longestPause, wait > 27*time.Hour:
		fault("waits for %v", wait)
	case after.RetryAt.Before(before.RetryAt) && !noon.Before(before.RetryAt) && class.ofTarget():
		fault("waits less than before")
	case after.quarantined() && before.quarantined() && !after.QuarantinedAt.Equal(before.QuarantinedAt):
		fault("quarantined anew")
	}
}
