package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// The actions of entries that the verification itself reads.
const (
	actionErase      = "identity.erase" // a person was erased: their entries may have no data
	actionAuditErase = "audit.erase"    // which entries of the oldest form that touched
	actionPrune      = "audit.prune"    // where lanes begin since
)

// maxAuditFaults is how many faults are listed.
const maxAuditFaults = 10_000

// AuditFault is a place where the chain does not hold.
type AuditFault struct {
	Lane    int    `json:"lane"`
	Seq     int64  `json:"seq"`
	Message string `json:"message"`
}

// LaneHead is a place in a lane: the entry of this number has this hash.
type LaneHead struct {
	Lane int    `json:"lane"`
	Seq  int64  `json:"seq"`
	Hash []byte `json:"hash"`
}

// AuditChain checks entries as they come, each lane in its own order: of a database
// or of a file. Its memory grows with the people that were erased alone.
type AuditChain struct {
	Checked int64
	Faults  []AuditFault
	// Partial says that entries may be left out, as in an export of a part. Then each
	// entry is held against the hash that stood before it.
	Partial bool

	at       map[int]LaneHead // where each lane is
	base     map[int]LaneHead
	wanted   map[int]map[int64][]wantedHash
	erased   map[string]AuditFault // the first entry without its data, by person
	kept     map[string][]keptEntry
	erasures map[string]map[string]string // of audit.erase, by person
	excused  map[string]bool              // people with an identity.erase
	prunes   map[int]LaneHead             // the last beginning of each lane that an entry tells of
}

func (h LaneHead) same(o LaneHead) bool {
	return h.Lane == o.Lane && h.Seq == o.Seq && bytes.Equal(h.Hash, o.Hash)
}

type wantedHash struct {
	hash []byte
	by   string
}

type keptEntry struct {
	lane int
	seq  int64
	sum  string
}

// NewAuditChain begins a check of lanes that begin behind these places.
func NewAuditChain(base []LaneHead) *AuditChain {
	c := &AuditChain{at: map[int]LaneHead{}, base: map[int]LaneHead{}, wanted: map[int]map[int64][]wantedHash{}, erased: map[string]AuditFault{},
		kept: map[string][]keptEntry{}, erasures: map[string]map[string]string{}, excused: map[string]bool{}, prunes: map[int]LaneHead{}}
	for _, h := range base {
		c.at[h.Lane], c.base[h.Lane] = h, h
	}
	return c
}

// Expect notes what a checkpoint says, to be compared as the entries come.
func (c *AuditChain) Expect(by string, heads []LaneHead) {
	for _, h := range heads {
		if c.wanted[h.Lane] == nil {
			c.wanted[h.Lane] = map[int64][]wantedHash{}
		}
		c.wanted[h.Lane][h.Seq] = append(c.wanted[h.Lane][h.Seq], wantedHash{h.Hash, by})
	}
}

func (c *AuditChain) fault(lane int, seq int64, format string, args ...any) {
	switch n := len(c.Faults); {
	case n < maxAuditFaults:
		c.Faults = append(c.Faults, AuditFault{lane, seq, fmt.Sprintf(format, args...)})
	case n == maxAuditFaults:
		c.Faults = append(c.Faults, AuditFault{Message: "there are more faults than are listed"})
	}
}

// Add checks the next entry of its lane. Before is the hash of the entry before it,
// which counts where entries may be left out.
func (c *AuditChain) Add(e AuditEntry, before []byte) {
	last, begun := c.at[e.Lane]
	previous := last.Hash
	skipped := !begun || e.Seq != last.Seq+1
	if skipped && c.Partial && (!begun || e.Seq > last.Seq) {
		previous, skipped = before, false
	}
	switch {
	case begun && e.Seq <= last.Seq:
		c.fault(e.Lane, e.Seq, "the entry stands out of order, or twice")
	case skipped:
		c.fault(e.Lane, e.Seq, "entries %d to %d are missing", last.Seq+1, e.Seq-1)
	case !bytes.Equal(chain(previous, e.digest()), e.Hash):
		c.fault(e.Lane, e.Seq, "the entry does not match its hash")
	}
	for _, w := range c.wanted[e.Lane][e.Seq] {
		if !bytes.Equal(w.hash, e.Hash) {
			c.fault(e.Lane, e.Seq, "the entry is another one than %s says: the trail was rewritten", w.by)
		}
	}
	delete(c.wanted[e.Lane], e.Seq)
	c.at[e.Lane] = LaneHead{e.Lane, e.Seq, e.Hash}
	c.Checked++
	c.note(e)
}

// note keeps what End needs of an entry.
func (c *AuditChain) note(e AuditEntry) {
	if e.Erased() {
		if _, known := c.erased[e.Identity]; !known {
			c.erased[e.Identity] = AuditFault{Lane: e.Lane, Seq: e.Seq}
		}
		if e.Form == formPlainErased {
			c.kept[e.Identity] = append(c.kept[e.Identity], keptEntry{e.Lane, e.Seq, e.keptSum()})
		}
		if len(e.data()) > len("{}") {
			c.fault(e.Lane, e.Seq, "the entry counts as erased and has data")
		}
		return
	}
	switch e.Action {
	case actionErase:
		c.excused[e.Identity] = true
	case actionAuditErase:
		var d struct{ Kept map[string]string }
		_ = json.Unmarshal(e.Data, &d) // the hash says whether it was changed
		if c.erasures[e.Identity] == nil {
			c.erasures[e.Identity] = map[string]string{}
		}
		maps.Copy(c.erasures[e.Identity], d.Kept)
	case actionPrune:
		var d struct{ Lanes []LaneHead }
		_ = json.Unmarshal(e.Data, &d)
		for _, h := range d.Lanes {
			if h.Seq >= c.prunes[h.Lane].Seq {
				c.prunes[h.Lane] = h
			}
		}
	}
}

// keptSum is what an erased entry of the oldest form still says: its digest cannot
// be computed any more, so what is left of it is bound by the entry that erased it.
func (e AuditEntry) keptSum() string {
	line, _ := json.Marshal([]any{e.Lane, e.Seq, micros(e.At), e.Actor, e.Action, e.Object, e.Identity, e.DataHash})
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// End checks what can be told only when all entries were seen. Heads are where the
// lanes should end; nil where that is not known.
func (c *AuditChain) End(heads []LaneHead) []AuditFault {
	for _, h := range heads {
		if last := c.at[h.Lane]; last.Seq != h.Seq || !bytes.Equal(last.Hash, h.Hash) {
			c.fault(h.Lane, h.Seq, "the lane ends at %d, its head says %d", last.Seq, h.Seq)
		}
	}
	if c.Partial {
		return c.Faults
	}
	c.endErased()
	for _, lane := range slices.Sorted(maps.Keys(c.base)) {
		if h := c.base[lane]; h.Seq > 0 && !h.same(c.prunes[lane]) {
			c.fault(lane, h.Seq, "the lane begins behind entry %d, and no entry says that what was before was too old to keep", h.Seq)
		}
	}
	c.endWanted()
	return c.Faults
}

func (c *AuditChain) endErased() {
	for _, identity := range slices.Sorted(maps.Keys(c.erased)) {
		if f := c.erased[identity]; identity == "" || !c.excused[identity] {
			c.fault(f.Lane, f.Seq, "the entry has no data any more, and no entry says that person %q was erased", identity)
		}
		for _, k := range c.kept[identity] {
			if c.erasures[identity][fmt.Sprint(k.lane, ".", k.seq)] != k.sum {
				c.fault(k.lane, k.seq, "what is left of the erased entry is not what was left")
			}
		}
	}
}

// endWanted reports what checkpoints said of entries that did not come. What is older
// than the beginning of a lane cannot be compared.
func (c *AuditChain) endWanted() {
	for _, lane := range slices.Sorted(maps.Keys(c.wanted)) {
		base := c.base[lane]
		for _, seq := range slices.Sorted(maps.Keys(c.wanted[lane])) {
			for _, w := range c.wanted[lane][seq] {
				switch {
				case seq < base.Seq, seq == base.Seq && bytes.Equal(base.Hash, w.hash):
				case seq == base.Seq:
					c.fault(lane, seq, "the lane begins with another hash than %s says", w.by)
				default:
					c.fault(lane, seq, "%s says that the lane goes on to %d: entries were removed", w.by, seq)
				}
			}
		}
	}
}
