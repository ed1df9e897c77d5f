package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestSessions: pages of sessions hold each one once, and only those that are asked for.
func TestSessions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		now := db.Now()
		for i := range 9 {
			s := store.Session{ID: fmt.Sprintf("s%d", i), Hash: fmt.Sprint("h", i), Kind: "oidc", Name: "oidc:ada", Issuer: "https://one", Subject: fmt.Sprint("sub", i%2),
				Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
			switch i {
			case 7:
				s.ExpiresAt = now.Add(-time.Second)
			case 8:
				s.SeenAt = now.Add(-time.Hour)
			}
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddSession(s) }); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if ended, err := tx.EndSession("s6", "ops", "enough"); err != nil || !ended {
				t.Errorf("ended: %t %v", ended, err)
			}
			if ended, err := tx.EndSession("s6", "eve", "again"); err != nil || ended {
				t.Errorf("ended again: %t %v", ended, err)
			}
			_, err := tx.SessionForUpdate("nothing")
			return err
		})
		if model.CodeOf(err) != model.NotFound {
			t.Errorf("no such session: %v", err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.EndSession("s6", "ops", "enough"); return err }); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			q    store.SessionQuery
			want string
		}{
			{store.SessionQuery{}, "s5 s4 s3 s2 s1 s0"},
			{store.SessionQuery{Ended: true}, "s8 s7 s6 s5 s4 s3 s2 s1 s0"},
			{store.SessionQuery{Name: "oidc:ada", Issuer: "https://one", Subject: "sub1"}, "s5 s3 s1"},
			{store.SessionQuery{Name: "oidc:ada"}, ""},
			{store.SessionQuery{Person: "nobody"}, ""},
		} {
			var got []string
			tt.q.Limit, tt.q.Idle = 2, 30*time.Minute
			for {
				list, next, err := db.Sessions(t.Context(), tt.q)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range list {
					got = append(got, s.ID)
				}
				if tt.q.After = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%+v: %v, want %s", tt.q, got, tt.want)
			}
		}
	})
}

// TestSessionsAreFound: what pages and providers ask for has an index.
func TestSessionsAreFound(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	for _, q := range []string{
		`SELECT id FROM sessions WHERE hash = 'x'`,
		`SELECT id FROM sessions WHERE name = 'x' AND id < 'y' ORDER BY id DESC LIMIT 10`,
		`SELECT id FROM sessions WHERE ended_at IS NULL AND issuer = 'x' AND issuer <> '' AND subject = 'y'`,
	} {
		plan := strings.Join(db.Plan(t, q), "\n")
		if !strings.Contains(strings.ToLower(plan), "index") {
			t.Errorf("%s\n%s", q, plan)
		}
	}
}
