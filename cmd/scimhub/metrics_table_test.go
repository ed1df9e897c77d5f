package main

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// metricLine is a metric as the program describes it.
type metricLine struct {
	name, kind, help string
	labels           []string
}

// describedText is how prometheus.Desc prints itself; there is no other way to its parts.
var describedText = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: ("(?:[^"\\]|\\.)*"),(?: unit: "[^"]*",)? constLabels: \{[^}]*\}, variableLabels: \{([^}]*)\}\}$`)

// metricLines are all metrics of a running hub, by name, those of which there is no
// series yet too.
func metricLines(t *testing.T) []metricLine {
	t.Helper()
	config := "database: sqlite:" + t.TempDir() + "/hub.db\nlisten: 127.0.0.1:0\n"
	i, err := start(t.Context(), instanceOptions{Name: "hub.yaml", Config: []byte(config), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i.close(); err != nil {
			t.Error(err)
		}
	}()
	kinds := map[string]string{}
	families, err := i.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		i.metrics.registry.Describe(descs)
		close(descs)
	}()
	var out []metricLine
	for d := range descs {
		m := describedText.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot be read: %s", d)
		}
		if !strings.HasPrefix(m[1], "scimhub_") {
			continue // of Go and of the process: their own documentation says what they are
		}
		help, err := strconv.Unquote(m[2])
		if err != nil {
			t.Fatal(err)
		}
		line := metricLine{name: m[1], help: help, kind: cmp.Or(kinds[m[1]], kindByName(m[1]))}
		for label := range strings.SplitSeq(m[3], ",") {
			if label != "" {
				line.labels = append(line.labels, label)
			}
		}
		out = append(out, line)
	}
	slices.SortFunc(out, func(a, b metricLine) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(out, func(a, b metricLine) bool { return a.name == b.name })
}

// histograms are those of which a hub that does nothing shows no series.
var histograms = regexp.MustCompile(`^scimhub_(scim_request|api_request|proxy_request|target_operation|leaver|policy_evaluation)_seconds$`)

func kindByName(name string) string {
	switch {
	case histograms.MatchString(name):
		return "histogram"
	case strings.HasSuffix(name, "_total"):
		return "counter"
	}
	return "gauge"
}

func unitOf(name string) string {
	name = strings.TrimSuffix(name, "_total")
	for _, u := range [][2]string{{"_timestamp_seconds", "Unix time, s"}, {"_seconds", "s"}, {"_bytes", "bytes"}, {"_ratio", "ratio"}} {
		if strings.HasSuffix(name, u[0]) {
			return u[1]
		}
	}
	return "number"
}

// TestMetricsTable: docs/metrics.md says what each metric is, as the program does.
// UPDATE_METRICS=1 writes it anew.
func TestMetricsTable(t *testing.T) {
	t.Parallel()
	lines := metricLines(t)
	advice := metricAdvice()
	for _, contract := range []string{"scim_requests_total{source,method,resource,code}", "scim_request_seconds{method,resource}", "target_operations_total{target,verb,result}",
		"target_operation_seconds{target,verb}", "accounts{target,state}", "drift{target,kind}", "target_last_attempt_timestamp_seconds{target}", "target_last_success_timestamp_seconds{target}",
		"target_quarantined{target}", "held_changes{target}", "pending_marks{}", "oldest_mark_seconds{}", "leaver_seconds{target}", "credential_expiry_timestamp_seconds{kind,name}",
		"policy_evaluations_total{result}", "approvals_pending{}", "scim_deviations_total{source,deviation}"} {
		if !slices.ContainsFunc(lines, func(l metricLine) bool {
			return l.name+"{"+strings.Join(l.labels, ",")+"}" == "scimhub_"+contract
		}) {
			t.Errorf("users rely on scimhub_%s, and it is not there", contract)
		}
	}
	var b bytes.Buffer
	b.WriteString(metricsHead)
	for _, l := range lines {
		if !strings.HasSuffix(l.help, ".") || len(l.help) < 20 {
			t.Errorf("%s: its help should be a sentence that says what it is, and in what unit: %q", l.name, l.help)
		}
		if (l.kind == "counter") != strings.HasSuffix(l.name, "_total") {
			t.Errorf("%s is a %s", l.name, l.kind)
		}
		for _, label := range l.labels {
			if slices.Contains([]string{"identity", "person", "user", "path", "email", "id"}, label) {
				t.Errorf("%s has the label %s, which is not bounded", l.name, label)
			}
		}
		bad := advice[strings.TrimPrefix(l.name, "scimhub_")]
		if bad == "" {
			t.Errorf("%s: metricAdvice does not say what to do when it is bad", l.name)
		}
		delete(advice, strings.TrimPrefix(l.name, "scimhub_"))
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", l.name, l.kind, strings.Join(l.labels, ", "), unitOf(l.name), l.help, bad)
	}
	for _, name := range slices.Sorted(maps.Keys(advice)) {
		t.Errorf("metricAdvice speaks of %s, which is no metric", name)
	}
	if os.Getenv("UPDATE_METRICS") != "" {
		if err := os.WriteFile("../../docs/metrics.md", b.Bytes(), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile("../../docs/metrics.md"); err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/metrics.md is not what the program says (%v): UPDATE_METRICS=1 go test ./cmd/scimhub -run TestMetricsTable", err)
	}
}

const metricsHead = `# Metrics

What ` + "`/metrics`" + ` shows, in the text format of Prometheus. This table is written by a test from
the program itself (` + "`UPDATE_METRICS=1 go test ./cmd/scimhub -run TestMetricsTable`" + `); the metrics of
Go (` + "`go_…`" + `) and of the process (` + "`process_…`" + `) are there too. Labels are names of the
configuration, of routes and of kinds: never a person, never what a client sent. What the
configuration no longer names loses its series.

Counters and histograms tell of one replica: sum them. Gauges that tell of the hub as a
whole are read from the database and the same at every replica: take the ` + "`max`" + `, as the rules
in [deploy/prometheus](../deploy/prometheus) do. They are read when a scrape finds them
old, and the more seldom the longer that takes: at most a hundredth of the time is spent on
it, however many scrape. The alerts are explained in [alerts.md](alerts.md).

| metric | type | labels | unit | what it is | when it is bad |
|---|---|---|---|---|---|
`
