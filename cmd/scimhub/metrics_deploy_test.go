package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// deployed is where rules and dashboards are.
const deployed = "../../deploy"

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

func rulesOf(t *testing.T, name string) ruleFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployed, "prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	var f ruleFile
	if err := yaml.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// dashboard is the part of Grafana's format that is checked.
type dashboard struct {
	UID, Title, Description string
	SchemaVersion           int
	Templating              struct {
		List []struct {
			Name, Type, Definition string
			Datasource             *struct{ UID string }
		}
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               struct{ Type, UID string }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct {
			RefID, Expr string
			Datasource  struct{ UID string }
		}
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(deployed, "grafana", "dashboards", "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("dashboards: %q, %v", files, err)
	}
	out := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[filepath.Base(file)] = d
	}
	return out
}

// A metric in an expression, with its selector where it has one.
var (
	usedMetric = regexp.MustCompile(`((?:scimhub|process|go)[_:][a-zA-Z0-9_:]+)\s*(\{[^}]*\})?`)
	usedLabel  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"`)
)

// unknownIn is what an expression asks for that there is not.
func unknownIn(expr string, metrics map[string][]string) (out []string) {
	for _, use := range usedMetric.FindAllStringSubmatch(expr, -1) {
		name := use[1]
		labels, known := metrics[name]
		if !known {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				if base, is := strings.CutSuffix(name, end); is && histograms.MatchString(base) {
					labels, known = append(slices.Clone(metrics[base]), "le"), true
				}
			}
		}
		if !known {
			out = append(out, name)
			continue
		}
		for _, l := range usedLabel.FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(append([]string{"job", "instance"}, labels...), l[1]) && !strings.Contains(name, ":") {
				out = append(out, name+"{"+l[1]+"}")
			}
		}
	}
	return out
}

// TestUnknownIn: the check below can fail.
func TestUnknownIn(t *testing.T) {
	t.Parallel()
	metrics := map[string][]string{"scimhub_accounts": {"target", "state"}, "scimhub_leaver_seconds": {"target"}}
	expr := `max without (pod) (scimhub_accounts{job="x",state="a",person=~"b"}) + scimhub_acounts / rate(scimhub_leaver_seconds_bucket{le="1",kind="z"}[5m])`
	if got := strings.Join(unknownIn(expr, metrics), " "); got != "scimhub_accounts{person} scimhub_acounts scimhub_leaver_seconds_bucket{kind}" {
		t.Errorf("found %q", got)
	}
}

// TestDeployedMetrics: every metric and label that rules, alerts and dashboards ask for is
// there; every alert says what it means and has its section in docs/alerts.md; dashboards
// are whole.
func TestDeployedMetrics(t *testing.T) {
	t.Parallel()
	metrics := map[string][]string{}
	for _, l := range metricLines(t) {
		metrics[l.name] = l.labels
	}
	for _, name := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "go_goroutines", "go_memstats_heap_alloc_bytes"} {
		metrics[name] = nil
	}
	recording, alerts := rulesOf(t, "rules.yaml"), rulesOf(t, "alerts.yaml")
	for _, g := range recording.Groups {
		for _, r := range g.Rules {
			metrics[r.Record] = nil
		}
	}
	for _, f := range []ruleFile{recording, alerts} {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				for _, u := range unknownIn(r.Expr, metrics) {
					t.Errorf("%s%s asks for %s, which is not there", r.Record, r.Alert, u)
				}
			}
		}
	}
	checkAlerts(t, alerts)
	uids := map[string]string{}
	for name, d := range dashboards(t) {
		if uids[d.UID] != "" || d.UID == "" {
			t.Errorf("%s: uid %q is that of %q, too", name, d.UID, uids[d.UID])
		}
		uids[d.UID] = name
		checkDashboard(t, name, d, metrics)
	}
}

func checkAlerts(t *testing.T, alerts ruleFile) {
	t.Helper()
	text, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob(filepath.Join(deployed, "prometheus", "tests", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tested strings.Builder
	for _, file := range tests {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tested.Write(text)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		sections[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#(\w+)\)`).FindAllStringSubmatch(string(text), -1) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(sections)), func(s string) bool { return strings.EqualFold(s, m[1]) }) {
			t.Errorf("docs/alerts.md leads to #%s, which is not there", m[1])
		}
	}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			if !sections[r.Alert] {
				t.Errorf("docs/alerts.md has no section %s", r.Alert)
			}
			delete(sections, r.Alert)
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
			}
			if r.For == "" || len(r.Annotations["summary"]) < 20 || len(r.Annotations["description"]) < 60 {
				t.Errorf("%s does not say for how long, what, or what to do: %v", r.Alert, r.Annotations)
			}
			if !strings.HasSuffix(r.Annotations["runbook_url"], "/docs/alerts.md#"+strings.ToLower(r.Alert)) {
				t.Errorf("%s leads to %s", r.Alert, r.Annotations["runbook_url"])
			}
			for _, want := range []string{"- name: " + r.Alert + " fires\n", "- name: " + r.Alert + " does not fire\n"} {
				if !strings.Contains(tested.String(), want) {
					t.Errorf("no test %q", strings.TrimSpace(want))
				}
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/alerts.md speaks of %s, which is no alert", name)
	}
}

func checkDashboard(t *testing.T, name string, d dashboard, metrics map[string][]string) {
	t.Helper()
	if d.SchemaVersion < 36 || d.Title == "" || d.Description == "" {
		t.Errorf("%s: schema %d, title %q, description %q", name, d.SchemaVersion, d.Title, d.Description)
	}
	if v := d.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" {
		t.Errorf("%s: the data source is no variable", name)
	}
	for _, v := range d.Templating.List {
		for _, u := range unknownIn(v.Definition, metrics) {
			t.Errorf("%s: variable %s asks for %s, which is not there", name, v.Name, u)
		}
	}
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: panel %q has the id %d twice", name, p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s: panel %q lies over %q or the edge", name, p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || len(p.Description) < 10 || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: panel %q lacks a title, description, unit, query or the data source's variable", name, p.Title)
		}
		for _, q := range p.Targets {
			if q.Datasource.UID != "${datasource}" || q.RefID == "" {
				t.Errorf("%s: a query of panel %q has the data source %q", name, p.Title, q.Datasource.UID)
			}
			for _, u := range unknownIn(q.Expr, metrics) {
				t.Errorf("%s: panel %q asks for %s, which is not there", name, p.Title, u)
			}
		}
	}
}
