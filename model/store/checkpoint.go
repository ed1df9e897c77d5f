package store

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Checkpoint is where every lane of the audit trail stood at a moment, signed. Signed
// is the text under the signature, JSON of a CheckpointBody; it is kept as it was
// written, so that anybody can check it with any tool for Ed25519.
type Checkpoint struct {
	Signed    string `json:"signed"`
	PublicKey string `json:"public_key"` // hexadecimal
	Signature string `json:"signature"`  // base64, over the bytes of Signed
}

// CheckpointBody is what a checkpoint says.
type CheckpointBody struct {
	Seq      int64      `json:"seq"` // 1, 2, 3, …
	At       time.Time  `json:"at"`
	Previous string     `json:"previous,omitempty"` // SHA-256 of the text of the one before, hexadecimal
	Heads    []LaneHead `json:"heads"`
}

// Body reads what the checkpoint says; an error where it is none. It does not check
// the signature.
func (c Checkpoint) Body() (b CheckpointBody, err error) {
	if err := json.Unmarshal([]byte(c.Signed), &b); err != nil || b.Seq < 1 || len(b.Heads) == 0 {
		return b, model.Fail(model.Invalid, "this is no checkpoint of an audit trail: it needs signed, public_key and signature, as scimhub audit checkpoint prints them", err)
	}
	return b, nil
}

// SignedBy reports whether one of the keys has signed the checkpoint.
func (c Checkpoint) SignedBy(keys []ed25519.PublicKey) bool {
	signature, err := base64.StdEncoding.DecodeString(c.Signature)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool {
		return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, []byte(c.Signed), signature)
	})
}

func (c Checkpoint) sum() string {
	sum := sha256.Sum256([]byte(c.Signed))
	return hex.EncodeToString(sum[:])
}

// SignCheckpoint signs where the lanes stand, if anything was written, or another key
// signed, since the last checkpoint, and that is older than minAge. It returns the new
// one, or false. Any number of replicas may call it.
func (s *Store) SignCheckpoint(ctx context.Context, key ed25519.PrivateKey, minAge time.Duration) (made Checkpoint, ok bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		made, ok, err = tx.signCheckpoint(key, minAge)
		return err
	})
	return made, ok, err
}

func (t *Tx) signCheckpoint(key ed25519.PrivateKey, minAge time.Duration) (Checkpoint, bool, error) {
	if t.pg {
		if _, err := t.exec(auditLock); err != nil {
			return Checkpoint{}, false, err
		}
	}
	last, found, err := t.LastCheckpoint()
	if err != nil {
		return Checkpoint{}, false, err
	}
	_, heads, err := t.auditHeads()
	if err != nil {
		return Checkpoint{}, false, err
	}
	body := CheckpointBody{Seq: 1, At: t.Now, Heads: heads}
	public := hex.EncodeToString(key.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // as crypto/ed25519 says
	if found {
		before, err := last.Body()
		if err != nil {
			return Checkpoint{}, false, err
		}
		same := slices.EqualFunc(before.Heads, heads, func(a, b LaneHead) bool { return a.same(b) }) && last.PublicKey == public
		if same || t.Now.Before(before.At.Add(minAge)) && !t.Now.Before(before.At) {
			return Checkpoint{}, false, nil
		}
		body.Seq, body.Previous = before.Seq+1, last.sum()
	}
	text, err := json.Marshal(body)
	if err != nil {
		return Checkpoint{}, false, err
	}
	made := Checkpoint{Signed: string(text), PublicKey: public, Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, text))}
	_, err = t.exec(`INSERT INTO audit_checkpoints (seq, at, body, public_key, signature) VALUES (?,?,?,?,?)`, body.Seq, micros(t.Now), made.Signed, made.PublicKey, made.Signature)
	return made, err == nil, err
}

// LastCheckpoint is the newest checkpoint; false where there is none yet.
func (t *Tx) LastCheckpoint() (c Checkpoint, found bool, err error) {
	err = t.row(`SELECT body, public_key, signature FROM audit_checkpoints ORDER BY seq DESC LIMIT 1`).Scan(&c.Signed, &c.PublicKey, &c.Signature)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, err
}

// CheckpointKeys say whose signature counts. Preferred, if set, must have signed the
// newest checkpoint.
type CheckpointKeys struct {
	Preferred ed25519.PublicKey
	Others    []ed25519.PublicKey
}

func (k CheckpointKeys) all() []ed25519.PublicKey {
	if k.Preferred == nil {
		return k.Others
	}
	return append([]ed25519.PublicKey{k.Preferred}, k.Others...)
}

// VerifyCheckpoints holds the audit trail against the checkpoints in the database, and
// against those that were kept elsewhere: only these show that somebody who can write
// to the database, and has the key, has rewritten everything.
func (s *Store) VerifyCheckpoints(ctx context.Context, keys CheckpointKeys, kept []Checkpoint) (checked int, faults []AuditFault, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		v := checkpointCheck{tx: tx, keys: keys.all()}
		if err := v.own(keys.Preferred); err != nil {
			return err
		}
		for _, c := range kept {
			if err := v.compare(c, "the checkpoint kept elsewhere"); err != nil {
				return err
			}
		}
		checked, faults = v.checked, v.faults
		return nil
	})
	return checked, faults, err
}

// CompareCheckpoint holds the audit trail against one checkpoint, which may come from
// elsewhere.
func (s *Store) CompareCheckpoint(ctx context.Context, c Checkpoint, keys CheckpointKeys) (faults []AuditFault, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		v := checkpointCheck{tx: tx, keys: keys.all()}
		err := v.compare(c, "the checkpoint")
		faults = v.faults
		return err
	})
	return faults, err
}

type checkpointCheck struct {
	tx      *Tx
	keys    []ed25519.PublicKey
	base    map[int]LaneHead
	checked int
	faults  []AuditFault
}

func (v *checkpointCheck) fault(lane int, seq int64, format string, args ...any) {
	if len(v.faults) < maxAuditFaults {
		v.faults = append(v.faults, AuditFault{lane, seq, fmt.Sprintf(format, args...)})
	}
}

// own checks the checkpoints of the database: page by page, so that memory is bounded.
func (v *checkpointCheck) own(preferred ed25519.PublicKey) error {
	var before int64
	var sum string
	var last Checkpoint
	for {
		page, err := v.tx.checkpoints(before, 100)
		if err != nil {
			return err
		}
		for _, c := range page {
			b, err := c.Body()
			if err != nil {
				v.fault(0, before+1, "checkpoint %d cannot be read", before+1)
				before++
				continue
			}
			if b.Seq != before+1 || b.Previous != sum {
				v.fault(0, 0, "checkpoint %d does not follow the one before: checkpoints were removed or changed", b.Seq)
			}
			if err := v.compare(c, fmt.Sprint("checkpoint ", b.Seq)); err != nil {
				return err
			}
			before, sum, last = b.Seq, c.sum(), c
		}
		if len(page) < 100 {
			break
		}
	}
	if preferred != nil && last.Signed != "" && !last.SignedBy([]ed25519.PublicKey{preferred}) {
		v.fault(0, 0, "the newest checkpoint is not signed with the configured key")
	}
	return nil
}

func (t *Tx) checkpoints(after int64, limit int) (out []Checkpoint, err error) {
	rows, err := t.query(`SELECT body, public_key, signature FROM audit_checkpoints WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Checkpoint
		if err := rows.Scan(&c.Signed, &c.PublicKey, &c.Signature); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// compare checks one checkpoint: its signature, and that every lane still has the entry
// that it names.
func (v *checkpointCheck) compare(c Checkpoint, name string) error {
	v.checked++
	if !c.SignedBy(v.keys) {
		v.fault(0, 0, "%s is not signed with a key that is known here (it says %.16s…)", name, c.PublicKey)
	}
	b, err := c.Body()
	if err != nil {
		return err
	}
	if v.base == nil {
		base, _, err := v.tx.auditHeads()
		if err != nil {
			return err
		}
		v.base = map[int]LaneHead{}
		for _, h := range base {
			v.base[h.Lane] = h
		}
	}
	have, err := v.tx.hashesAt(b.Heads)
	if err != nil {
		return err
	}
	for _, h := range b.Heads {
		base := v.base[h.Lane]
		hash, found := have[h.Lane]
		switch {
		case h.Seq < base.Seq, h.Seq == base.Seq && string(h.Hash) == string(base.Hash):
		case !found:
			v.fault(h.Lane, h.Seq, "%s of %s says that the lane goes on to %d: entries were removed", name, b.At.Format(time.RFC3339), h.Seq)
		case string(hash) != string(h.Hash):
			v.fault(h.Lane, h.Seq, "the entry is another one than %s of %s says: the trail was rewritten", name, b.At.Format(time.RFC3339))
		}
	}
	return nil
}

// hashesAt reads the hashes of entries, by lane.
func (t *Tx) hashesAt(heads []LaneHead) (map[int][]byte, error) {
	out := map[int][]byte{}
	for chunk := range slices.Chunk(heads, perStatement) {
		args := make([]any, 0, 2*len(chunk))
		for _, h := range chunk {
			args = append(args, h.Lane, h.Seq)
		}
		if err := t.hashesInto(out, `SELECT lane, hash FROM audit WHERE (lane, seq) IN (VALUES `+tuples(`(CAST(? AS int),CAST(? AS bigint))`, len(chunk))+`)`, args); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Tx) hashesInto(out map[int][]byte, query string, args []any) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var lane int
		var hash []byte
		if err := rows.Scan(&lane, &hash); err != nil {
			return err
		}
		out[lane] = hash
	}
	return rows.Err()
}

// LastCheckpoint is Tx.LastCheckpoint outside of a transaction.
func (s *Store) LastCheckpoint(ctx context.Context) (c Checkpoint, found bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		c, found, err = tx.LastCheckpoint()
		return err
	})
	return c, found, err
}
