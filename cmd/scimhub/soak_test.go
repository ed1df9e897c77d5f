package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// A day's work at an ordinary company, in a hurry: what it costs must not grow.
//
//	go test ./cmd/scimhub -run TestSoak                            some seconds, no verdict on memory
//	SCIMHUB_SOAK=10m go test ./cmd/scimhub -run TestSoak -timeout 40m   eight hours in ten minutes
//
// SCIMHUB_SOAK_DATABASE=sqlite or postgres takes one database alone.
const (
	soakBrief  = 6 * time.Second
	soakPeople = 300
)

func soakTime(t *testing.T) (d time.Duration, full bool) {
	t.Helper()
	text := os.Getenv("SCIMHUB_SOAK")
	if text == "" {
		return soakBrief, false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal("SCIMHUB_SOAK: ", err)
	}
	return d, true
}

// soak is a hub under load with what is measured of it.
type soak struct {
	*world
	people *company
	hr     *source
	idp    *source
	hooks  *httptest.Server
	told   atomic.Int64 // webhooks that came
	name   string       // of the hub's connections at PostgreSQL
	db     *storetest.DB
	before map[string]tableSize // when it was warm

	mu     sync.Mutex
	done   map[string]int // by kind of work
	failed map[string]int
	last   map[string]string

	browser *http.Client // that listens
}

// TestSoak: pushes, changes, groups, leavers, requests, sign-ins, pages, streams that are
// dropped, receivers that fail, sweeps, faults of targets, configurations, rotations and
// scrapes, all at once. Neither memory nor goroutines nor connections nor open files nor
// tables that hold what is under way are more at the end than when it was warm.
func TestSoak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	d, full := soakTime(t)
	if storetest.UnderRace && !full {
		t.Skip("what the detector costs says nothing about the hub")
	}
	only := os.Getenv("SCIMHUB_SOAK_DATABASE")
	for _, dialect := range storetest.Dialects() {
		if only != "" && only != dialect || !full && dialect == storetest.Postgres {
			continue
		}
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			newSoak(t, dialect, full).run(d, full)
		})
	}
}

func newSoak(t *testing.T, dialect string, full bool) *soak {
	t.Helper()
	s := &soak{name: fmt.Sprint("soak-", os.Getpid()), done: map[string]int{}, failed: map[string]int{}, last: map[string]string{}}
	database := storetest.URL(t, dialect)
	s.db = storetest.OpenURL(t, dialect, database)
	if dialect == storetest.Postgres {
		database += "&application_name=" + s.name
	}
	s.hooks = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if s.told.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.hooks.Close)
	w := &world{t: t, dir: t.TempDir(), database: database, apps: map[string]*application{}, ever: map[string]map[string]bool{}}
	s.world = w
	w.config = filepath.Join(w.dir, "hub.yaml")
	for _, name := range appNames {
		w.apps[name] = startApplication(t, name, map[string]string{"git": "github", "chat": "generic", "crm": "generic"}[name], appToken)
	}
	w.base = fmt.Sprintf("http://127.0.0.1:%d", storetest.Port(t))
	if err := os.WriteFile(w.config, []byte(s.configText(0)), 0o600); err != nil {
		t.Fatal(err)
	}
	if full {
		s.startBuilt()
	} else {
		w.start()
	}
	return s
}

// startBuilt runs the program as it ships: this test's own binary has the tests in it.
func (s *soak) startBuilt() {
	s.t.Helper()
	path := filepath.Join(s.dir, "scimhub")
	if out, err := exec.CommandContext(s.t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		s.t.Fatalf("go build: %v\n%s", err, out)
	}
	s.hub = launchProgram(s.t, path, "hub", s.env(), "serve", "--config", s.config, "--log-level", "warn")
	await(s.t, time.Minute, "the hub is ready", func() error { return s.ready(s.t.Context()) })
}

// configText is one of two texts that take turns.
func (s *soak) configText(turn int) string {
	text := strings.NewReplacer("127.0.0.1:PORT", strings.TrimPrefix(s.base, "http://"), "CHAT", s.apps["chat"].base, "GIT", s.apps["git"].base, "CRM", s.apps["crm"].base).Replace(hubConfig)
	text = strings.Replace(text, "  crm:\n    url:", "  crm:\n    drift: {every: 20s}\n    url:", 1)
	text = strings.Replace(text, "  project:\n", "  admins:\n    request: {by: anyone, approve: [\"role:lead\"], expires: 1h, reason: optional}\n    grants: [{target: chat, group: admins}]\n  project:\n", 1)
	if turn%2 == 1 {
		text = strings.Replace(text, `startsWith("proj-1")`, `startsWith("proj-0")`, 1)
	}
	return text + fmt.Sprintf("outbound: {allow_private: true}\nnotify: [{webhook: %q, secret: \"${env:E2E_ADMIN_TOKEN}\", events: [leaver.started, approval.wanted, config.activated, target.quarantined, task.created]}]\n", s.hooks.URL)
}

func (s *soak) run(d time.Duration, full bool) {
	t := s.t
	size := soakPeople
	if !full {
		size = 40
	}
	s.people = newCompany(size, 12, rand.New(rand.NewPCG(7, 7)))
	s.hr, s.idp = push(t, s.world, s.people)
	stop := s.load(t.Context())
	samples := s.watch(d)
	stop()
	for _, a := range s.apps {
		a.faults(t, "")
	}
	work, _ := json.Marshal(s.done)
	t.Logf("work done: %s", work)
	s.complain(full)
	judge(t, samples, full)
	s.settle()
	s.tables(full)
}

// complain fails for work that mostly failed: a load that does nothing proves nothing.
func (s *soak) complain(full bool) {
	for _, kind := range soakKinds() {
		if full && s.done[kind.name] == 0 || s.failed[kind.name] > s.done[kind.name]/5+3 {
			s.t.Errorf("%s: done %d, failed %d, the last: %s", kind.name, s.done[kind.name], s.failed[kind.name], s.last[kind.name])
		}
	}
}

// settle waits until nothing is under way any more.
func (s *soak) settle() {
	await(s.t, 2*time.Minute, "nothing waits any more", func() error {
		if n := s.db.Int(s.t, `SELECT count(*) FROM marks`); n > 0 {
			return fmt.Errorf("%d marks", n)
		}
		if n := s.db.Int(s.t, `SELECT count(*) FROM accounts WHERE due AND state = 'pending'`); n > 0 {
			return fmt.Errorf("%d accounts", n)
		}
		return nil
	})
	if _, faults, err := s.db.VerifyAudit(s.t.Context()); err != nil || len(faults) > 0 {
		s.t.Errorf("the audit chain: %v %v", faults, err)
	}
}
