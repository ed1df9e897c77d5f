package fanout

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model"
)

var update = flag.Bool("update", false, "write golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "plan", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	left := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	because := map[string][]model.Reason{"": {{Role: "employee", Rule: "user.active"}}, "eng": {{Role: "engineer", Rule: `user.enterprise.department == "Engineering"`}, {Role: "engineer", Request: "17"}}, "all": {{Group: "app-git-all"}}}
	leaver := ours(nil, account("zoe", "eng"))
	leaver.Identity, leaver.Leaver, leaver.LeaverAt = "z", true, &left
	mover := ours(retitled(account("bob", "eng", "all"), "Manager"), account("bob", "old"))
	mover.Identity, mover.Because = "b", because
	rows := []model.AccountRow{leaver, mover,
		{Identity: "n", Desired: account("new\x1b[2J\u202e", "eng"), Because: because},
		{Identity: "f", Desired: account("found"), RemoteID: "9", Observed: retitled(account("found"), strings.Repeat("long ", 60)), Because: because}}
	for _, name := range []string{"amy", "ann", "art"} {
		r := ours(nil, account(name))
		r.Identity = name
		rows = append(rows, r)
	}
	target := model.Target{Name: "crm", Mode: model.ModeEnforce, Adopt: "ask"}
	p := Guard(Diff(target, generic(t), rows, noon), GuardFacts{Guard: model.Guard{Percent: 50, Floor: 1, Window: time.Hour}, Population: 6})
	golden(t, "mixed", Render(p))
	golden(t, "empty", Render(model.Plan{Target: "crm"}))
	golden(t, "one", Render(model.Plan{Target: "crm", Changes: []model.Change{{Verb: model.CreateGroup, Group: "eng"}}}))
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Guard = model.Guard{Floor: 1, Window: time.Hour} }, "")
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna", "eng")}, model.AccountRow{Identity: "b", Desired: account("ben")}, model.AccountRow{Identity: "c", Desired: account("cleo")})
	w.allIn(model.StateInSync)
	w.stop()
	facts := PreviewFacts{Now: time.Now()}
	if p, err := Preview(t.Context(), w.store, w.target, facts); err != nil || len(p.Changes) != 0 {
		t.Fatalf("in sync: %v, %v", brief(p), err)
	}
	w.want(model.AccountRow{Identity: "a", Desired: account("anna", "eng", "new")}, model.AccountRow{Identity: "b"}, model.AccountRow{Identity: "c"})
	p, err := Preview(t.Context(), w.store, w.target, facts)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(brief(p), "; "); got != "disable ben; disable cleo HELD; create-group  new; join anna new" {
		t.Errorf("plan: %s", got)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil || p.Name != name || p.PageMax < 1 || p.Patch.MaxMemberChanges < 1 || p.Delete == "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := ProfileNamed("slak"); err == nil || !strings.Contains(err.Error(), "slack") || model.CodeOf(err) != model.Invalid {
		t.Errorf("unknown profile: %v", err)
	}
	p := Profile{model.Profile{SendUnknown: true, UserNameFolds: true, SingleValued: true, Drops: []string{"name", "urn:x:User"}}}
	got := p.Canonical(model.Account{UserName: " Anna ", Groups: []string{"b", "a", "b"}, Attrs: map[string]any{
		"name.familyName": "x", "nameless": "y", "urn:x:User:dept": "z", "title": "",
		"emails": []any{map[string]any{"value": "1"}, map[string]any{"value": "2", "primary": true}}}})
	if got.UserName != "anna" || strings.Join(got.Groups, "") != "ab" || len(got.Attrs) != 2 || got.Attrs["nameless"] != "y" {
		t.Errorf("canonical: %+v", got)
	}
	if list := got.Attrs["emails"].([]any); len(list) != 1 || list[0].(map[string]any)["value"] != "2" {
		t.Errorf("the primary one stays: %v", list)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"git", "chat"} {
		m.operation(target, "create", nil, noon, noon.Add(time.Second))
		m.operation(target, "create", &ClientError{Class: Throttled}, noon, noon)
		m.swept(target, "ok")
		m.left(target, noon, noon.Add(time.Minute))
	}
	series := func() map[string]int {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, f := range families {
			got[f.GetName()] = len(f.GetMetric())
		}
		return got
	}
	want := map[string]int{"scimhub_target_operations_total": 4, "scimhub_target_operation_seconds": 2, "scimhub_drift_sweeps_total": 2, "scimhub_leaver_seconds": 2}
	if got := series(); !maps.Equal(got, want) {
		t.Errorf("series %v, want %v", got, want)
	}
	m.forget("git")
	for name := range want {
		want[name] /= 2
	}
	if got := series(); !maps.Equal(got, want) {
		t.Errorf("without git: series %v, want %v", got, want)
	}
	if _, err := NewMetrics(reg); err == nil {
		t.Error("registered twice")
	}
}
