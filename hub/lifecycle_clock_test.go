package hub_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// restarted is another process over the same database.
func (w *world) restarted() *world {
	w.t.Helper()
	h := hub.New(w.Store, slog.New(slog.DiscardHandler))
	h.Activate(w.Snapshot())
	again := *w
	again.Hub = h
	return &again
}

// TestDatesComeAfterARestart: what is due is in the database, not in a process.
func TestDatesComeAfterARestart(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		id := w.identityOf(w.person("ada", "displayName", "A", "title", "2027-03-31").ID)
		w.evaluate()
		w.clock.Set(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) // long down
		w.restarted().evaluate()
		w.wantStage(id, model.Leaver)
	})
}

// TestManyDatesAtOnce: a whole population whose last day it is leaves, planned.
func TestManyDatesAtOnce(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		const n = 250
		for i := range n {
			w.person(fmt.Sprint("u", i), "displayName", "A", "title", "2027-03-31")
		}
		w.evaluate()
		w.at("2027-03-31T21:59:59Z")
		stages := func() int {
			return w.db.Int(w.t, `SELECT count(*) FROM identities WHERE stage = 'leaver'`)
		}
		if got := stages(); got != 0 {
			w.t.Errorf("%d left early", got)
		}
		w.at("2027-03-31T22:00:00Z")
		if got := stages(); got != n {
			w.t.Errorf("%d of %d left", got, n)
		}
		if len(w.held()) != 0 {
			w.t.Error("planned leavers are held")
		}
	})
}

// TestClockSetBack: what a clock that was far ahead decided is put right, in a process
// that saw it and in one that began afterwards.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"running": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, life, func(w *world) {
				early := w.identityOf(w.person("early", "displayName", "A", "nickName", "2027-04-01").ID)
				ends := w.identityOf(w.person("ends", "displayName", "A", "title", "2027-04-30").ID)
				w.evaluate()
				w.at("2031-01-01T00:00:00Z")
				w.wantStage(early, model.Active)
				w.wantStage(ends, model.Leaver)
				update(w, "claimed", early) // and a mark that somebody holds who is gone
				w.db.Exec(w.t, `UPDATE marks SET leased_until = ?`, w.clock.Now().Add(time.Minute).UnixMicro())
				w.clock.Set(noon().Add(time.Hour))
				now := w
				if restart {
					now = w.restarted()
				}
				now.evaluate()
				w.wantStage(early, model.Prehire)
				w.wantStage(ends, model.Active)
				w.wantRoles(early)
				if r := w.state(ends).row; r.LeftAt != nil || r.NextAt == nil {
					w.t.Errorf("%+v", r)
				}
				w.at("2027-03-31T22:00:00Z")
				w.wantStage(early, model.Active)
				w.at("2027-04-30T22:00:00Z")
				w.wantStage(ends, model.Leaver)
			})
		})
	}
}

// TestZoneChanged: a configuration with another zone moves the moments of all dates.
func TestZoneChanged(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		snap, err := w.Apply(ctxOf(w), operator, "hub.yaml", []byte(life), 0)
		if err != nil {
			w.t.Fatal(err)
		}
		w.Activate(snap)
		id := w.identityOf(w.person("ada", "displayName", "A", "title", "2027-03-31").ID)
		w.evaluate()
		next := func() string { return w.state(id).row.NextAt.Format(time.RFC3339) }
		if got := next(); got != "2027-03-31T22:00:00Z" {
			w.t.Errorf("in Berlin: %s", got)
		}
		events := len(w.events(id))
		if snap, err = w.Apply(ctxOf(w), operator, "hub.yaml", []byte(strings.Replace(life, "Europe/Berlin", "America/New_York", 1)), 1); err != nil {
			w.t.Fatal(err)
		}
		w.Activate(snap)
		w.evaluate()
		if got := next(); got != "2027-04-01T04:00:00Z" {
			w.t.Errorf("in New York: %s", got)
		}
		if got := w.events(id); len(got) != events {
			w.t.Errorf("a change of the zone is told as somebody's extension: %v", got)
		}
	})
}
