package model_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

// TestStage goes through every combination of facts and of where the dates lie, and
// compares with the sentences that the table of the function stands for.
func TestStage(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	where := map[string]*time.Time{"none": nil, "past": new(now.Add(-time.Hour)), "now": &now, "future": new(now.Add(time.Microsecond))}
	come := func(at *time.Time) bool { return at != nil && !at.After(now) }
	n := 0
	for start, startsAt := range where {
		for end, endsAt := range where {
			for from, leaveFrom := range where {
				for until, leaveUntil := range where {
					for bits := range 32 {
						i := model.Identity{StartsAt: startsAt, EndsAt: endsAt, LeaveFrom: leaveFrom, LeaveUntil: leaveUntil, OnLeave: bits&1 > 0, User: attrs{}}
						enabled, linked, erased := bits&2 == 0, bits&8 == 0, bits&16 > 0
						if bits&2 > 0 {
							i.User["active"] = false
						} else if bits&4 > 0 {
							i.User["active"] = true
						}
						if linked {
							i.Links = []model.Link{{Source: "hr"}}
						}
						if erased {
							i.ErasedAt = &now
						}
						away := i.OnLeave || come(leaveFrom) && !come(leaveUntil)
						want := model.Active
						if !enabled {
							want = model.Leaver
						}
						if away {
							want = model.Leave
						}
						if startsAt != nil && !come(startsAt) {
							want = model.Prehire
						}
						if !linked || come(endsAt) {
							want = model.Leaver
						}
						if erased {
							want = model.Purged
						}
						if got := i.Stage(now); got != want {
							t.Errorf("start %s, end %s, leave %s to %s, facts %05b: %s, want %s", start, end, from, until, bits, got, want)
						}
						n++
					}
				}
			}
		}
	}
	if n != 4*4*4*4*32 {
		t.Errorf("%d combinations", n)
	}
}

// TestStageIsConstantBetweenChanges: whoever looks again at NextChange misses nothing.
func TestStageIsConstantBetweenChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
		moment := func(name string) *time.Time {
			if !rapid.Bool().Draw(t, "has "+name) {
				return nil
			}
			return new(base.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, name)) * time.Hour))
		}
		i := model.Identity{StartsAt: moment("start"), EndsAt: moment("end"), LeaveFrom: moment("from"), LeaveUntil: moment("until"),
			OnLeave: rapid.Bool().Draw(t, "leave"), User: attrs{"active": rapid.Bool().Draw(t, "active")}}
		if rapid.Bool().Draw(t, "linked") {
			i.Links = []model.Link{{Source: "hr"}}
		}
		now := base.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "now")) * time.Hour)
		stage, next := i.Stage(now), i.NextChange(now)
		if !next.IsZero() && !next.After(now) {
			t.Fatalf("the next change at %s is not after %s", next, now)
		}
		later := now.Add(time.Duration(rapid.IntRange(0, 60*60).Draw(t, "later")) * time.Minute)
		if next.IsZero() || later.Before(next) {
			if got := i.Stage(later); got != stage {
				t.Fatalf("%s at %s, %s at %s, and no change before %s", stage, now, got, later, next)
			}
		}
	})
}
