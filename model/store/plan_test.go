package store_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestLookupsUseIndexes: SQLite takes a partial index only where a statement repeats
// its condition, and else reads the whole table, which no test on a few rows notices.
func TestLookupsUseIndexes(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	for _, q := range []struct {
		text string
		args []any
	}{
		{`SELECT id FROM resources WHERE identity_id IN (?,?)`, []any{"a", "b"}},
		{`SELECT id FROM resources WHERE source = ? AND kind = 'User' AND external_id = ? AND external_id <> ''`, []any{"hr", "1"}},
		{`SELECT identity_id FROM accounts WHERE target = ? AND remote_id IN (?,?)`, []any{"git", "a", "b"}},
		{`SELECT seq FROM audit WHERE identity_id = ? ORDER BY at, lane, seq`, []any{"a"}},
		{`SELECT id FROM events WHERE identity_id = ? AND id > ? ORDER BY id`, []any{"a", ""}},
		{`SELECT id FROM identities WHERE key = ?`, []any{"a"}},
		{`SELECT id FROM identities WHERE next_at <= ? ORDER BY next_at, id LIMIT 10`, []any{1}},
		{`SELECT id FROM identities WHERE merged_into = ? AND merged_into <> ''`, []any{"a"}},
		{`SELECT id FROM identities WHERE manager_id <> '' AND manager_id IN (?)`, []any{"a"}},
		{`SELECT id FROM identities WHERE number <> '' AND number = ?`, []any{"a"}},
		{`SELECT doc FROM requests WHERE identity_id IN (?) AND live`, []any{"a"}},
		{`SELECT id FROM exceptions WHERE identity_id IN (?) AND ended_at IS NULL`, []any{"a"}},
		{`SELECT kind FROM findings WHERE identity_id = ?`, []any{"a"}},
		{`SELECT id FROM cases WHERE decided_at IS NULL AND identity_id IN (?)`, []any{"a"}},
		{`SELECT id FROM grants WHERE identity_id IN (?) AND ended_at IS NULL`, []any{"a"}},
		{`SELECT at FROM identity_history WHERE identity_id = ? AND at <= ? ORDER BY at DESC LIMIT 1`, []any{"a", 1}},
		{`SELECT at FROM account_history WHERE identity_id = ? AND at <= ?`, []any{"a", 1}},
	} {
		for _, line := range db.Plan(t, q.text, q.args...) {
			if strings.HasPrefix(line, "SCAN") {
				t.Errorf("%s\n\t%s", q.text, line)
			}
		}
	}
}
