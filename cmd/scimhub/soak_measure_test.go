package main_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soakSample is what a hub has at a moment, by what it is: bytes or a number.
type soakSample map[string]float64

// soakMeasured is what is measured, and by how much the last third may have more than the
// first: a share, and something for noise.
func soakMeasured() map[string][2]float64 {
	return map[string][2]float64{
		"resident bytes": {0.10, 8 << 20},
		"heap bytes":     {0.15, 6 << 20},
		"goroutines":     {0.10, 12},
		"open files":     {0.10, 10},
		"connections":    {0.10, 4},
	}
}

// watch samples the hub for a while. The first sixth warms up and is not looked at.
func (s *soak) watch(d time.Duration) (out []soakSample) {
	tick := time.NewTicker(max(d/300, 200*time.Millisecond))
	defer tick.Stop()
	began := time.Now()
	warm := false
	for time.Since(began) < d {
		<-tick.C
		if s.hub.ended() {
			s.t.Fatalf("the hub ended: %s", s.hub.err.tail(20))
		}
		if one := s.sample(); time.Since(began) > d/6 {
			if !warm {
				warm = true
				s.vacuum()
				s.before = s.sizes()
			}
			out = append(out, one)
		}
	}
	return out
}

func (s *soak) sample() soakSample {
	out := soakSample{}
	pid := strconv.Itoa(s.hub.cmd.Process.Pid)
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			out["resident bytes"] = kb * 1024
		}
	}
	files, err := os.ReadDir(filepath.Join("/proc", pid, "fd"))
	if err == nil {
		out["open files"] = float64(len(files))
	}
	figures := s.figures()
	out["heap bytes"], out["goroutines"] = figures["go_memstats_heap_inuse_bytes"], figures["go_goroutines"]
	if s.db.Postgres() {
		out["connections"] = float64(s.db.Int(s.t, `SELECT count(*) FROM pg_stat_activity WHERE application_name = '`+s.name+`'`))
	}
	return out
}

// figures reads the metrics without labels.
func (s *soak) figures() map[string]float64 {
	out := map[string]float64{}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		return out
	}
	defer res.Body.Close()
	sc := bufio.NewScanner(io.LimitReader(res.Body, 8<<20))
	for sc.Scan() {
		if name, value, ok := strings.Cut(sc.Text(), " "); ok {
			out[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return out
}

// judge compares the last third with the first.
func judge(t *testing.T, samples []soakSample, full bool) {
	t.Helper()
	third := len(samples) / 3
	for what, may := range soakMeasured() {
		first, last := median(samples[:third], what), median(samples[len(samples)-third:], what)
		t.Logf("%-14s first third %12.0f, last third %12.0f, highest %12.0f", what, first, last, highest(samples, what))
		if full && last > first*(1+may[0])+may[1] {
			t.Errorf("%s grew from %.0f to %.0f", what, first, last)
		}
	}
}

func median(samples []soakSample, what string) float64 {
	var all []float64
	for _, s := range samples {
		if v, ok := s[what]; ok && v > 0 {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func highest(samples []soakSample, what string) (out float64) {
	for _, s := range samples {
		out = max(out, s[what])
	}
	return out
}

// soakStable are tables that hold what is, or is under way: they have no reason to grow.
func soakStable() []string {
	return []string{"marks", "group_marks", "targets", "audit_heads", "resource_counts", "rates", "target_progress", "accounts", "identities", "resources", "resource_values",
		"group_members", "search_words", "target_groups", "target_group_origins", "account_references", "drift_found", "drift_progress", "drift_members", "findings", "sign_in_states", "source_state", "sweeps"}
}

// tableSize is how much a table has: rows, and bytes with its indexes (PostgreSQL alone).
type tableSize struct{ rows, bytes int }

func (s *soak) sizes() map[string]tableSize {
	out := map[string]tableSize{}
	for _, table := range soakStable() {
		size := tableSize{rows: s.db.Int(s.t, `SELECT count(*) FROM `+table)}
		if s.db.Postgres() {
			size.bytes = s.db.Int(s.t, `SELECT pg_total_relation_size('`+table+`')`)
		}
		out[table] = size
	}
	return out
}

// vacuum does at once what autovacuum does in time.
func (s *soak) vacuum() {
	if s.db.Postgres() {
		for _, table := range soakStable() {
			s.db.Exec(s.t, `VACUUM `+table)
		}
	}
}

// tables compares what is stored with what was stored when the hub was warm.
func (s *soak) tables(full bool) {
	s.vacuum()
	after := s.sizes()
	for _, table := range soakStable() {
		b, a := s.before[table], after[table]
		s.t.Logf("%-22s rows %6d → %6d, bytes %9d → %9d", table, b.rows, a.rows, b.bytes, a.bytes)
		if full && (a.rows > b.rows*13/10+60 || a.bytes > b.bytes*2+(1<<20)) {
			s.t.Errorf("%s grew: %+v, then %+v", table, b, a)
		}
	}
	for _, table := range []string{"events", "audit", "identity_history", "account_history", "notices", "deliveries", "sessions", "idempotency", "requests", "leaver_runs", "grants", "removals", "config_versions", "tokens"} {
		s.t.Logf("%-22s rows %6d (kept for a time)", table, s.db.Int(s.t, `SELECT count(*) FROM `+table))
	}
}
