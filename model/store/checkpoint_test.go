package store_test

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func keyOf(fill byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = fill
	}
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // as crypto/ed25519 says
}

func sign(t *testing.T, db *storetest.DB, key ed25519.PrivateKey, minAge time.Duration) (store.Checkpoint, bool) {
	t.Helper()
	c, made, err := db.SignCheckpoint(t.Context(), key, minAge)
	if err != nil {
		t.Fatal(err)
	}
	return c, made
}

// faultsOf is all that a verification with a key, and a checkpoint kept elsewhere, finds.
func faultsOf(t *testing.T, db *storetest.DB, key ed25519.PrivateKey, kept ...store.Checkpoint) []string {
	t.Helper()
	_, faults, err := db.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, more, err := db.VerifyCheckpoints(t.Context(), store.CheckpointKeys{Preferred: publicOf(key)}, kept)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range append(faults, more...) {
		out = append(out, f.Message)
	}
	return out
}

func TestCheckpointsWhenSomethingChanged(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		write := func() { update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1)) }) }
		write()
		steps := []struct {
			name string
			do   func()
			key  byte
			age  time.Duration
			made bool
		}{
			{"the first", func() {}, 1, time.Hour, true},
			{"nothing changed", func() { clock.Add(2 * time.Hour) }, 1, time.Hour, false},
			{"something changed", write, 1, time.Hour, true},
			{"too early", func() { write(); clock.Add(59 * time.Minute) }, 1, time.Hour, false},
			{"at a stop", func() {}, 1, 0, true},
			{"another key", func() {}, 2, 0, true},
			{"clock set back", func() { write(); clock.Add(-24 * time.Hour) }, 2, time.Hour, true},
		}
		for _, s := range steps {
			s.do()
			if _, made := sign(t, db, keyOf(s.key), s.age); made != s.made {
				t.Errorf("%s: made %v", s.name, made)
			}
		}
		n, faults, err := db.VerifyCheckpoints(t.Context(), store.CheckpointKeys{Preferred: publicOf(keyOf(2)), Others: []ed25519.PublicKey{publicOf(keyOf(1))}}, nil)
		if n != 5 || len(faults) > 0 || err != nil {
			t.Errorf("%d checkpoints, %v, %v", n, faults, err)
		}
		if found := faultsOf(t, db, keyOf(1)); len(found) == 0 {
			t.Error("a checkpoint of a key that is not known was taken")
		}
	})
}

// rewrite replaces the trail by one that is sound in itself: what somebody can do who
// may write to the database and knows the rules.
func rewrite(t *testing.T, db *storetest.DB, entries int) {
	t.Helper()
	db.Exec(t, `DELETE FROM audit`)
	db.Exec(t, `UPDATE audit_heads SET seq = 0, hash = base_hash`)
	for n := range entries {
		update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(n)) })
	}
	verifyAudit(t, db)
}

// TestCheckpointsShowRewriting: what the chain alone cannot show.
func TestCheckpointsShowRewriting(t *testing.T) {
	t.Parallel()
	thief := keyOf(9)
	for name, tt := range map[string]struct {
		attack func(t *testing.T, db *storetest.DB)
		kept   bool // shown only by a checkpoint that was kept elsewhere
	}{
		"rewritten": {func(t *testing.T, db *storetest.DB) { rewrite(t, db, 100) }, false},
		"cut off":   {func(t *testing.T, db *storetest.DB) { rewrite(t, db, 1) }, false},
		"signed anew": {func(t *testing.T, db *storetest.DB) {
			rewrite(t, db, 100)
			db.Exec(t, `DELETE FROM audit_checkpoints`)
			sign(t, db, thief, 0)
		}, false},
		"signed beside": {func(t *testing.T, db *storetest.DB) { sign(t, db, thief, 0) }, false},
		"checkpoint changed": {func(t *testing.T, db *storetest.DB) {
			db.Exec(t, `UPDATE audit_checkpoints SET body = replace(body, '"lane":1,', '"lane":1, ') WHERE seq = 1`)
		}, false},
		"first removed": {func(t *testing.T, db *storetest.DB) { db.Exec(t, `DELETE FROM audit_checkpoints WHERE seq = 1`) }, false},
		"unreadable": {func(t *testing.T, db *storetest.DB) {
			db.Exec(t, `UPDATE audit_checkpoints SET body = 'x' WHERE seq = 1`)
		}, false},
		"all removed": {func(t *testing.T, db *storetest.DB) { rewrite(t, db, 100); db.Exec(t, `DELETE FROM audit_checkpoints`) }, true},
		"key known to the thief": {func(t *testing.T, db *storetest.DB) {
			rewrite(t, db, 100)
			db.Exec(t, `DELETE FROM audit_checkpoints`)
			sign(t, db, keyOf(1), 0)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *storetest.DB) {
				for n := range 20 {
					update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(n)) })
				}
				sign(t, db, keyOf(1), 0)
				update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1)) })
				kept, _ := sign(t, db, keyOf(1), 0)
				if found := faultsOf(t, db, keyOf(1), kept); len(found) > 0 {
					t.Fatalf("faults nobody made: %v", found)
				}
				tt.attack(t, db)
				if found := faultsOf(t, db, keyOf(1)); len(found) == 0 != tt.kept {
					t.Errorf("without a checkpoint kept elsewhere: %v", found)
				}
				if found := faultsOf(t, db, keyOf(1), kept); len(found) == 0 {
					t.Error("not found with a checkpoint kept elsewhere")
				}
			})
		})
	}
}

// TestPruneAudit: what is too old goes in batches, the rest verifies, checkpoints of
// the time before and an erasure included; a beginning that nobody noted is a fault.
func TestPruneAudit(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		for day := range 40 {
			update(t, db, func(tx *store.Tx) error {
				list := make([]store.AuditEntry, 120)
				for i := range list {
					list[i] = entry(day*120 + i)
				}
				return tx.Audit(list...)
			})
			switch day {
			case 5:
				eraseOne(t, db, "i1")
			case 10, 30:
				sign(t, db, keyOf(1), 0)
			}
			clock.Add(24 * time.Hour)
		}
		before := verifyAudit(t, db)
		var taken int64
		rounds := 0
		for more := true; more; rounds++ {
			n, again, err := db.PruneAudit(t.Context(), noon().AddDate(0, 0, 20))
			if err != nil || rounds > 10 {
				t.Fatal(rounds, err)
			}
			taken, more = taken+n, again
			if found := faultsOf(t, db, keyOf(1)); len(found) > 0 {
				t.Fatalf("after round %d: %v", rounds, found)
			}
		}
		if left := verifyAudit(t, db); left != before-taken+int64(rounds) || taken < 2400 || rounds < 2 {
			t.Errorf("%d entries of %d left after %d were taken in %d rounds", left, before, taken, rounds)
		}
		if n := db.Int(t, `SELECT count(*) FROM audit WHERE at < ?`, noon().AddDate(0, 0, 19).UnixMicro()); n > 0 {
			t.Errorf("%d old entries are there still", n)
		}
		lane := db.Int(t, `SELECT lane FROM audit GROUP BY lane ORDER BY count(*) DESC LIMIT 1`)
		db.Exec(t, `UPDATE audit_heads SET base_seq = base_seq + 1, base_hash = (SELECT hash FROM audit a WHERE a.lane = audit_heads.lane AND a.seq = base_seq + 1) WHERE lane = ?`, lane)
		db.Exec(t, `DELETE FROM audit WHERE lane = ? AND seq <= (SELECT base_seq FROM audit_heads h WHERE h.lane = audit.lane)`, lane)
		if _, faults, err := db.VerifyAudit(t.Context()); len(faults) == 0 || err != nil {
			t.Errorf("a beginning that nobody noted: %v %v", faults, err)
		}
	})
}

func TestCheckpointText(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1)) })
	c, _ := sign(t, db, keyOf(1), 0)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back store.Checkpoint
	if err := json.Unmarshal(text, &back); err != nil || !back.SignedBy([]ed25519.PublicKey{publicOf(keyOf(1))}) {
		t.Errorf("%s does not read back: %v", text, err)
	}
	back.Signed = strings.Replace(back.Signed, `"seq":1`, `"seq":2`, 1)
	if back.SignedBy([]ed25519.PublicKey{publicOf(keyOf(1))}) {
		t.Error("a changed text is signed still")
	}
	if _, err := (store.Checkpoint{Signed: "{}"}).Body(); err == nil {
		t.Error("an empty text is a checkpoint")
	}
}
