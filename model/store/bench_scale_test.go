package store_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// BenchmarkScale measures what must not depend on how many there are: look-ups by
// every value that identity providers match by, and pages of 100, first and deep, by
// number and by position. Compare a run with another number of people:
//
//	SCIMHUB_BENCH_PEOPLE=1000    go test ./model/store -run '^$' -bench Scale
//	SCIMHUB_BENCH_PEOPLE=1000000 go test ./model/store -run '^$' -bench Scale
func BenchmarkScale(b *testing.B) {
	people, _ := strconv.Atoi(os.Getenv("SCIMHUB_BENCH_PEOPLE"))
	people = max(people, 1000)
	for _, dialect := range storetest.Dialects() {
		b.Run(dialect, func(b *testing.B) {
			db := storetest.Open(b, dialect, store.Options{MaxConns: benchConns})
			crowd(b, db, people)
			user := userType(b)
			deep := people - 150
			after := func() string { // the position of the same page
				page, err := db.Resources(b.Context(), "hr", user, scim.Query{StartIndex: deep, Count: 1})
				if err != nil || len(page.Resources) != 1 {
					b.Fatalf("%d resources at %d: %v", len(page.Resources), deep, err)
				}
				return `["` + page.Resources[0].ID + `"]`
			}
			for _, step := range []struct {
				name string
				q    scim.Query
				n    int // resources on the page
			}{
				{"userName-eq", scim.Query{Filter: filterOf(b, user, `userName eq "USER777@example.com"`), StartIndex: 1}, 1},
				{"externalId-eq", scim.Query{Filter: filterOf(b, user, `externalId eq "x-777"`), StartIndex: 1}, 1},
				{"email-eq", scim.Query{Filter: filterOf(b, user, `emails.value eq "user777@example.com"`), StartIndex: 1}, 1},
				{"email-type-eq", scim.Query{Filter: filterOf(b, user, `emails[type eq "work"].value eq "user777@example.com"`), StartIndex: 1}, 1},
				{"email-or-name", scim.Query{Filter: filterOf(b, user, `emails eq "user777@example.com" or userName eq "user778@example.com"`), StartIndex: 1}, 2},
				{"nobody", scim.Query{Filter: filterOf(b, user, `emails eq "nobody@example.com"`), StartIndex: 1}, 0},
				{"page-first", scim.Query{StartIndex: 1}, 100},
				{"page-deep", scim.Query{StartIndex: deep}, 100},
				{"cursor-first", scim.Query{StartIndex: 1, ByCursor: true}, 100},
				{"sorted-first", scim.Query{StartIndex: 1, ByCursor: true, Sort: sortOf(b, user, "userName", "")}, 100},
				{"sorted-deep", scim.Query{StartIndex: 1, ByCursor: true, Sort: sortOf(b, user, "userName", ""), After: `["z","user8"]`}, 100},
				{"cursor-deep", scim.Query{StartIndex: 1, ByCursor: true, After: after()}, 100},
			} {
				b.Run(step.name, func(b *testing.B) {
					step.q.Count = 100
					for range b.N {
						page, err := db.Resources(b.Context(), "hr", user, step.q)
						if err != nil || len(page.Resources) != step.n {
							b.Fatalf("%d resources, %v", len(page.Resources), err)
						}
					}
				})
			}
		})
	}
}

// crowd fills a database with people, a minute between them, in single statements.
func crowd(b *testing.B, db *storetest.DB, people int) {
	b.Helper()
	doc := `'{"schemas":["` + scim.URNUser + `"],"userName":"user' || i || '@example.com","externalId":"x-' || i || '","displayName":"Person ' || i || '","active":true,"emails":[{"type":"work","value":"user' || i || '@example.com","primary":true}]}'`
	numbers, id := `generate_series(1, ?::bigint) AS s(i)`, `lpad(to_hex(i * 60000), 12, '0')`
	if db.Dialect == storetest.SQLite {
		numbers, id = `(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?) SELECT i FROM s) s`, `printf('%012x', i * 60000)`
	}
	id = `substr(` + id + `, 1, 8) || '-' || substr(` + id + `, 9) || '-7000-8000-000000000000'`
	search := `lower(` + doc + `)`
	if db.Dialect == storetest.Postgres {
		search += `::jsonb`
	}
	db.Exec(b, fmt.Sprintf(`INSERT INTO resources (id, source, kind, key, external_id, display, doc, search, version, created_at, modified_at, identity_id)
SELECT %s, 'hr', 'User', 'user' || i || '@example.com', 'x-' || i, 'Person ' || i, %s, %s, 1, i, i, %s FROM %s`, id, doc, search, id, numbers), people)
	db.Exec(b, fmt.Sprintf(`INSERT INTO resource_values (resource_id, attr, value, kind, source, uniq)
SELECT %s, 'emails.value', 'user' || i || '@example.com', 'User', 'hr', FALSE FROM %s`, id, numbers), people)
	db.Exec(b, `INSERT INTO resource_counts (source, kind, lane, n) VALUES ('hr', 'User', 0, ?)`, people)
	if db.Dialect == storetest.Postgres {
		db.Exec(b, `VACUUM ANALYZE resources`)
		db.Exec(b, `VACUUM ANALYZE resource_values`)
	}
}
