package store_test

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestMigrateAmongReplicas: replicas of the release before read and write tables in one
// transaction, in whatever order, and without a pause. A migration comes to its end among
// them, and none of them fails.
func TestMigrateAmongReplicas(t *testing.T) {
	t.Parallel()
	url := former(t, storetest.Postgres, 26)
	raw := openRaw(t, storetest.Postgres, url)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var done, failed atomic.Int64
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for n := range 6 {
		tables := []string{"accounts", "marks"}
		if n%2 == 1 {
			tables = []string{"marks", "accounts"}
		}
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-ctx.Done():
					return
				default:
				}
				if err := readInOrder(ctx, raw, tables); err != nil && ctx.Err() == nil {
					failed.Add(1)
				}
				done.Add(1)
			}
		})
	}
	s, err := store.Open(ctx, url, store.Options{MaxConns: 2})
	close(stop)
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if done.Load() == 0 || failed.Load() > 0 {
		t.Errorf("%d of %d transactions failed", failed.Load(), done.Load())
	}
}

// readInOrder reads tables one after another, and works for a while on each.
func readInOrder(ctx context.Context, db *sql.DB, tables []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	for _, name := range tables {
		if _, err := tx.ExecContext(ctx, `SELECT count(*), pg_sleep(0.03) FROM `+name); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// TestMigrationRepeated: what is carried out statement by statement may be interrupted after
// each, and is carried out again then.
func TestMigrationRepeated(t *testing.T) {
	t.Parallel()
	raw := openRaw(t, storetest.Postgres, former(t, storetest.Postgres, 26))
	before, err := store.StatementsUpTo(true, 26)
	if err != nil {
		t.Fatal(err)
	}
	all, err := store.StatementsUpTo(true, store.SchemaVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all[len(before):] {
		for range 2 {
			if _, err := raw.ExecContext(t.Context(), text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
