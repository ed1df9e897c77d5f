package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
	"github.com/scimhub/scimhub/scimserver"
)

func eachRefusals(t *testing.T, run func(t *testing.T, db *storetest.DB, clock *storetest.Clock, r *hub.Refusals)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock(noon())
			db := storetest.Open(t, dialect, store.Options{Now: clock.Now})
			run(t, db, clock, hub.NewRefusals(db.Store, slog.New(slog.DiscardHandler)))
		})
	}
}

// written is the audit trail, a line for each entry.
func written(t *testing.T, db *storetest.DB) (out []string) {
	t.Helper()
	entries, next, err := db.AuditPage(t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil || next != "" {
		t.Fatalf("%v, next %q", err, next)
	}
	for _, e := range entries {
		if e.Action != "scim.refused" {
			t.Errorf("action %q", e.Action)
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", e.At.Format(time.TimeOnly), e.Actor, e.Object, e.Data))
	}
	if _, faults, err := db.VerifyAudit(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("audit: %v %v", faults, err)
	}
	return out
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock, r *hub.Refusals) {
		known := scimserver.Refusal{Source: "hr", Name: "main", Remote: "192.0.2.1", Method: "POST", Resource: "User", Path: "/Users",
			Status: 409, Type: "uniqueness", Detail: `userName: "ada@example.com" is taken`}
		stranger := scimserver.Refusal{Remote: "192.0.2.9", Method: "GET", Resource: "User", Path: "/Users/shb_somebodys-token",
			Status: 401, Detail: "the bearer token is not valid"}
		odd := scimserver.Refusal{Source: "hr", Name: "main", Remote: "192.0.2.1", Method: "PATCH", Resource: "other", Path: "/x", Status: 418, Detail: "secret"}
		if err := r.Flush(t.Context(), false); err != nil { // nothing yet
			t.Fatal(err)
		}
		for _, f := range []scimserver.Refusal{known, stranger, known, odd} {
			r.Add(t.Context(), f)
			clock.Add(time.Second)
		}
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		r.Add(t.Context(), known) // soon after the last one was written: it has to wait
		clock.Add(5 * time.Second)
		r.Add(t.Context(), known)
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		clock.Add(time.Second)
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`12:00:00 source hr/main User {"reason":"another resource has a value that only one may have","status":409,"type":"uniqueness","method":"POST","path":"/Users","remote":"192.0.2.1","count":2,"until":"2027-03-01T12:00:02Z"}`,
			`12:00:01 unauthenticated User {"reason":"the bearer token is not valid","status":401,"method":"GET","remote":"192.0.2.9","count":1}`,
			`12:00:03 source hr/main other {"reason":"the request was answered with 418","status":418,"method":"PATCH","path":"/x","remote":"192.0.2.1","count":1}`,
			`12:00:04 source hr/main User {"reason":"another resource has a value that only one may have","status":409,"type":"uniqueness","method":"POST","path":"/Users","remote":"192.0.2.1","count":2,"until":"2027-03-01T12:00:09Z"}`,
		}
		if diff := cmp.Diff(want, written(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRefusalsFlood: ten thousand bad requests, from everywhere, make few entries,
// and each is counted.
func TestRefusalsFlood(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock, r *hub.Refusals) {
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for n := range 2500 {
					r.Add(t.Context(), scimserver.Refusal{Remote: fmt.Sprintf("10.%d.%d.%d", w, n/250, n%250), Method: "GET", Resource: "User",
						Path: strings.Repeat("x", 80), Status: 401, Detail: "the bearer token is not valid"})
				}
			})
		}
		wg.Wait()
		r.Add(t.Context(), scimserver.Refusal{Source: "hr", Name: "main", Status: 403}) // is not lost among them
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		list := written(t, db)
		sum := total(t, list)
		if len(list) != 102 || sum != 10_001 || !strings.Contains(strings.Join(list, "\n"), "source hr/main") {
			t.Errorf("%d entries for %d refusals", len(list), sum)
		}
		if got := strings.Join(list, "\n"); strings.Count(got, "unauthenticated scim ") != 1 || strings.Contains(got, "xxx") {
			t.Errorf("the rest is not counted together, or a stranger's path is kept:\n%.500s", got)
		}
	})
}

// TestRefusalsDayAndNight: a client that asks the same wrong thing every second is
// in the audit trail about once a minute, completely counted.
func TestRefusalsDayAndNight(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock(noon())
	db := storetest.Open(t, storetest.SQLite, store.Options{Now: clock.Now})
	r := hub.NewRefusals(db.Store, slog.New(slog.DiscardHandler))
	for range 20 * 60 {
		r.Add(t.Context(), scimserver.Refusal{Remote: "192.0.2.9", Status: 401, Detail: "no"})
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		clock.Add(time.Second)
	}
	if err := r.Flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	list := written(t, db)
	if got := total(t, list); len(list) < 20 || len(list) > 26 || got != 20*60 {
		t.Errorf("%d entries about %d refusals", len(list), got)
	}
	clock.Add(time.Hour) // it stopped, and comes again: that is news
	if err := r.Flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.Add(t.Context(), scimserver.Refusal{Remote: "192.0.2.9", Status: 401, Detail: "no"})
	if err := r.Flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if again := written(t, db); len(again) != len(list)+1 {
		t.Errorf("%d entries more after an hour of rest", len(again)-len(list))
	}
}

// TestRefusalsFromEverywhere: a flood that never ends, each request from another
// address, makes about a hundred entries a minute.
func TestRefusalsFromEverywhere(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock(noon())
	db := storetest.Open(t, storetest.SQLite, store.Options{Now: clock.Now})
	r := hub.NewRefusals(db.Store, slog.New(slog.DiscardHandler))
	const seconds = 180
	for n := range seconds * 100 {
		r.Add(t.Context(), scimserver.Refusal{Remote: fmt.Sprint(n), Status: 401, Detail: "no"})
		if n%300 == 299 {
			clock.Add(3 * time.Second)
			if err := r.Flush(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if list := written(t, db); len(list) > 450 || total(t, list) != seconds*100 {
		t.Errorf("%d entries about %d refusals", len(list), total(t, list))
	}
}

// total is how many refusals entries count.
func total(t *testing.T, list []string) (sum int) {
	t.Helper()
	for _, line := range list {
		var data struct{ Count int }
		if err := json.Unmarshal([]byte(line[strings.Index(line, "{"):]), &data); err != nil {
			t.Fatal(err)
		}
		sum += data.Count
	}
	return sum
}

// TestRefusalsSurviveAnOutage: what cannot be written is counted on, once.
func TestRefusalsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock, r *hub.Refusals) {
		f := scimserver.Refusal{Source: "hr", Name: "main", Method: "POST", Resource: "User", Status: 409}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 {
			for n := range 150 {
				f.Remote = fmt.Sprint(n)
				r.Add(t.Context(), f)
			}
			if err := r.Flush(gone, false); err == nil {
				t.Fatal("written to a database that is gone")
			}
			clock.Add(time.Second)
		}
		if err := r.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		list := written(t, db)
		if len(list) != 101 {
			t.Fatalf("%d entries", len(list))
		}
		for _, line := range list {
			want := `"count":3,"until":"2027-03-01T12:00:02Z"`
			if strings.Contains(line, "several sources scim") {
				want = `"count":150,"until":"2027-03-01T12:00:02Z"`
			}
			if !strings.Contains(line, want) {
				t.Errorf("%s, want %s", line, want)
			}
		}
	})
}

// TestRefusalsRun: the last ones are written when the hub stops.
func TestRefusalsRun(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock, r *hub.Refusals) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		r.Add(ctx, scimserver.Refusal{Status: 401, Detail: "one"})
		r.Run(ctx)
		if list := written(t, db); len(list) != 1 {
			t.Errorf("%q", list)
		}
	})
}
