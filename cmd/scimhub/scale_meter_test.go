package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// programNamed is this test binary under one of its names, see TestMain.
func programNamed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scaleMeter measures phases from the outside: by the operating system's own counters.
type scaleMeter struct {
	s          *scale
	client     *http.Client
	postmaster int // 0: not on this machine, or not to be seen
	began      time.Time

	mu    sync.Mutex
	rss   []int // of each replica in this phase, KiB
	peak  []int // of each replica so far
	apps  int
	lines []string
	notes []string
}

func newScaleMeter(s *scale) *scaleMeter {
	m := &scaleMeter{s: s, began: time.Now(), rss: make([]int, 2), peak: make([]int, 2),
		client: &http.Client{Timeout: 30 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * scaleConns}}}
	var dir string
	if s.db.QueryRow(`SHOW data_directory`).Scan(&dir) == nil {
		if text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid")); err == nil {
			first, _, _ := strings.Cut(string(text), "\n")
			m.postmaster, _ = strconv.Atoi(first)
		}
	}
	stop := make(chan struct{})
	s.t.Cleanup(func() { close(stop) })
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return m
}

func (m *scaleMeter) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, p := range m.s.replicas {
		kib := residentKiB(p.cmd.Process.Pid)
		m.rss[n], m.peak[n] = max(m.rss[n], kib), max(m.peak[n], kib)
	}
	m.apps = max(m.apps, residentKiB(m.s.apps.cmd.Process.Pid))
}

func residentKiB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.Atoi(kib)
	return n
}

// used is processor time so far: of a process, and with its ended children where asked.
func used(pid int, children bool) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	total := 0
	for i, at := range []int{11, 12, 13, 14} {
		if n, err := strconv.Atoi(f[at]); err == nil && (children || i < 2) {
			total += n
		}
	}
	return time.Duration(total) * 10 * time.Millisecond
}

// scaleTimes is processor time so far of whoever takes part.
type scaleTimes struct{ hub, db, apps, test time.Duration }

func (m *scaleMeter) times() (t scaleTimes) {
	for _, p := range m.s.replicas {
		t.hub += used(p.cmd.Process.Pid, false)
	}
	t.apps = used(m.s.apps.cmd.Process.Pid, false)
	t.test = used(os.Getpid(), false)
	if m.postmaster > 0 {
		t.db = used(m.postmaster, true)
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", m.postmaster, m.postmaster))
		for f := range strings.FieldsSeq(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil {
				t.db += used(pid, false)
			}
		}
	}
	return t
}

// phase measures one step of n units.
func (s *scale) phase(name string, n int, do func()) {
	m := s.meter
	if dir := os.Getenv("SCIMHUB_SCALE_PROFILE"); dir != "" {
		defer m.profile(filepath.Join(dir, strings.NewReplacer(" ", "-", "%", "", ":", "", ",", "").Replace(name)+".pprof"))()
	}
	m.mu.Lock()
	m.rss = make([]int, 2)
	m.mu.Unlock()
	var wal, walAfter float64
	_ = s.db.QueryRow(`SELECT pg_current_wal_lsn() - '0/0'`).Scan(&wal)
	before, began := m.times(), time.Now()
	do()
	took, after := time.Since(began), m.times()
	_ = s.db.QueryRow(`SELECT pg_current_wal_lsn() - '0/0'`).Scan(&walAfter)
	m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	each := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Microseconds())/float64(max(n, 1))) }
	line := []string{name, fmt.Sprintf("%.1f", took.Seconds()), strconv.Itoa(n), fmt.Sprintf("%.0f", float64(n)/took.Seconds()),
		each(after.hub - before.hub), each(after.db - before.db), each(after.apps - before.apps), each(after.test - before.test),
		fmt.Sprintf("%.0f", (walAfter-wal)/float64(max(n, 1))), strconv.Itoa(m.rss[0] / 1024), strconv.Itoa(m.rss[1] / 1024)}
	m.lines = append(m.lines, strings.Join(line, "\t"))
	s.t.Logf("phase: %s", strings.Join(line, " | "))
}

// profile takes a CPU profile of the first replica, for 15 seconds of the phase or as
// long as it lasts, and returns what waits for it.
func (m *scaleMeter) profile(file string) func() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := http.Get("http://127.0.0.1:16060/debug/pprof/profile?seconds=15")
		if err != nil {
			m.s.t.Log(err)
			return
		}
		defer res.Body.Close()
		out, err := os.Create(file)
		if err != nil {
			m.s.t.Log(err)
			return
		}
		defer out.Close()
		_, _ = io.Copy(out, res.Body)
	}()
	return func() { <-done }
}

func (m *scaleMeter) note(what, value string) { m.notes = append(m.notes, what+"\t"+value) }

// report prints what was measured.
func (s *scale) report() {
	var out strings.Builder
	m := s.meter
	fmt.Fprintf(&out, "\n%d people, %d accounts, 10 applications, 2 replicas, one PostgreSQL; CPU in µs and WAL in bytes for each unit\n\n", s.people, s.accounts())
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "phase\tseconds\tunits\tunits/s\thub\tdatabase\tapplications\tclient\tWAL\tRSS 1 MiB\tRSS 2 MiB\t")
	for _, l := range m.lines {
		fmt.Fprintln(w, l+"\t")
	}
	_ = w.Flush()
	m.mu.Lock()
	fmt.Fprintf(&out, "\nmost resident memory of the replicas: %d and %d MiB; applications %d MiB\n", m.peak[0]/1024, m.peak[1]/1024, m.apps/1024)
	m.mu.Unlock()
	for _, n := range m.notes {
		fmt.Fprintln(&out, strings.ReplaceAll(n, "\t", ": "))
	}
	s.sizes(&out)
	s.t.Log(out.String())
}

// sizes prints what the tables hold and weigh.
func (s *scale) sizes(out io.Writer) {
	if _, err := s.db.ExecContext(s.t.Context(), `ANALYZE`); err != nil {
		s.t.Fatal(err)
	}
	rows, err := s.db.QueryContext(s.t.Context(), `SELECT c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid), pg_indexes_size(c.oid)
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.reltuples > 0 ORDER BY 3 DESC LIMIT 24`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ntable\trows\tMiB\tof it indexes\tbytes/row\tbytes/person\t")
	var all int64
	for rows.Next() {
		var name string
		var n, size, indexes int64
		if err := rows.Scan(&name, &n, &size, &indexes); err != nil {
			s.t.Fatal(err)
		}
		all += size
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%d\t%d\t\n", name, n, float64(size)/(1<<20), float64(indexes)/(1<<20), size/max(n, 1), size/int64(s.people))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "in all %.1f MiB, %d bytes a person\n", float64(all)/(1<<20), all/int64(s.people))
}
