package store_test

import (
	"fmt"
	"testing"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// eraseOne erases a person's entries as an erasure does: with the entry that says so.
func eraseOne(t *testing.T, db *storetest.DB, identity string) (n int) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		if err := tx.Audit(store.AuditEntry{Actor: "ops", Action: "identity.erase", Object: "identity/" + identity, Identity: identity}); err != nil {
			return err
		}
		var err error
		n, err = tx.EraseAudit(identity)
		return err
	})
	return n
}

func TestEraseAudit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada.secret", nil))
		for range 5 {
			update(t, db, func(tx *store.Tx) error {
				return tx.Audit(store.AuditEntry{Actor: "hub", Action: "target.create", Object: "target/git", Identity: "i-u1", Data: []byte(`{"userName":"ada.secret"}`)}, entry(1))
			})
		}
		if n := eraseOne(t, db, "i-u1"); n != 6 {
			t.Errorf("%d entries erased, want 6", n)
		}
		if n := db.Int(t, `SELECT count(*) FROM audit WHERE data LIKE '%ada.secret%'`); n != 0 {
			t.Errorf("%d entries still name the person", n)
		}
		if n := db.Int(t, `SELECT count(*) FROM audit WHERE salt IS NULL AND form = 2`); n != 0 {
			t.Errorf("%d entries without salt", n)
		}
		verifyAudit(t, db)
		if n := eraseOne(t, db, "i-u1"); n != 0 {
			t.Errorf("%d entries erased a second time", n)
		}
		verifyAudit(t, db)
		page, _, err := db.AuditPage(t.Context(), store.AuditFilter{Identity: "i-u1", Limit: 1})
		if err != nil || len(page) != 1 || !page[0].Erased() || string(page[0].Data) != "{}" {
			t.Errorf("the erased entry reads %+v, %v", page, err)
		}
	})
}

// TestEraseAuditNeedsReason: data that is gone without an erasure, or more than the data,
// is a fault.
func TestEraseAuditNeedsReason(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]string{
		"no erasure":       `UPDATE audit SET form = 4, data = '{}', salt = NULL, data_hash = hash WHERE identity_id = 'i2'`,
		"erasure removed":  `DELETE FROM audit WHERE action = 'identity.erase'`,
		"actor changed":    `UPDATE audit SET actor = 'somebody' WHERE identity_id = 'i1' AND form = 4`,
		"data added":       `UPDATE audit SET data = '{"x":1}' WHERE identity_id = 'i1' AND form = 4`,
		"hash changed":     `UPDATE audit SET data_hash = hash WHERE identity_id = 'i1' AND form = 4`,
		"form changed":     `UPDATE audit SET form = 3 WHERE identity_id = 'i1' AND form = 4`,
		"person changed":   `UPDATE audit SET identity_id = 'i2' WHERE identity_id = 'i1' AND form = 4`,
		"salt of another":  `UPDATE audit SET salt = (SELECT b.salt FROM audit b WHERE b.form = 2 ORDER BY b.at DESC LIMIT 1), data = '{}' WHERE identity_id = 'i2' AND form = 2`,
		"back to the past": `UPDATE audit SET form = 1 WHERE identity_id = 'i2'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *storetest.DB) {
				update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1), entry(2), entry(4), entry(5)) })
				eraseOne(t, db, "i1")
				verifyAudit(t, db)
				if n := db.Exec(t, attack); n == 0 {
					t.Fatal("the attack changed nothing")
				}
				if _, faults, err := db.VerifyAudit(t.Context()); len(faults) == 0 || err != nil {
					t.Errorf("not found: %v %v", faults, err)
				}
			})
		})
	}
}

// TestAuditOfEarlierSchemas: entries that a hub before schema 11 wrote verify, are
// found out when they are changed, and can be erased.
func TestAuditOfEarlierSchemas(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url := oldAudit(t, dialect)
			db := storetest.OpenURL(t, dialect, url)
			if n := verifyAudit(t, db); n != 6 {
				t.Errorf("%d entries verified, want 6", n)
			}
			update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1), entry(2)) })
			if n := eraseOne(t, db, "i1"); n != 5 {
				t.Errorf("%d entries erased, want 5", n)
			}
			if n := verifyAudit(t, db); n != 10 {
				t.Errorf("%d entries verified, want 10", n)
			}
			for _, attack := range []string{
				`UPDATE audit SET actor = 'somebody' WHERE form = 3 AND seq = 1`,
				`UPDATE audit SET actor = 'ops', at = at + 1 WHERE form = 3 AND seq = 1`,
				`UPDATE audit SET at = at - 1, data = '{"n":7}' WHERE form = 1 AND seq = 2`,
			} {
				db.Exec(t, attack)
				if _, faults, err := db.VerifyAudit(t.Context()); len(faults) == 0 || err != nil {
					t.Errorf("%s: not found: %v %v", attack, faults, err)
				}
			}
		})
	}
}

// oldAudit is a database of schema 6 with entries as a hub of that time wrote them:
// the hashes are constants that such a hub computed.
func oldAudit(t *testing.T, dialect string) string {
	t.Helper()
	var texts []string
	literal := func(hash string) string {
		if dialect == storetest.Postgres {
			return `'\x` + hash + `'`
		}
		return `x'` + hash + `'`
	}
	for lane := range 2 {
		for i, hash := range oldHashes() {
			texts = append(texts, fmt.Sprintf(`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash) VALUES (%d, %d, %d, 'ops', 'test.act', 'thing/%d', 'i%d', '{"n":%d,"s":"ünï"}', %s)`,
				lane, i+1, 1_000_000+i, i, (i+1)%2, i, literal(hash)))
		}
		texts = append(texts, fmt.Sprintf(`UPDATE audit_heads SET seq = 3, hash = %s WHERE lane = %d`, literal(oldHashes()[2]), lane))
	}
	return former(t, dialect, 6, texts...)
}

func oldHashes() []string {
	return []string{
		"d7644ef1f084f0f9744bcc0e77b2b193efda9bead2f50e05bda2c8dbc9619b7f",
		"50c676b9bc969e1ebdfc2ab28d1b16557dccd1b3774cf95219340bfc5cc3f0d3",
		"5f5aaba5164b699edbd0ab9f80a64b50c4d526e0e085cee17f1bb312080cc4ed",
	}
}
