package model_test

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

func TestLeaverSummary(t *testing.T) {
	t.Parallel()
	fact := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	now := fact.Add(time.Minute)
	at := func(d time.Duration) *time.Time { t := fact.Add(d); return &t }
	var fourteen []model.LeaverTarget
	for range 14 {
		fourteen = append(fourteen, model.LeaverTarget{Target: "a", State: model.LeaverVerified, VerifiedAt: at(41 * time.Second)})
	}
	busy := model.LeaverTarget{Target: "salesforce", State: model.LeaverFailed, Status: 429, ErrorClass: "throttled", NextAt: at(72 * time.Second)}
	none := model.LeaverTarget{Target: "wiki", State: model.LeaverNotNeeded}
	one := func(lt model.LeaverTarget) []model.LeaverTarget { lt.Target = "git"; return []model.LeaverTarget{lt} }
	for _, tt := range []struct {
		targets []model.LeaverTarget
		want    string
		done    bool
	}{
		{append(fourteen, busy, none), "14 of 15 verified disabled in 41 s; salesforce pending: 429, next try in 12 s", false},
		{append(fourteen[:2:2], none), "2 of 2 verified disabled in 41 s", true},
		{nil, "nothing to take away", true},
		{one(model.LeaverTarget{State: model.LeaverNotNeeded}), "nothing to take away", true},
		{one(model.LeaverTarget{State: model.LeaverWaiting}), "0 of 1 verified disabled; git pending", false},
		{one(model.LeaverTarget{State: model.LeaverSent}), "0 of 1 verified disabled; git pending: sent, no answer yet", false},
		{one(model.LeaverTarget{State: model.LeaverAccepted, NextAt: at(60500 * time.Millisecond)}), "0 of 1 verified disabled; git pending: accepted, not shown yet, next look in 500 ms", false},
		{one(model.LeaverTarget{State: model.LeaverFailed, ErrorClass: "network", NextAt: at(0)}), "0 of 1 verified disabled; git pending: network, next try now", false},
		{one(model.LeaverTarget{State: model.LeaverFailed}), "0 of 1 verified disabled; git pending: failed", false},
		{one(model.LeaverTarget{State: model.LeaverHeld, LastError: "mode observe does not disable"}), "0 of 1 verified disabled; git held: mode observe does not disable", false},
		{one(model.LeaverTarget{State: model.LeaverTask}), "0 of 1 verified disabled; git waits for a person", false},
	} {
		r := model.LeaverRun{ReceivedAt: fact, Targets: tt.targets}
		if got := r.Summary(now); got != tt.want || r.Done() != tt.done {
			t.Errorf("%q, done %v; want %q, %v", got, r.Done(), tt.want, tt.done)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{-time.Second: "0 ms", 420 * time.Millisecond: "420 ms", 3290 * time.Millisecond: "3.2 s", 9999 * time.Millisecond: "9.9 s",
		41400 * time.Millisecond: "41 s", 59900 * time.Millisecond: "1 min 0 s", 245 * time.Second: "4 min 5 s", 123 * time.Minute: "2 h 3 min", 72 * time.Hour: "3 days"} {
		if got := model.Span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestRiskOf(t *testing.T) {
	t.Parallel()
	fact := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	const goal = 100 * time.Second
	later := fact.Add(2 * goal)
	for _, tt := range []struct {
		name  string
		state model.LeaverState
		error string
		next  *time.Time
		goal  time.Duration
		after time.Duration
		want  model.Risk
	}{
		{"just now", model.LeaverWaiting, "", nil, goal, 59 * time.Second, model.RiskNone},
		{"60 % of the goal", model.LeaverSent, "", nil, goal, 60 * time.Second, model.RiskRisk},
		{"the goal", model.LeaverAccepted, "", nil, goal, goal, model.RiskLate},
		{"the next try beyond it", model.LeaverFailed, "", &later, goal, time.Second, model.RiskRisk},
		{"verified", model.LeaverVerified, "", nil, goal, goal, model.RiskNone},
		{"nothing to do", model.LeaverNotNeeded, "", nil, goal, goal, model.RiskNone},
		{"no goal", model.LeaverWaiting, "", nil, 0, goal, model.RiskNone},
		{"a task", model.LeaverTask, "", nil, goal, goal, model.RiskLate},
		{"held for an approval", model.LeaverHeld, "deletion cannot be undone", nil, goal, goal, model.RiskLate},
		{"held by a mode", model.LeaverHeld, "mode observe does not disable", nil, goal, goal, model.RiskNone},
		{"protected", model.LeaverHeld, "protected: breakglass", nil, goal, goal, model.RiskNone},
		{"held by the source's guard", model.LeaverHeld, model.HeldBySource, nil, goal, goal, model.RiskNone},
	} {
		lt := model.LeaverTarget{State: tt.state, LastError: tt.error, NextAt: tt.next}
		if got := model.RiskOf(lt, fact, tt.goal, fact.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
