package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestReactions(t *testing.T) {
	t.Parallel()
	leaver := model.AccountRow{Leaver: true, Applied: &model.Account{UserName: "l"}}
	gone := model.AccountRow{Applied: &model.Account{}}
	mover := model.AccountRow{Applied: &model.Account{UserName: "m"}}
	policy := func(word string, mode model.Mode) model.Target {
		return model.Target{Mode: mode, Drift: model.DriftPolicy{Changed: word, Missing: "recreate", Unknown: "disable", Sightings: 3}}
	}
	tests := []struct {
		name   string
		target model.Target
		kind   string
		row    model.AccountRow
		takes  bool
		want   reaction
	}{
		{"changed is reverted at once", policy("revert", ""), driftChanged, mover, false, reaction{"revert", 1, false}},
		{"changed is reported", policy("report", ""), driftChanged, mover, false, reaction{"report", 1, false}},
		{"changed is adopted", policy("adopt", ""), driftChanged, mover, false, reaction{"adopt", 1, false}},
		{"taken out of a group: back in at once", policy("revert", ""), driftMembership, mover, false, reaction{"revert", 1, false}},
		{"put into a group: out after sightings", policy("revert", ""), driftMembership, mover, true, reaction{"revert", 3, false}},
		{"put into a group, reported", policy("report", ""), driftMembership, mover, true, reaction{"report", 1, false}},
		{"leaver active again", policy("report", ""), driftResurrected, leaver, false, reaction{"revert", 1, true}},
		{"leaver active again where nothing may be written", policy("revert", model.ModeObserve), driftResurrected, leaver, false, reaction{"report", 1, false}},
		{"erased active again", policy("report", ""), driftResurrected, gone, false, reaction{"revert", 1, true}},
		{"mover active again", policy("revert", ""), driftResurrected, mover, false, reaction{"revert", 3, false}},
		{"mover active again, reported", policy("report", ""), driftResurrected, mover, false, reaction{"report", 1, false}},
		{"missing", policy("report", ""), driftMissing, mover, false, reaction{"recreate", 1, false}},
		{"unknown", policy("report", ""), driftUnknown, model.AccountRow{}, true, reaction{"disable", 3, false}},
		{"no policy reports", model.Target{}, driftUnknown, model.AccountRow{}, true, reaction{"report", 1, false}},
	}
	for _, tt := range tests {
		if got := reactionTo(tt.target, tt.kind, tt.row, tt.takes); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestCompareAccount(t *testing.T) {
	t.Parallel()
	p, err := ProfileNamed("")
	if err != nil {
		t.Fatal(err)
	}
	base := account("anna", "eng", "ops")
	off := model.Account{UserName: "anna", Attrs: base.Attrs}
	shown := func(active bool, title string) RemoteUser {
		return RemoteUser{ID: "1", UserName: "anna", Active: active, Attrs: map[string]any{"externalId": "x-anna", "name": map[string]any{"familyName": "ANNA"}, "title": title}}
	}
	echo := *base
	echo.Attrs = map[string]any{"externalId": "x-anna", "name.familyName": "ANNA", "title": "ENGINEER"}
	known := func(g string) bool { return g != "unread" }
	tests := []struct {
		name        string
		row         model.AccountRow
		u           RemoteUser
		groups      []string
		fields      []string
		joined      []string
		parted      []string
		resurrected bool
	}{
		{"as applied", model.AccountRow{Desired: base, Applied: base}, shown(true, "Engineer"), []string{"eng", "ops"}, nil, nil, nil, false},
		{"title", model.AccountRow{Desired: base, Applied: base, Observed: base}, shown(true, "Boss"), []string{"eng", "ops"}, []string{"title"}, nil, nil, false},
		{"the target's own form, as it showed it", model.AccountRow{Desired: base, Applied: base, Observed: &echo}, shown(true, "ENGINEER"), []string{"eng", "ops"}, nil, nil, nil, false},
		{"the target's own form, never shown", model.AccountRow{Desired: base, Applied: base}, shown(true, "ENGINEER"), []string{"eng", "ops"}, nil, nil, nil, false},
		{"not its form: known to show it as written", model.AccountRow{Desired: base, Applied: base, Observed: base, VerifiedAt: &noon}, shown(true, "ENGINEER"), []string{"eng", "ops"}, []string{"title"}, nil, nil, false},
		{"own form, and back by hand", model.AccountRow{Desired: base, Applied: base, Observed: &echo}, shown(true, "Boss"), []string{"eng", "ops"}, []string{"title"}, nil, nil, false},
		{"switched off", model.AccountRow{Desired: base, Applied: base, Observed: base}, shown(false, "Engineer"), []string{"eng", "ops"}, []string{"active"}, nil, nil, false},
		{"switched on", model.AccountRow{Applied: &off, Leaver: true}, shown(true, "Engineer"), nil, []string{"active"}, nil, nil, true},
		{"groups", model.AccountRow{Desired: base, Applied: base}, shown(true, "Engineer"), []string{"admins", "ops"}, nil, []string{"admins"}, []string{"eng"}, false},
		{"a group that was not read says nothing", model.AccountRow{Desired: base, Applied: account("anna", "eng", "ops", "unread")}, shown(true, "Engineer"), []string{"eng", "ops"}, nil, nil, nil, false},
		{"a write that was not heard of", model.AccountRow{Desired: base, Applied: base, Sent: []model.Account{{UserName: "anna", Groups: []string{"admins"}}}}, shown(true, "Engineer"), []string{"admins", "eng", "ops"}, nil, nil, nil, false},
		{"who has gone is out of a group", model.AccountRow{Applied: account("anna", "eng")}, shown(true, "Engineer"), nil, nil, nil, nil, false},
	}
	for _, tt := range tests {
		c := compareAccount(p, tt.row, tt.u, tt.groups, known)
		var fields []string
		for _, f := range c.fields {
			fields = append(fields, f.Path)
		}
		if !slices.Equal(fields, tt.fields) || !slices.Equal(c.joined, tt.joined) || !slices.Equal(c.parted, tt.parted) || c.resurrected != tt.resurrected {
			t.Errorf("%s: fields %v, joined %v, parted %v, resurrected %v", tt.name, fields, c.joined, c.parted, c.resurrected)
		}
	}
}

// TestBloom: what was added is always known, and little else.
func TestBloom(t *testing.T) {
	t.Parallel()
	b := newBloom(bloomBits)
	for i := range 100_000 {
		b.add(fmt.Sprint("in", i))
	}
	wrong := 0
	for i := range 100_000 {
		if !b.has(fmt.Sprint("in", i)) {
			t.Fatalf("in%d is forgotten", i)
		}
		if b.has(fmt.Sprint("out", i)) {
			wrong++
		}
	}
	if wrong > 20 {
		t.Errorf("%d of 100,000 are taken for known", wrong)
	}
}

// TestSweepOfCrowd: a few that are gone are made anew, one that was not listed is read,
// and a change is reverted.
func TestSweepOfCrowd(t *testing.T) {
	t.Parallel()
	c := &crowd{n: 400, differ: func(i int) string {
		return map[int]string{7: "gone", 8: "gone", 20: "unlisted", 30: "Boss"}[i]
	}}
	w, s := crowded(t, c, nil)
	report, err := w.Sweep(t.Context(), "crowd")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(SweepReport{Checked: 397, Kinds: map[string]int{driftMissing: 2, driftChanged: 1}, New: 3}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if n := c.gets.Load(); n != 4 { // two that are gone, one that was not listed, one witness
		t.Errorf("%d accounts were read by id, want 4", n)
	}
	for id, state := range map[string]model.AccountState{"i0000007": model.StatePending, "i0000020": model.StateInSync, "i0000030": model.StateDrifted, "i0000040": model.StateInSync} {
		rows, err := s.AccountsNamed(t.Context(), "crowd", []string{id})
		if err != nil || len(rows) != 1 || rows[0].State != state || rows[0].Due != (state != model.StateInSync) {
			t.Errorf("%s: %+v, %v", id, rows, err)
		}
	}
}

// TestSweepIsNotFooled: a target that has forgotten many, or everybody, or shows other
// people, gets nobody made anew, changed or disabled; and it is said why.
func TestSweepIsNotFooled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		differ func(i int) string
		change func(*model.Target)
		want   string
	}{
		{"everybody gone", func(int) string { return "gone" }, func(t *model.Target) { t.Guard = model.Guard{Percent: 100} }, "none that the hub knows"},
		{"half gone", func(i int) string { return map[bool]string{true: "gone"}[i%2 == 0] }, nil, "of 400 known accounts"},
		{"half gone, lists not trusted", func(i int) string { return map[bool]string{true: "gone"}[i%2 == 0] },
			func(t *model.Target) { t.Overrides = map[string]any{"list_trustworthy": false} }, "of 400 known accounts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s := crowded(t, &crowd{n: 400, differ: tt.differ}, tt.change)
			for range 3 {
				report, err := w.Sweep(t.Context(), "crowd")
				if err != nil || !strings.Contains(report.Refused, tt.want) || report.New != 0 {
					t.Fatalf("report %+v, %v", report, err)
				}
			}
			rows, err := s.Accounts(t.Context(), "crowd", "", 1000)
			for _, r := range rows {
				if r.State != model.StateInSync || r.Due || r.Drift != "" {
					t.Fatalf("row %+v", r)
				}
			}
			if err != nil || len(rows) != 400 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			st, err := s.TargetState(t.Context(), "crowd")
			if err != nil || !strings.Contains(st.DriftRefused, "nothing is concluded") {
				t.Errorf("state %+v, %v", st, err)
			}
			last, _, err := s.LastSweep(t.Context(), "crowd")
			if err != nil || last.Refused == "" || len(last.Findings) != 0 {
				t.Errorf("sweep %+v, %v", last, err)
			}
		})
	}
}

// TestSweepGoesOn: a sweep that was cut short is taken up by another process where it
// stopped.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &crowd{n: 3000, differ: func(i int) string { return map[int]string{2: "gone", 2999: "Boss"}[i] }}
	c.after = func(page int64) {
		if page == 15 {
			cancel()
		}
	}
	w, s := crowded(t, c, nil)
	if _, err := w.Sweep(ctx, "crowd"); err == nil {
		t.Fatal("the sweep was not cut short")
	}
	p, ok, err := s.SweepProgress(t.Context(), "crowd")
	if err != nil || !ok || p.Phase != phaseList || p.Checked < 1000 {
		t.Fatalf("progress %+v %v %v", p, ok, err)
	}
	other := &Worker{Store: s, Current: w.Current, Holder: "other", Now: time.Now, Log: w.Log}
	if err := waitFor(t, func() (bool, error) {
		report, err := other.Sweep(t.Context(), "crowd")
		if model.CodeOf(err) == model.Unavailable {
			return false, nil // the lease of the first is not over yet
		}
		if err == nil && (report.Kinds[driftMissing] != 1 || report.Kinds[driftChanged] != 1 || report.Checked != 2999) {
			err = fmt.Errorf("report %+v", report)
		}
		return true, err
	}); err != nil {
		t.Fatal(err)
	}
	if n := c.pages.Load(); n > 32 {
		t.Errorf("%d pages were read for 30", n)
	}
}

// waitFor asks until it is so, at most a minute.
func waitFor(t *testing.T, so func() (bool, error)) error {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := so(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return errors.New("waited in vain")
		}
	}
}

// TestSweepWaits: a paused target is not read any further.
func TestSweepWaits(t *testing.T) {
	t.Parallel()
	c := &crowd{n: 2000}
	w, s := crowded(t, c, nil)
	c.after = func(page int64) {
		if page == 3 {
			if err := s.UpdateTargetState(t.Context(), "crowd", func(st *store.TargetState) { st.Paused = true }); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := w.Sweep(t.Context(), "crowd"); !errors.Is(err, errSweepCut) {
		t.Errorf("error %v", err)
	}
	if n := c.pages.Load(); n != 3 {
		t.Errorf("%d pages were read of a target that was paused at the third", n)
	}
}
