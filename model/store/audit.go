package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// lanes is the number of hash chains. Writers that come together take different
// lanes, so that they do not wait for one another's commit.
const lanes = 16

// The forms of an entry: how the chain binds its data.
const (
	formPlain       = 1 // the data itself; of hubs before schema 11
	formSalted      = 2 // a salted hash of the data, so that the data can be erased
	formPlainErased = 3 // erased; DataHash is the digest of the whole entry
	formErased      = 4 // erased; DataHash is the salted hash
)

// saltSize is how many random bytes keep erased data from being guessed.
const saltSize = 16

// AuditEntry is one line of the audit trail: who did what to what, and why.
// Data is a JSON object and holds nothing secret.
type AuditEntry struct {
	Lane     int             `json:"lane"`
	Seq      int64           `json:"seq"`
	At       time.Time       `json:"at"`
	Actor    string          `json:"actor"`
	Action   string          `json:"action"`
	Object   string          `json:"object"`
	Identity string          `json:"identity,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Hash     []byte          `json:"hash"`

	Form     int    `json:"form,omitempty"`
	Salt     []byte `json:"salt,omitempty"`
	DataHash []byte `json:"data_hash,omitempty"` // of an erased entry: what its data was bound by
}

// Erased reports whether the entry's data was removed with the person it was about.
func (e AuditEntry) Erased() bool { return e.Form == formPlainErased || e.Form == formErased }

// seal makes the entry one of the present form.
func (e *AuditEntry) seal() {
	e.Form, e.Salt = formSalted, make([]byte, saltSize)
	_, _ = rand.Read(e.Salt) // never fails
}

// dataHash is what stands for the data of an entry of the present form.
func (e AuditEntry) dataHash() []byte {
	if e.Form == formErased {
		return e.DataHash
	}
	sum := sha256.Sum256(append(bytes.Clone(e.Salt), e.data()...))
	return sum[:]
}

// digest is what the chain binds: every column but the place in the chain.
func (e AuditEntry) digest() []byte {
	var line []byte
	switch e.Form {
	case formPlainErased:
		return e.DataHash
	case formSalted, formErased:
		line, _ = json.Marshal([]any{formSalted, micros(e.At), e.Actor, e.Action, e.Object, e.Identity, e.dataHash()})
	default:
		line, _ = json.Marshal([]any{micros(e.At), e.Actor, e.Action, e.Object, e.Identity, string(e.data())})
	}
	sum := sha256.Sum256(line)
	return sum[:]
}

func (e AuditEntry) data() []byte {
	if len(e.Data) == 0 {
		return []byte("{}")
	}
	return e.Data
}

func chain(previous, digest []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(previous), digest...))
	return sum[:]
}

// lastLane begins anywhere, so that replicas do not march in step.
var lastLane = func() *atomic.Uint32 {
	n := &atomic.Uint32{}
	n.Store(mathrand.Uint32())
	return n
}()

// anyLane takes the lanes in turn: writers of one process meet in a lane only if
// one takes longer than fifteen others.
func anyLane() int { return int(lastLane.Add(1) % lanes) }

// Audit appends entries to the chain, in order, all those of a transaction in one lane:
// transactions that had several would wait for each other.
func (t *Tx) Audit(entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	if t.lane == 0 {
		t.lane = anyLane() + 1
	}
	lane, lock := t.lane-1, ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	var seq int64
	var hash []byte
	if err := t.row(`SELECT seq, hash FROM audit_heads WHERE lane = ?`+lock, lane).Scan(&seq, &hash); err != nil {
		return fmt.Errorf("audit head: %w", err)
	}
	rows := newRowset("seq bigint", "at bigint", "actor text", "action text", "object text", "identity_id text", "data text", "hash bytea", "form bigint", "salt bytea")
	for _, e := range entries {
		if e.At.IsZero() {
			e.At = t.Now
		}
		e.Data = t.joined(e.Data)
		e.seal()
		seq++
		hash = chain(hash, e.digest())
		rows.add(seq, micros(e.At), e.Actor, e.Action, e.Object, e.Identity, string(e.data()), hash, e.Form, e.Salt)
	}
	_, err := t.inRows(rows, `INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash, form, salt)
SELECT CAST(? AS bigint), seq, at, actor, action, object, identity_id, data, hash, form, salt FROM v`, lane)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	_, err = t.exec(`UPDATE audit_heads SET seq = ?, hash = ? WHERE lane = ?`, seq, hash, lane)
	return err
}

type auditRow struct {
	Lane       int   `gorm:"primaryKey;autoIncrement:false"`
	Seq        int64 `gorm:"primaryKey;autoIncrement:false"`
	At         int64
	Actor      string
	Action     string
	Object     string
	IdentityID string
	Data       string
	Hash       []byte
	Form       int
	Salt       []byte
	DataHash   []byte
}

func (auditRow) TableName() string { return "audit" }

func (r auditRow) entry() AuditEntry {
	return AuditEntry{Lane: r.Lane, Seq: r.Seq, At: fromMicros(r.At), Actor: r.Actor, Action: r.Action,
		Object: r.Object, Identity: r.IdentityID, Data: json.RawMessage(r.Data), Hash: r.Hash,
		Form: r.Form, Salt: r.Salt, DataHash: r.DataHash}
}

// AuditFilter narrows a listing of the audit trail.
type AuditFilter struct {
	Identity string
	After    string // cursor of the previous page
	Limit    int
}

// AuditPage lists entries in order of time, and the cursor of the next page.
func (s *Store) AuditPage(ctx context.Context, f AuditFilter) (entries []AuditEntry, next string, err error) {
	q := s.read.WithContext(ctx).Model(&auditRow{}).Order("at, lane, seq").Limit(f.Limit + 1)
	if f.Identity != "" {
		q = q.Where("identity_id = ?", f.Identity)
	}
	if f.After != "" {
		var at, seq int64
		var lane int
		if _, err := fmt.Sscanf(f.After, "%d.%d.%d", &at, &lane, &seq); err != nil {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		q = q.Where("at > ? OR (at = ? AND (lane > ? OR (lane = ? AND seq > ?)))", at, at, lane, lane, seq)
	}
	var rows []auditRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, "", err
	}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		last := rows[f.Limit-1]
		next = fmt.Sprintf("%d.%d.%d", last.At, last.Lane, last.Seq)
	}
	for _, r := range rows {
		entries = append(entries, r.entry())
	}
	return entries, next, nil
}
