package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// lanes is the number of hash chains. Writers that come together take different
// lanes, so that they do not wait for one another's commit.
const lanes = 16

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
}

// digest is what the chain binds: every column but the place in the chain.
func (e AuditEntry) digest() []byte {
	line, _ := json.Marshal([]any{micros(e.At), e.Actor, e.Action, e.Object, e.Identity, string(e.data())})
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
	n.Store(rand.Uint32())
	return n
}()

// anyLane takes the lanes in turn: writers of one process meet in a lane only if
// one takes longer than fifteen others.
func anyLane() int { return int(lastLane.Add(1) % lanes) }

// Audit appends entries to the chain, in order, all in one lane.
func (t *Tx) Audit(entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	lane := anyLane()
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	var seq int64
	var hash []byte
	if err := t.row(`SELECT seq, hash FROM audit_heads WHERE lane = ?`+lock, lane).Scan(&seq, &hash); err != nil {
		return fmt.Errorf("audit head: %w", err)
	}
	rows := make([]auditRow, len(entries))
	for i, e := range entries {
		if e.At.IsZero() {
			e.At = t.Now
		}
		seq++
		hash = chain(hash, e.digest())
		rows[i] = auditRow{Lane: lane, Seq: seq, At: micros(e.At), Actor: e.Actor, Action: e.Action,
			Object: e.Object, IdentityID: e.Identity, Data: string(e.data()), Hash: hash}
	}
	if err := t.db.CreateInBatches(rows, 200).Error; err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	_, err := t.exec(`UPDATE audit_heads SET seq = ?, hash = ? WHERE lane = ?`, seq, hash, lane)
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
}

func (auditRow) TableName() string { return "audit" }

func (r auditRow) entry() AuditEntry {
	return AuditEntry{Lane: r.Lane, Seq: r.Seq, At: fromMicros(r.At), Actor: r.Actor, Action: r.Action,
		Object: r.Object, Identity: r.IdentityID, Data: json.RawMessage(r.Data), Hash: r.Hash}
}

// AuditFault is a place where the chain does not hold.
type AuditFault struct {
	Lane    int    `json:"lane"`
	Seq     int64  `json:"seq"`
	Message string `json:"message"`
}

// VerifyAudit walks every lane and reports how many entries hold, and each place
// where an entry was changed, removed or added. Memory is bounded.
func (s *Store) VerifyAudit(ctx context.Context) (checked int64, faults []AuditFault, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		for lane := range lanes {
			n, found, err := tx.verifyLane(lane)
			checked += n
			faults = append(faults, found...)
			if err != nil {
				return err
			}
		}
		found, err := tx.strayLanes()
		faults = append(faults, found...)
		return err
	})
	return checked, faults, err
}

// strayLanes finds entries in lanes that nobody writes.
func (t *Tx) strayLanes() (faults []AuditFault, err error) {
	rows, err := t.query(`SELECT lane, min(seq), count(*) FROM audit WHERE lane < 0 OR lane >= ? GROUP BY lane ORDER BY lane`, lanes)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f AuditFault
		var n int64
		if err := rows.Scan(&f.Lane, &f.Seq, &n); err != nil {
			return faults, err
		}
		f.Message = fmt.Sprintf("%d entries were added in a lane that does not exist", n)
		faults = append(faults, f)
	}
	return faults, rows.Err()
}

func (t *Tx) verifyLane(lane int) (checked int64, faults []AuditFault, err error) {
	var headSeq int64
	var headHash []byte
	if err := t.row(`SELECT seq, hash FROM audit_heads WHERE lane = ?`, lane).Scan(&headSeq, &headHash); err != nil {
		return 0, []AuditFault{{Lane: lane, Message: "the head of the lane is missing"}}, nil
	}
	rows, err := t.query(`SELECT seq, at, actor, action, object, identity_id, data, hash FROM audit WHERE lane = ? ORDER BY seq`, lane)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	var previous []byte
	var last int64
	for rows.Next() {
		var r auditRow
		if err := rows.Scan(&r.Seq, &r.At, &r.Actor, &r.Action, &r.Object, &r.IdentityID, &r.Data, &r.Hash); err != nil {
			return checked, faults, err
		}
		if r.Seq != last+1 {
			faults = append(faults, AuditFault{lane, r.Seq, fmt.Sprintf("entries %d to %d are missing", last+1, r.Seq-1)})
		} else if !bytes.Equal(chain(previous, r.entry().digest()), r.Hash) {
			faults = append(faults, AuditFault{lane, r.Seq, "the entry does not match its hash"})
		}
		previous, last = r.Hash, r.Seq
		checked++
	}
	if last != headSeq || !bytes.Equal(previous, headHash) {
		faults = append(faults, AuditFault{lane, headSeq, fmt.Sprintf("the lane ends at %d, its head says %d", last, headSeq)})
	}
	return checked, faults, rows.Err()
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
