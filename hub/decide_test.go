package hub_test

import (
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/policy"
)

// TestRowsOfEqualDecision: facts read back from the store have other Go types
// than fresh ones, which is no news.
func TestRowsOfEqualDecision(t *testing.T) {
	t.Parallel()
	account := &model.Account{UserName: "ada", Active: true, Groups: []string{"eng"}}
	reason := func(level any, list any, version int64) map[string][]model.Reason {
		return map[string][]model.Reason{"": {{Role: "eng", Facts: map[string]any{"level": level, "list": list}, Version: version}}}
	}
	d := hub.Decision{Identity: model.Identity{ID: "i1"}, Stage: model.Active,
		Desired: map[string]policy.Desired{"git": {Account: account, Because: reason(int64(3), []string{"a"}, 2)}}}
	for name, tt := range map[string]struct {
		stored           model.AccountRow
		changed, reasons int
	}{
		"equal":         {model.AccountRow{Target: "git", Desired: account, Because: reason(float64(3), []any{"a"}, 1)}, 0, 0},
		"other reasons": {model.AccountRow{Target: "git", Desired: account, Because: reason(float64(4), []any{"a"}, 1)}, 0, 1},
		"other account": {model.AccountRow{Target: "git", Desired: &model.Account{UserName: "ada", Active: true}, Because: reason(float64(3), []any{"a"}, 1)}, 1, 0},
		"was a leaver":  {model.AccountRow{Target: "git", Desired: account, Leaver: true, Because: reason(float64(3), []any{"a"}, 1)}, 1, 0},
		"none yet":      {model.AccountRow{Target: "chat", Desired: account}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed, reasons := d.Rows([]model.AccountRow{tt.stored}, nil, false)
			if len(changed) != tt.changed || len(reasons) != tt.reasons {
				t.Errorf("%d changed, %d with new reasons; want %d and %d", len(changed), len(reasons), tt.changed, tt.reasons)
			}
		})
	}
}

// TestTransition reads the table of the function, row by row.
func TestTransition(t *testing.T) {
	t.Parallel()
	role := []string{"r"}
	for _, tt := range []struct {
		before, after model.Stage
		gained, lost  []string
		want          string
	}{
		{"", model.Active, role, nil, "joiner"},
		{model.Prehire, model.Active, nil, nil, "joiner"},
		{model.Leaver, model.Active, role, nil, "rehire"},
		{model.Active, model.Leaver, nil, role, "leaver"},
		{model.Prehire, model.Leaver, nil, nil, "leaver"},
		{"", model.Prehire, nil, nil, "prehire"},
		{model.Active, model.Active, role, nil, "mover"},
		{model.Active, model.Active, nil, role, "mover"},
		{model.Active, model.Active, nil, nil, ""},
		{model.Leaver, model.Leaver, nil, nil, ""},
		{"", model.Leaver, nil, nil, ""},
	} {
		if got := hub.Transition(tt.before, tt.after, tt.gained, tt.lost); got != tt.want {
			t.Errorf("%q to %q with %v gained and %v lost: %q, want %q", tt.before, tt.after, tt.gained, tt.lost, got, tt.want)
		}
	}
}
