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
		{"a huge count does not overflow", RetryFacts{Attempts: 1 << 30}, Invalid, 0, 19 * time.Hour, 29 * time.Hour},
		{"six hours at most to begin with", RetryFacts{Attempts: 10}, Conflict, 0, 288 * time.Minute, 432 * time.Minute},
		{"then twelve", RetryFacts{Attempts: 11}, Conflict, 0, 576 * time.Minute, 864 * time.Minute},
		{"then daily", RetryFacts{Attempts: 12}, Conflict, 0, 1152 * time.Minute, 1728 * time.Minute},
		{"a server is asked more often", RetryFacts{Attempts: 30}, Server, 0, 8 * time.Minute, 12 * time.Minute},
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

// Tried for four weeks and no longer, unless it is a leaver or passes by itself.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	now := noon
	attempts := 1
	for ; !GivesUp(RetryFacts{Attempts: attempts}, Invalid); attempts++ {
		now = NextAttempt(RetryFacts{Key: "t/anna", Attempts: attempts}, Invalid, 0, now)
	}
	if d := now.Sub(noon); d < 25*24*time.Hour || d > 31*24*time.Hour {
		t.Errorf("given up after %v and %d attempts", d, attempts)
	}
	if GivesUp(RetryFacts{Attempts: 1000, Leaver: true}, Invalid) || GivesUp(RetryFacts{Attempts: 1000}, Server) {
		t.Error("given up what must not be")
	}
}
