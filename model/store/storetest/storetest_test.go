package storetest_test

import (
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestOpenFresh shows that databases of one dialect do not see each other.
func TestOpenFresh(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		other := storetest.Open(t, db.Dialect)
		db.Exec(t, `INSERT INTO releases (target, digest, by_whom, at) VALUES (?, ?, ?, ?)`, "t", "d", "me", 1)
		if n := db.Int(t, `SELECT count(*) FROM releases WHERE target = ?`, "t"); n != 1 {
			t.Errorf("%d rows where one was written", n)
		}
		if n := other.Int(t, `SELECT count(*) FROM releases`); n != 0 {
			t.Errorf("%d rows in a fresh database", n)
		}
		if got := db.Postgres(); got != (db.Dialect == storetest.Postgres) {
			t.Errorf("Postgres() = %v for %s", got, db.Dialect)
		}
	})
}
