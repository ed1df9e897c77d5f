package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// AuditWatch is what the verification of the audit trail in the background knows: one
// pass after another, each from the beginning of every lane to where it ended when the
// pass began, a part at a time, by one replica at a time.
type AuditWatch struct {
	Began   time.Time     `json:"began,omitzero"` // of the pass under way; zero: none is
	Lanes   []WatchedLane `json:"lanes,omitempty"`
	Entries int64         `json:"entries,omitempty"` // that this pass has read
	Faults  int           `json:"faults,omitempty"`  // that it has found
	First   string        `json:"first,omitempty"`   // the first of them, in words

	VerifiedAt  *time.Time `json:"verified_at,omitempty"` // when the last pass came to its end
	Verified    int64      `json:"verified,omitempty"`    // entries that it read
	Broken      int        `json:"broken,omitempty"`      // faults that it found
	BrokenFirst string     `json:"broken_first,omitempty"`
}

// WatchedLane is how far a pass has come in a lane: this entry had this hash.
type WatchedLane struct {
	LaneHead
	Until int64  `json:"until"` // the last entry of the lane when the pass began
	End   []byte `json:"end"`   // and its hash
}

// Faulty is how many faults are known, of the last pass or of the one under way, and
// the first of them in words.
func (w AuditWatch) Faulty() (n int, first string) {
	if w.Faults > 0 {
		return w.Faults, w.First
	}
	return w.Broken, w.BrokenFirst
}

// Done reports whether the pass under way has read all that it is to read.
func (w AuditWatch) Done() bool {
	return !w.Began.IsZero() && !slices.ContainsFunc(w.Lanes, func(l WatchedLane) bool { return l.Seq < l.Until })
}

// Find notes faults in the pass under way.
func (w *AuditWatch) Find(faults []AuditFault) {
	if len(faults) > 0 && w.Faults == 0 {
		w.First = faults[0].Message
		if f := faults[0]; f.Seq > 0 {
			w.First = fmt.Sprintf("lane %d, entry %d: %s", f.Lane, f.Seq, f.Message)
		}
	}
	w.Faults += len(faults)
}

// End ends the pass under way.
func (w *AuditWatch) End(now time.Time) {
	*w = AuditWatch{VerifiedAt: &now, Verified: w.Entries, Broken: w.Faults, BrokenFirst: w.First}
}

// AuditWatch reads how far the verification in the background is.
func (s *Store) AuditWatch(ctx context.Context) (w AuditWatch, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		w, err = tx.auditWatch()
		return err
	})
	return w, err
}

func (t *Tx) auditWatch() (w AuditWatch, err error) {
	var text []byte
	if err := t.row(`SELECT state FROM audit_watch WHERE id = 1`).Scan(&text); err != nil {
		return w, fmt.Errorf("audit watch: %w", err)
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return w, fmt.Errorf("audit watch: %w", err)
	}
	return w, nil
}

// ClaimAuditWatch takes the verification for a while; ok is false where another
// replica has it.
func (s *Store) ClaimAuditWatch(ctx context.Context, d time.Duration) (w AuditWatch, ok bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE audit_watch SET leased_until = ? WHERE id = 1 AND leased_until <= ?`, micros(tx.Now.Add(d)), micros(tx.Now))
		if ok = n == 1; err != nil || !ok {
			return err
		}
		w, err = tx.auditWatch()
		return err
	})
	return w, ok, err
}

// SaveAuditWatch stores how far the verification is and gives it back.
func (s *Store) SaveAuditWatch(ctx context.Context, w AuditWatch) error {
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("audit watch: %w", err)
	}
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE audit_watch SET leased_until = 0, state = ? WHERE id = 1`, string(text))
		return err
	})
}

// ContinueAuditWatch verifies up to most more entries, and begins a pass where none is
// under way. All of it sees one state of the database; nothing is locked.
func (s *Store) ContinueAuditWatch(ctx context.Context, w *AuditWatch, most int) error {
	return s.View(ctx, func(tx *Tx) error {
		base, heads, err := tx.auditHeads()
		if err != nil {
			return err
		}
		if w.Began.IsZero() {
			if err := tx.beginWatch(w, base, heads); err != nil {
				return err
			}
		}
		begins := map[int]LaneHead{}
		for _, b := range base {
			begins[b.Lane] = b
		}
		for i := range w.Lanes {
			if most <= 0 {
				return nil
			}
			n, err := tx.watchLane(w, &w.Lanes[i], begins[w.Lanes[i].Lane], most)
			if err != nil {
				return err
			}
			most -= n
		}
		return nil
	})
}

func (t *Tx) beginWatch(w *AuditWatch, base, heads []LaneHead) error {
	w.Began, w.Lanes, w.Entries, w.Faults, w.First = t.Now, nil, 0, 0, ""
	there := map[int]bool{}
	for i, h := range heads {
		there[h.Lane] = true
		w.Lanes = append(w.Lanes, WatchedLane{LaneHead: base[i], Until: h.Seq, End: h.Hash})
	}
	faults, err := t.strayLanes()
	for lane := range lanes {
		if !there[lane] {
			faults = append(faults, AuditFault{Lane: lane, Message: fmt.Sprintf("the head of lane %d is missing", lane)})
		}
	}
	w.Find(faults)
	return err
}

// watchLane verifies the next entries of a lane and tells how many it read.
func (t *Tx) watchLane(w *AuditWatch, l *WatchedLane, base LaneHead, most int) (n int, err error) {
	if l.Seq < base.Seq { // what stood there has become too old to keep meanwhile
		l.LaneHead = base
	}
	if l.Seq >= l.Until {
		return 0, nil
	}
	c := NewAuditChain([]LaneHead{l.LaneHead})
	n, err = t.readLane(c, l, most)
	if err != nil {
		return n, err
	}
	for _, identity := range slices.Sorted(maps.Keys(c.erased)) {
		if err := t.erasuresOf(c, identity); err != nil {
			return n, err
		}
	}
	c.endErased()
	l.LaneHead = c.at[l.Lane]
	if n < most || l.Seq == l.Until { // that was all there is
		if l.Seq != l.Until || !bytes.Equal(l.Hash, l.End) {
			c.fault(l.Lane, l.Until, "the lane ends at %d, its head says %d", l.Seq, l.Until)
		}
		l.Seq = l.Until
	}
	w.Entries += int64(n)
	w.Find(c.Faults)
	return n, nil
}

func (t *Tx) readLane(c *AuditChain, l *WatchedLane, most int) (n int, err error) {
	rows, err := t.query(`SELECT `+auditColumns+` FROM audit WHERE lane = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`, l.Lane, l.Seq, l.Until, most)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return n, err
		}
		c.Add(e, nil)
		n++
	}
	return n, rows.Err()
}

// erasuresOf has the chain note the entries that say that a person was erased, wherever
// they stand.
func (t *Tx) erasuresOf(c *AuditChain, identity string) error {
	if identity == "" {
		return nil
	}
	rows, err := t.query(`SELECT `+auditColumns+` FROM audit WHERE identity_id = ? AND action IN (?, ?) ORDER BY at`, identity, actionErase, actionAuditErase)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return err
		}
		c.note(e)
	}
	return rows.Err()
}
