package store_test

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestHistoryBeginsAtTheUpgrade: accounts that an earlier hub made are in the history
// from the moment that they last changed.
func TestHistoryBeginsAtTheUpgrade(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url := oldAudit(t, dialect)
			raw := openRaw(t, dialect, url)
			for _, who := range []string{"i1", "?stranger"} {
				_, err := raw.ExecContext(t.Context(), `INSERT INTO accounts (target, identity_id, user_name, remote_id, owned, desired, applied, because, leaver, leaver_held, state, drift, due, enabled, generation, attempts, next_at, last_error, error_class, updated_at)
VALUES ('git', '`+who+`', 'ada', 'r1', 'created', '{"userName":"ada","active":true}', '{"userName":"ada","active":true}', '{}', FALSE, FALSE, 'in_sync', '', FALSE, TRUE, 1, 0, 0, '', '', 5000000)`)
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := raw.Close(); err != nil {
				t.Fatal(err)
			}
			db := storetest.OpenURL(t, dialect, url)
			update(t, db, func(tx *store.Tx) error {
				list, err := tx.AccountsAt("i1", time.UnixMicro(5_000_000))
				if err != nil || len(list) != 1 || list[0].Applied == nil || list[0].Applied.UserName != "ada" || list[0].State != "in_sync" {
					t.Errorf("%+v %v", list, err)
				}
				return nil
			})
			if n := db.Int(t, `SELECT count(*) FROM account_history`); n != 1 {
				t.Errorf("%d versions, want that of the one person", n)
			}
		})
	}
}
