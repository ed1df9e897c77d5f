package main_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// TestKillInASweep ends the hub with SIGKILL while it looks at everybody under a new
// configuration: in the end everybody has what the last one says, nobody was missed.
func TestKillInASweep(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		people := sized(5000, 1000, 700)
		rng := rand.New(rand.NewPCG(randomSeed(t), 11))
		w.applyProbe(0)
		hr := w.source("hr")
		names := make([]string, people)
		for i := range names {
			names[i] = fmt.Sprintf("p%05d@example.com", i)
		}
		inParallel(t, 8, names, func(name string) error {
			_, err := hr.create(t.Context(), "/Users", "userName", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "active": true})
			return err
		})
		w.probed(0, people)
		const rounds = 5
		interrupted := 0
		for round := 1; round <= rounds; round++ {
			w.applyProbe(round)
			w.runFor(time.Duration(rng.IntN(150)) * time.Millisecond)
			w.hub.kill()
			interrupted += min(1, w.count(`SELECT count(*) FROM sweeps`))
			w.exec(`UPDATE sweeps SET leased_until = 0`) // as time would
			w.runOut()
			w.start()
		}
		w.probed(rounds, people)
		w.sound()
		t.Logf("%d of %d sweeps were interrupted", interrupted, rounds)
		if n := w.count(`SELECT count(*) FROM sweeps`) + w.count(`SELECT count(*) FROM marks`); n != 0 {
			t.Errorf("%d sweeps and marks are left", n)
		}
	})
}

// applyProbe puts a configuration in force under which everybody's role has another
// reason than before, and no target has anything to do.
func (w *world) applyProbe(n int) {
	w.t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "roles:")
	_, after, _ := strings.Cut(string(text), "\ntargets:")
	next := fmt.Sprintf("%sroles:\n  probe: {when: 'user.active && user.userName != \"v%d\"'}\ntargets:%s", before, n, after)
	if err := os.WriteFile(w.config, []byte(next), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.wantExit(0, "apply", "--config", w.config, "--yes")
}

// probed waits until everybody's role has the reason of a configuration.
func (w *world) probed(n, people int) {
	w.t.Helper()
	query := fmt.Sprintf(`SELECT count(*) FROM grants WHERE role = 'probe' AND ended_at IS NULL AND CAST(because AS text) LIKE '%%v%d_"%%'`, n)
	await(w.t, 3*time.Minute, "everybody was looked at", func() error {
		if have := w.count(query); have != people {
			return fmt.Errorf("%d of %d", have, people)
		}
		return nil
	})
}

func (w *world) open() *sql.DB {
	w.t.Helper()
	driver, dsn := "pgx", w.database
	if path, isFile := strings.CutPrefix(w.database, "sqlite:"); isFile {
		driver, dsn = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

func (w *world) count(query string) (n int) {
	w.t.Helper()
	db := w.open()
	defer db.Close()
	if err := db.QueryRowContext(w.t.Context(), query).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (w *world) exec(statement string) {
	w.t.Helper()
	db := w.open()
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), statement); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}
