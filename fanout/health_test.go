package fanout

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestHealthBackOff(t *testing.T) {
	t.Parallel()
	down := &ClientError{Class: Server, Status: 503}
	var h Health
	for range failuresToBackOff - 1 {
		h = h.Failed("t", down, noon)
	}
	if h.probing() {
		t.Fatal("backs off too early")
	}
	h = h.Failed("t", &ClientError{Class: Invalid}, noon)
	if h.Failures != failuresToBackOff-1 {
		t.Error("a bad object counts against the target")
	}
	h = h.Failed("t", down, noon)
	if !h.RetryAt.After(noon) {
		t.Fatal("does not back off")
	}
	if got := h.Succeeded(noon); got != h {
		t.Error("a late answer ends the pause")
	}
	if late := h.Failed("t", down, noon); late != h {
		t.Error("late failures lengthen the pause")
	}
	now := noon
	for range 12 {
		now = h.RetryAt
		h = h.Failed("t", down, now)
	}
	if !h.quarantined() {
		t.Errorf("not quarantined after %v of failures", now.Sub(noon))
	}
	if got := h.Succeeded(h.RetryAt); got != (Health{}) {
		t.Errorf("after success: %+v", got)
	}
	if one := (Health{}).Failed("t", &ClientError{Class: Throttled, Status: 429, RetryAfter: 7 * time.Second}, noon); one.RetryAt.Sub(noon) != 7*time.Second {
		t.Errorf("429 pauses for %v", one.RetryAt.Sub(noon))
	}
	if one := (Health{}).Failed("t", &ClientError{Class: Credentials, Status: 401}, noon); !one.probing() || one.quarantined() {
		t.Errorf("one 401: %+v", one)
	}
}

// What leads into quarantine and what does not: a list of operations, a minute apart
// where gap is not set.
func TestHealthQuarantine(t *testing.T) {
	t.Parallel()
	const good = Class("")
	repeat := func(n int, classes ...Class) (out []Class) {
		for range n {
			out = append(out, classes...)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		ops    []Class
		status int
		gap    time.Duration
		reason string // empty: not quarantined
	}{
		{"one 401 may be a token that has just ended", []Class{good, Credentials, good}, 401, 0, ""},
		{"401 twice", []Class{Credentials, Credentials}, 401, time.Millisecond, "credentials"},
		{"401 while others are still answered", []Class{Credentials, good, good, Credentials}, 401, time.Hour, ""},
		{"403 for a few objects", []Class{Credentials, Credentials, good, Credentials, Credentials}, 403, time.Second, ""},
		{"403 for everything", repeat(5, Credentials), 403, time.Second, "credentials"},
		{"no SCIM there", repeat(5, Garbage), 200, time.Millisecond, "no SCIM"},
		{"one strange answer", []Class{Garbage, good, Garbage, good, Garbage, good, Garbage, good, Garbage, good, Garbage}, 200, time.Millisecond, ""},
		{"half of many fail", repeat(60, Server, good), 500, time.Millisecond, "operations failed"},
		{"a quarter of many fails", repeat(100, Server, good, good, good), 500, time.Millisecond, ""},
		{"half of few fail", repeat(20, Server, good), 500, time.Millisecond, ""},
		{"most people's data is wrong", repeat(500, Invalid, Invalid, good), 400, time.Millisecond, ""},
		{"nothing but invalid data", repeat(500, Invalid), 400, time.Minute, ""},
		{"throttled all the time", repeat(500, Throttled), 429, 10 * time.Minute, ""},
		{"down for an hour", repeat(20, Network), 0, 3 * time.Minute, "30m of nothing"},
		{"down for ten minutes", repeat(20, Network), 0, 30 * time.Second, ""},
		{"failures of long ago count less", append(repeat(24, Server, Server, good), repeat(30, good)...), 500, time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var h Health
			now := noon
			for _, class := range c.ops {
				now = now.Add(c.gap)
				if class == good {
					h = h.Succeeded(now)
				} else {
					h = h.Failed("t", &ClientError{Class: class, Status: c.status}, now)
				}
				if h.quarantined() {
					break
				}
			}
			want := c.reason
			if want == "30m of nothing" {
				want = "nothing but failures for 30m"
			}
			if (want == "") != !h.quarantined() || !strings.Contains(h.Reason, want) {
				t.Errorf("reason %q, want %q", h.Reason, want)
			}
		})
	}
}

// Probes become rarer, and daily after days; a good one lets one account through, which
// ends the quarantine or does not.
func TestHealthProbes(t *testing.T) {
	t.Parallel()
	refused := &ClientError{Class: Credentials, Status: 401}
	h := Health{}.Failed("t", refused, noon).Failed("t", refused, noon)
	began := noon
	var gaps []time.Duration
	now := noon
	for range 60 {
		gaps = append(gaps, h.RetryAt.Sub(now).Round(time.Minute))
		now = h.RetryAt
		if late := h.Failed("t", refused, now.Add(-time.Second)); late != h {
			t.Fatal("a leaver's failure makes the next probe later")
		}
		h = h.Failed("t", refused, now)
	}
	if gaps[0] != time.Minute || gaps[3] < 7*time.Minute || gaps[3] > 9*time.Minute || gaps[59] < 21*time.Hour {
		t.Errorf("gaps %v", gaps)
	}
	if h.QuarantinedAt != began {
		t.Errorf("since %v", h.QuarantinedAt)
	}
	now = h.RetryAt
	well := h.Answered()
	if !well.quarantined() || !well.probing() || !well.Probed {
		t.Errorf("after a good probe: %+v", well)
	}
	if again := well.Failed("t", refused, now); !again.quarantined() || again.Probed || !again.RetryAt.After(now) {
		t.Errorf("the account failed: %+v", again)
	}
	if got := well.Succeeded(now); got != (Health{}) {
		t.Errorf("the account went well: %+v", got)
	}
}

// A target that refuses the hub's token is left alone but for probes, says so, and works
// again by itself.
func TestWorkerQuarantine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "401:100%")
	clock := newClock()
	w.worker.Now = clock.now
	w.start()
	w.wantMany(40)
	state := func() store.TargetState {
		t.Helper()
		st, err := w.store.TargetState(t.Context(), "git")
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	w.until("quarantine", func(map[string]model.AccountRow) bool { return state().QuarantinedAt != nil })
	if st := state(); !strings.Contains(st.Reason, "credentials") || st.RetryAt == nil {
		t.Errorf("state %+v", st)
	}
	requests := w.app.Stats().Total()
	if requests > 30 {
		t.Errorf("%d requests were refused", requests)
	}
	clock.add(2 * time.Minute)
	w.worker.Nudge("git")
	w.until("a probe in vain", func(map[string]model.AccountRow) bool { return state().Probes > 0 })
	if n := w.app.Stats().Total(); n != requests+1 {
		t.Errorf("%d requests for a probe", n-requests)
	}
	if err := w.app.SetFaults(""); err != nil {
		t.Fatal(err)
	}
	clock.add(time.Hour)
	if err := w.store.DueNow(t.Context(), "git"); err != nil { // the store's clock was not put forward
		t.Fatal(err)
	}
	w.worker.Nudge("git")
	w.allIn(model.StateInSync)
	w.until("out of quarantine", func(map[string]model.AccountRow) bool { return state().QuarantinedAt == nil })
}

// Wrong data of most people leaves the target alone.
func TestWorkerBadDataIsNoQuarantine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "400:60%")
	w.start()
	w.wantMany(200)
	w.until("all tried", func(rows map[string]model.AccountRow) bool {
		for _, r := range rows {
			if r.State == model.StatePending {
				return false
			}
		}
		return true
	})
	st, err := w.store.TargetState(t.Context(), "git")
	if err != nil || st.QuarantinedAt != nil || st.RetryAt != nil {
		t.Errorf("state %+v, %v", st, err)
	}
}
