package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func token(db *storetest.DB, id, source, name string) store.Token {
	now := db.Now()
	return store.Token{ID: id, Source: source, Name: name, Hash: []byte("hash of " + id), CreatedAt: now, CreatedBy: "ops", IssuedAt: now}
}

func addToken(t *testing.T, db *storetest.DB, k store.Token) error {
	t.Helper()
	return db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddToken(k) })
}

func TestTokensAreKept(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		soon := db.Now().Add(time.Hour)
		full := token(db, "2", "hr", "a")
		full.Previous, full.PreviousUntil, full.ExpiresAt, full.LastUsed = []byte{0, 255}, &soon, &soon, &soon
		want := []store.Token{full, token(db, "1", "hr", "b"), token(db, "3", "x", "a")}
		for _, k := range []store.Token{want[1], want[0], want[2]} {
			if err := addToken(t, db, k); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Tokens(t.Context(), "")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("all: %v %s", err, diff)
		}
		got, err = db.Tokens(t.Context(), "x")
		if diff := cmp.Diff(want[2:], got); diff != "" || err != nil {
			t.Errorf("of x: %v %s", err, diff)
		}
		if err := addToken(t, db, token(db, "4", "hr", "a")); model.CodeOf(err) != model.Conflict {
			t.Errorf("a second %s: %v", full.Name, err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			k, err := tx.TokenForUpdate("2")
			if err != nil {
				return err
			}
			k.Hash, k.Previous, k.PreviousUntil, k.ExpiresAt, k.RevokedAt = []byte("new"), nil, nil, nil, &tx.Now
			return tx.SaveToken(k)
		})
		if err != nil {
			t.Fatal(err)
		}
		live, err := db.LiveTokens(t.Context())
		if diff := cmp.Diff(want[1:], live); diff != "" || err != nil {
			t.Errorf("live: %v %s", err, diff)
		}
		if err := addToken(t, db, token(db, "4", "hr", "a")); err != nil {
			t.Errorf("the name of a revoked token: %v", err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.TokenForUpdate("nine"); return err })
		if model.CodeOf(err) != model.NotFound {
			t.Errorf("unknown id: %v", err)
		}
	})
}

func TestTokensUsed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		if err := addToken(t, db, token(db, "1", "hr", "a")); err != nil {
			t.Fatal(err)
		}
		morning := time.Date(2026, 6, 30, 7, 8, 9, 0, time.FixedZone("", 3600*9))
		for _, tt := range []struct {
			ids  []string
			at   time.Time
			want string
		}{
			{nil, morning, ""},
			{[]string{"1", "gone"}, morning, "2026-06-29T00:00:00Z"},
			{[]string{"1"}, morning.Add(24 * time.Hour), "2026-06-30T00:00:00Z"},
			{[]string{"1"}, morning, "2026-06-30T00:00:00Z"}, // a replica whose clock is behind
		} {
			if err := db.TokensUsed(t.Context(), tt.ids, tt.at); err != nil {
				t.Fatal(err)
			}
			list, err := db.Tokens(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if u := list[0].LastUsed; u != nil {
				got = u.Format(time.RFC3339)
			}
			if got != tt.want {
				t.Errorf("%v at %s: %q, want %q", tt.ids, tt.at, got, tt.want)
			}
		}
	})
}

// TestTokensTogether: of many that change one token at once, each sees the work of
// those before it.
func TestTokensTogether(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		k := token(db, "1", "hr", "a")
		k.Hash = []byte{0}
		if err := addToken(t, db, k); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					k, err := tx.TokenForUpdate("1")
					if err != nil {
						return err
					}
					k.Previous, k.Hash = k.Hash, []byte{k.Hash[0] + 1}
					return tx.SaveToken(k)
				})
				if err != nil {
					t.Errorf("together: %v", err)
				}
			})
		}
		wg.Wait()
		list, err := db.Tokens(t.Context(), "")
		if err != nil || list[0].Hash[0] != 8 || list[0].Previous[0] != 7 {
			t.Errorf("%+v %v", list, err)
		}
	})
}
