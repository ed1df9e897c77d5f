package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Whatever three targets say of a leaver: the run is done only if access is gone, and
// verified so, wherever there was any, and its summary names each target that is open.
func TestLeaverRunsWhateverTheTargetsSay(t *testing.T) {
	t.Parallel()
	fact := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	at := fact.Add(3 * time.Second)
	states := []model.LeaverState{model.LeaverWaiting, model.LeaverSent, model.LeaverAccepted, model.LeaverVerified, model.LeaverFailed, model.LeaverHeld, model.LeaverTask, model.LeaverNotNeeded}
	for i := range len(states) * len(states) * len(states) {
		run := model.LeaverRun{ReceivedAt: fact}
		open, verified := 0, 0
		for n, rest := 0, i; n < 3; n, rest = n+1, rest/len(states) {
			target := model.LeaverTarget{Target: fmt.Sprint("target", n), State: states[rest%len(states)], LastError: "words"}
			switch target.State {
			case model.LeaverVerified:
				target.VerifiedAt, verified = &at, verified+1
			case model.LeaverNotNeeded:
			default:
				open++
			}
			run.Targets = append(run.Targets, target)
		}
		text := run.Summary(fact.Add(time.Minute))
		if run.Done() != (open == 0) {
			t.Fatalf("done %v with %d open: %s", run.Done(), open, text)
		}
		if open+verified > 0 && !strings.HasPrefix(text, fmt.Sprintf("%d of %d verified", verified, open+verified)) {
			t.Fatalf("%d verified, %d open: %s", verified, open, text)
		}
		for _, target := range run.Targets {
			if n := strings.Count(text, target.Target); n > 1 || (n == 1) != target.Open() {
				t.Fatalf("%s is %s: %s", target.Target, target.State, text)
			}
		}
	}
}

// The risk of a leaver's goal only grows while nothing changes, and is late when the goal
// has passed.
func TestRiskGrows(t *testing.T) {
	t.Parallel()
	fact := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	const goal = time.Minute
	rank := map[model.Risk]int{model.RiskNone: 0, model.RiskRisk: 1, model.RiskLate: 2}
	next := fact.Add(2 * goal)
	for _, state := range []model.LeaverState{model.LeaverWaiting, model.LeaverSent, model.LeaverAccepted, model.LeaverFailed, model.LeaverHeld, model.LeaverTask, model.LeaverVerified} {
		last := 0
		for now := fact; now.Before(fact.Add(3 * goal)); now = now.Add(time.Second) {
			risk := model.RiskOf(model.LeaverTarget{State: state, NextAt: &next, LastError: "removal 3 of at most 2"}, fact, goal, now)
			late := state != model.LeaverVerified && !now.Before(fact.Add(goal))
			if rank[risk] < last || (risk == model.RiskLate) != late {
				t.Fatalf("%s after %v: %q", state, now.Sub(fact), risk)
			}
			last = rank[risk]
		}
	}
}
