package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func entry(n int) store.AuditEntry {
	return store.AuditEntry{Actor: "ops", Action: "test.act", Object: fmt.Sprint("thing/", n), Identity: fmt.Sprint("i", n%3), Data: []byte(fmt.Sprintf(`{"n":%d,"s":"ünï\"\\"}`, n))}
}

// TestAuditShowsTampering: whatever is changed behind the store's back is found.
func TestAuditShowsTampering(t *testing.T) {
	t.Parallel()
	in := func(where string) string {
		return ` WHERE lane = (SELECT min(lane) FROM audit) AND ` + where
	}
	last := `seq = (SELECT max(seq) FROM audit b WHERE b.lane = audit.lane)`
	attacks := map[string][]string{
		"time":          {`UPDATE audit SET at = at + 1` + in(`seq = 2`)},
		"actor":         {`UPDATE audit SET actor = 'somebody'` + in(`seq = 1`)},
		"action":        {`UPDATE audit SET action = 'test.other'` + in(last)},
		"object":        {`UPDATE audit SET object = 'thing/x'` + in(`seq = 2`)},
		"identity":      {`UPDATE audit SET identity_id = ''` + in(`seq = 3`)},
		"data":          {`UPDATE audit SET data = '{}'` + in(`seq = 2`)},
		"hash":          {`UPDATE audit SET hash = (SELECT b.hash FROM audit b WHERE b.lane = audit.lane AND b.seq = 1)` + in(`seq = 2`)},
		"first deleted": {`DELETE FROM audit` + in(`seq = 1`)},
		"one deleted":   {`DELETE FROM audit` + in(`seq = 2`)},
		"tail deleted":  {`DELETE FROM audit` + in(`seq > 2`)},
		"lane deleted":  {`DELETE FROM audit WHERE lane = (SELECT min(lane) FROM audit)`},
		"all deleted":   {`DELETE FROM audit`},
		"head deleted":  {`DELETE FROM audit_heads WHERE lane = (SELECT min(lane) FROM audit)`},
		"head moved": {`UPDATE audit_heads SET seq = 2, hash = (SELECT b.hash FROM audit b WHERE b.lane = audit_heads.lane AND b.seq = 2) WHERE lane = (SELECT min(lane) FROM audit)`,
			`DELETE FROM audit` + in(`seq = 1`)},
		"swapped":               {`UPDATE audit SET seq = 1000` + in(`seq = 1`), `UPDATE audit SET seq = 1` + in(`seq = 2`), `UPDATE audit SET seq = 2` + in(`seq = 1000`)},
		"moved to another lane": {`UPDATE audit SET lane = 99` + in(last)},
		"added at the end":      {`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash) SELECT lane, seq + 1, at, actor, action, object, identity_id, data, hash FROM audit` + in(last)},
		"added before":          {`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash) SELECT lane, 0, at, actor, action, object, identity_id, data, hash FROM audit` + in(`seq = 1`)},
		"added beside":          {`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash) SELECT 99, 1, at, actor, action, object, identity_id, data, hash FROM audit` + in(`seq = 1`)},
	}
	for name, statements := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *storetest.DB) {
				for range 4 {
					update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1), entry(2), entry(3), entry(4)) })
				}
				if n := verifyAudit(t, db); n != 16 {
					t.Errorf("%d entries verified, want 16", n)
				}
				for _, s := range statements {
					if n := db.Exec(t, s); n == 0 {
						t.Fatalf("the attack changed nothing: %s", s)
					}
				}
				if _, faults, err := db.VerifyAudit(t.Context()); len(faults) == 0 || err != nil {
					t.Errorf("not found: %v %v", faults, err)
				}
			})
		})
	}
}

// TestAuditWriters: writers of all kinds at once leave one unbroken chain a lane.
func TestAuditWriters(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		const writers, rounds = 6, 12
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for n := range rounds {
					id := fmt.Sprintf("u-%d-%d", i, n)
					err := db.CreateResource(t.Context(), newUser(t, id, id, nil))
					if err == nil {
						err = db.Update(t.Context(), func(tx *store.Tx) error { return tx.Audit(entry(n), entry(n+1)) })
					}
					errs[i] = errors.Join(errs[i], err)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := verifyAudit(t, db); n != writers*rounds*3 {
			t.Errorf("%d entries, want %d", n, writers*rounds*3)
		}
		if n := db.Int(t, `SELECT coalesce(sum(n), 0) FROM resource_counts`); n != writers*rounds {
			t.Errorf("the counts say %d", n)
		}
	})
}

// dataOf is the object as the entry's data tells it.
func dataOf(t *testing.T, e store.AuditEntry) string {
	t.Helper()
	var data struct{ N int }
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("thing/", data.N)
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		const n = 23
		for i := range n {
			if i%4 == 0 { // several in one microsecond
				clock.Add(time.Second)
			}
			update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(i)) })
		}
		for _, tt := range []struct {
			identity string
			want     int
		}{{"", n}, {"i1", 8}, {"nobody", 0}} {
			seen, cursor := map[string]bool{}, ""
			var last time.Time
			for range n {
				page, next, err := db.AuditPage(t.Context(), store.AuditFilter{Identity: tt.identity, After: cursor, Limit: 5})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page {
					if seen[e.Object] || e.At.Before(last) {
						t.Errorf("%s at %s: twice or out of order", e.Object, e.At)
					}
					seen[e.Object], last = true, e.At
				}
				if cursor = next; next == "" {
					break
				}
			}
			if len(seen) != tt.want {
				t.Errorf("identity %q: %d entries, want %d", tt.identity, len(seen), tt.want)
			}
		}
		got, _, err := db.AuditPage(t.Context(), store.AuditFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got[0].Object, dataOf(t, got[0])); diff != "" {
			t.Error(diff)
		}
		for _, cursor := range []string{"x", "1.2", "1.2.x", "'; --"} {
			if _, _, err := db.AuditPage(t.Context(), store.AuditFilter{After: cursor, Limit: 1}); model.CodeOf(err) != model.Invalid {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}
