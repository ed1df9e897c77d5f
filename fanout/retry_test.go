package fanout

import (
	"testing"
	"time"
)

func TestNextAttempt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		facts    RetryFacts
		class    Class
		after    time.Duration
		min, max time.Duration
	}{
		{"server, first", RetryFacts{Attempts: 1}, Server, 0, 1600 * time.Millisecond, 2400 * time.Millisecond},
		{"server doubles", RetryFacts{Attempts: 3}, Server, 0, 6400 * time.Millisecond, 9600 * time.Millisecond},
		{"server is capped", RetryFacts{Attempts: 99}, Server, 0, 8 * time.Minute, 12 * time.Minute},
		{"a huge count does not overflow", RetryFacts{Attempts: 1 << 30}, Invalid, 0, 4 * time.Hour, 8 * time.Hour},
		{"Retry-After is kept", RetryFacts{Attempts: 1}, Throttled, 40 * time.Second, 40 * time.Second, 40 * time.Second},
		{"Retry-After has a limit", RetryFacts{Attempts: 1}, Throttled, 100 * time.Hour, time.Hour, time.Hour},
		{"invalid waits for a change", RetryFacts{Attempts: 1}, Invalid, 0, 48 * time.Second, 72 * time.Second},
		{"leaver, long failing", RetryFacts{Attempts: 50, Leaver: true}, Server, 0, 12 * time.Second, 18 * time.Second},
		{"leaver, refused", RetryFacts{Attempts: 50, Leaver: true}, Invalid, 0, 48 * time.Second, 72 * time.Second},
		{"leaver does not wait an hour", RetryFacts{Attempts: 1, Leaver: true}, Throttled, time.Hour, 30 * time.Second, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []string{"a", "b", "c", "d"} {
				tt.facts.Key = key
				got := NextAttempt(tt.facts, tt.class, tt.after, noon).Sub(noon)
				if got < tt.min || got > tt.max {
					t.Errorf("key %s: %v, want %v to %v", key, got, tt.min, tt.max)
				}
				if again := NextAttempt(tt.facts, tt.class, tt.after, noon).Sub(noon); again != got {
					t.Errorf("not deterministic: %v and %v", got, again)
				}
			}
		})
	}
}

func TestHealth(t *testing.T) {
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
	if h.QuarantinedAt.IsZero() {
		t.Errorf("not quarantined after %v of failures", now.Sub(noon))
	}
	if got := h.Succeeded(h.RetryAt); got != (Health{}) {
		t.Errorf("after success: %+v", got)
	}
	if one := (Health{}).Failed("t", &ClientError{Class: Throttled, Status: 429, RetryAfter: 7 * time.Second}, noon); one.RetryAt.Sub(noon) != 7*time.Second {
		t.Errorf("429 pauses for %v", one.RetryAt.Sub(noon))
	}
	if one := (Health{}).Failed("t", &ClientError{Class: Credentials, Status: 401}, noon); !one.probing() {
		t.Error("401 does not pause")
	}
}
