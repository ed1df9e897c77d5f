package fanout

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// A recovery that is asked for while a sweep is under way is not answered by that sweep:
// else the target would be neither read nor written to until the next one is due.
func TestRecoveryAwaitsItsOwnSweep(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	reading := func(since time.Time) *store.Recovery {
		return &store.Recovery{Phase: store.RecoveryReading, Since: since}
	}
	for name, c := range map[string]struct {
		now, of *store.Recovery
		want    bool
	}{
		"no recovery":              {nil, nil, false},
		"it is over meanwhile":     {nil, reading(at), false},
		"of this sweep":            {reading(at), reading(at.In(time.FixedZone("", 3600))), false},
		"asked for under way":      {reading(at), nil, true},
		"asked for again":          {reading(at.Add(time.Microsecond)), reading(at), true},
		"read, and a person waits": {&store.Recovery{Phase: store.RecoveryWaiting, Since: at}, nil, false},
	} {
		if got := awaitsAnother(c.now, c.of); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
