package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestFactsUseIndexes: PostgreSQL takes a partial index only where it can prove its
// condition, which it cannot of a list of more than a hundred values; it reads the whole
// table then, whatever its settings say. The server counts who does.
func TestFactsUseIndexes(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t, storetest.Postgres)
	db := openRaw(t, storetest.Postgres, url)
	ids := make([]string, 150)
	for n := range ids {
		ids[n] = fmt.Sprint("person ", n)
	}
	use := func(do func(tx *store.Tx) error) {
		st, err := store.Open(t.Context(), url+"&enable_seqscan=off", store.Options{MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.View(t.Context(), do); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil { // connections tell what they did when they end
			t.Error(err)
		}
	}
	facts := func(tx *store.Tx, ids []string) error {
		_, err := tx.Facts(ids)
		return err
	}
	use(func(tx *store.Tx) error { return facts(tx, ids[:1]) })
	before, index := awaitScans(t, db, 2) // what came with the migrations is counted by then
	use(func(tx *store.Tx) error { return facts(tx, ids) })
	after, _ := awaitScans(t, db, index+2) // the person's resources, and those that groups list
	if after > before {
		t.Errorf("resources was read as a whole %d times", after-before)
	}
}

// awaitScans waits until an index was used so often, or the table was read as a whole.
func awaitScans(t *testing.T, db *sql.DB, most int) (all, index int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	first, _ := scans(t, db)
	for {
		if all, index = scans(t, db); index >= most || all > first && most > 2 {
			return all, index
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the index was used %d times", index)
		case <-tick.C:
		}
	}
}

// scans counts how often resources was read as a whole, and by an index.
func scans(t *testing.T, db *sql.DB) (all, index int) {
	t.Helper()
	err := db.QueryRowContext(t.Context(), `SELECT coalesce(seq_scan, 0), coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'resources'`).Scan(&all, &index)
	if err != nil {
		t.Fatal(err)
	}
	return all, index
}
