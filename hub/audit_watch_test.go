package hub_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestAuditWatch: a pass goes on where the last part ended, whoever does it; a change of
// the trail is found and told, and when it is put right the next pass says so.
func TestAuditWatch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		ctx := t.Context()
		entries := make([]store.AuditEntry, 30)
		for n := range entries {
			entries[n] = store.AuditEntry{Actor: "ops", Action: "test", Object: "x", Data: []byte(`{"n":1}`)}
		}
		for range 3 {
			if err := db.Update(ctx, func(tx *store.Tx) error { return tx.Audit(entries...) }); err != nil {
				t.Fatal(err)
			}
		}
		pass := func() store.AuditWatch {
			t.Helper()
			var w store.AuditWatch
			for n := range 20 {
				next, ok, err := db.ClaimAuditWatch(ctx, time.Minute)
				if err != nil || !ok {
					t.Fatalf("part %d: claimed %t, %v", n, ok, err)
				}
				if _, again, _ := db.ClaimAuditWatch(ctx, time.Minute); again {
					t.Fatal("two have it at once")
				}
				if err := db.ContinueAuditWatch(ctx, &next, 7); err != nil {
					t.Fatal(err)
				}
				if w = next; w.Done() {
					next.End(db.Now())
				}
				if err := db.SaveAuditWatch(ctx, next); err != nil {
					t.Fatal(err)
				}
				if w.Done() {
					return next
				}
			}
			t.Fatal("a pass without an end")
			return w
		}
		if w := pass(); w.Verified != 90 || w.Broken != 0 || w.VerifiedAt == nil {
			t.Fatalf("a trail that holds: %+v", w)
		}
		lane, at := db.Int(t, `SELECT min(lane) FROM audit`), db.Int(t, `SELECT min(seq) FROM audit`)+3
		db.Exec(t, `UPDATE audit SET actor = 'nobody' WHERE lane = ? AND seq = ?`, lane, at)
		if w := pass(); w.Broken != 1 || !strings.Contains(w.BrokenFirst, "does not match its hash") {
			t.Fatalf("a changed entry: %+v", w)
		}
		db.Exec(t, `UPDATE audit SET actor = 'ops' WHERE lane = ? AND seq = ?`, lane, at)
		h := hub.New(db.Store, slog.New(slog.DiscardHandler))
		watch := &hub.AuditWatch{Hub: h}
		if err := watch.Tick(ctx); err != nil { // too soon after the last pass
			t.Fatal(err)
		}
		if w, err := db.AuditWatch(ctx); err != nil || w.Broken != 1 {
			t.Fatalf("verified again at once: %+v, %v", w, err)
		}
		if w := pass(); w.Broken != 0 {
			t.Fatalf("put right: %+v", w)
		}
		db.Exec(t, `DELETE FROM audit WHERE lane = ? AND seq > ?`, lane, at+20)
		if w := pass(); w.Broken == 0 || !strings.Contains(w.BrokenFirst, "its head says") {
			t.Fatalf("the end of a lane was cut off: %+v", w)
		}
	})
}
