package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
)

var quiet = strings.Replace(oneSource, "hr: {dialect: rfc,", "hr: {silent: 26h, owner: hr@x.example, dialect: rfc,", 1)

func TestSilentSource(t *testing.T) {
	t.Parallel()
	each(t, quiet, func(w *world) {
		t := w.t
		look := func() {
			t.Helper()
			if err := w.FindSilence(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, silent, resumed, findings int) {
			t.Helper()
			got := [3]int{w.db.Int(w.t, `SELECT count(*) FROM events WHERE type = 'source.silent'`), w.db.Int(w.t, `SELECT count(*) FROM events WHERE type = 'source.resumed'`),
				w.db.Int(w.t, `SELECT count(*) FROM findings WHERE identity_id = '' AND kind = 'source'`)}
			if got != [3]int{silent, resumed, findings} {
				w.t.Errorf("%s: %v", when, got)
			}
		}
		person := w.identityOf(w.person("ada").ID)
		w.evaluate()
		look() // begins to listen
		w.clock.Add(27 * time.Hour)
		look()
		look()
		check("never heard of", 1, 0, 1)
		if err := w.SourceSeen(t.Context(), "hr", w.Store.Now()); err != nil {
			t.Fatal(err)
		}
		check("talks", 1, 1, 0)
		w.clock.Add(25 * time.Hour)
		w.SeenInPassing("hr")
		look()
		w.clock.Add(25 * time.Hour)
		look()
		check("talks each day", 1, 1, 0)
		w.clock.Add(2 * time.Hour)
		look()
		check("silent again", 2, 1, 1)
		w.evaluate()
		if s := w.state(person); len(s.roles) == 0 {
			t.Error("silence took roles away")
		}
		w.doImport(csvOf("userName\nada\n")) // without a difference, and yet a word of the source
		check("an import", 2, 2, 0)
		w.clock.Add(27 * time.Hour)
		look()
		check("silent", 3, 2, 1)
		snap, err := hub.Compile(2, "hub.yaml", []byte(oneSource), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Activate(snap)
		look()
		check("may be silent for ever", 3, 2, 0)
	})
}

// It is written at most once a minute that a source was heard of.
func TestSourceSeenIsWrittenSeldom(t *testing.T) {
	t.Parallel()
	each(t, quiet, func(w *world) {
		t := w.t
		seen := func() time.Time {
			states, err := w.Store.SourceStates(t.Context())
			if err != nil || states["hr"].LastSeen == nil {
				t.Fatalf("%v %v", states, err)
			}
			return *states["hr"].LastSeen
		}
		for range 3 {
			if err := w.SourceSeen(t.Context(), "hr", w.Store.Now()); err != nil {
				t.Fatal(err)
			}
			w.clock.Add(25 * time.Second)
		}
		if !seen().Equal(noon()) {
			t.Errorf("seen at %s", seen())
		}
		if err := w.SourceSeen(t.Context(), "hr", w.Store.Now()); err != nil {
			t.Fatal(err)
		}
		if !seen().Equal(noon().Add(75 * time.Second)) {
			t.Errorf("seen at %s", seen())
		}
	})
}
