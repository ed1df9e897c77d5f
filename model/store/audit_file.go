package store

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/scimhub/scimhub/model"
)

// maxAuditLine is the longest line of an export that is read, in bytes.
const maxAuditLine = 64 << 20

// The lines of an export: a head, the entries, and an end that counts them.
type (
	auditFileHead struct {
		Export *AuditExport `json:"audit_export"`
	}
	auditFileLine struct {
		AuditEntry
		Before   []byte  `json:"before,omitempty"`    // where entries may be left out
		DataText *string `json:"data_text,omitempty"` // where the data would not come back from JSON byte by byte
	}
	auditFileEnd struct {
		End     bool  `json:"end"`
		Entries int64 `json:"entries"`
	}
)

// AuditWriter writes an export as JSON lines, which ReadAudit verifies.
type AuditWriter struct {
	w       *json.Encoder
	partial bool
	entries int64
}

// NewAuditWriter writes to w.
func NewAuditWriter(w io.Writer) *AuditWriter { return &AuditWriter{w: json.NewEncoder(w)} }

// Begin writes the head.
func (a *AuditWriter) Begin(head AuditExport) error {
	a.partial = !head.Complete
	return a.w.Encode(auditFileHead{&head})
}

// Add writes an entry.
func (a *AuditWriter) Add(e AuditEntry, before []byte) error {
	a.entries++
	line := auditFileLine{AuditEntry: e}
	if a.partial {
		line.Before = before
	}
	if again, err := json.Marshal(e.Data); err != nil || !bytes.Equal(again, e.Data) {
		text := string(e.Data)
		line.Data, line.DataText = nil, &text
	}
	return a.w.Encode(line)
}

// End writes the end.
func (a *AuditWriter) End() error { return a.w.Encode(auditFileEnd{true, a.entries}) }

// AuditFile is what the verification of an export found.
type AuditFile struct {
	Export      AuditExport
	Checked     int64
	Checkpoints int
	Faults      []AuditFault
}

// ReadAudit verifies an export without the hub that wrote it: the chain, and what
// checkpoints say: the one in the file, if one of the keys signed it, and those that
// were kept elsewhere. Without keys a checkpoint's own is taken, which proves no more
// than that the file fits together. An error says which line cannot be read.
func ReadAudit(r io.Reader, keys []ed25519.PublicKey, kept []Checkpoint) (AuditFile, error) {
	f := auditReader{lines: bufio.NewScanner(r)}
	f.lines.Buffer(make([]byte, 0, 1<<16), maxAuditLine)
	var head auditFileHead
	if err := f.next(&head); err != nil {
		return AuditFile{}, err
	}
	if head.Export == nil {
		return AuditFile{}, model.Fail(model.Invalid, "line 1 is no head of an export: write one with scimhub audit export", nil)
	}
	out := AuditFile{Export: *head.Export}
	c := NewAuditChain(head.Export.Base)
	if c.Partial = !head.Export.Complete; c.Partial {
		c.at = map[int]LaneHead{}
	}
	if head.Export.Checkpoint != nil {
		kept = append([]Checkpoint{*head.Export.Checkpoint}, kept...)
	}
	for i, k := range kept {
		if err := expect(c, k, keys, i == 0 && head.Export.Checkpoint != nil); err != nil {
			return out, err
		}
		out.Checkpoints++
	}
	if err := f.entries(c); err != nil {
		return out, err
	}
	heads := head.Export.Heads
	if c.Partial {
		heads = nil
	}
	out.Faults, out.Checked = c.End(heads), c.Checked
	return out, nil
}

// expect notes what a checkpoint says; own is the one in the file.
func expect(c *AuditChain, k Checkpoint, keys []ed25519.PublicKey, own bool) error {
	b, err := k.Body()
	if err != nil {
		return err
	}
	name := fmt.Sprint("checkpoint ", b.Seq)
	if !own {
		name += ", kept elsewhere,"
	}
	if len(keys) == 0 {
		key, err := hex.DecodeString(k.PublicKey)
		if err != nil {
			key = nil
		}
		keys = []ed25519.PublicKey{key}
	}
	if !k.SignedBy(keys) {
		c.fault(0, 0, "%s is not signed with the key given (it says %.16s…)", name, k.PublicKey)
	}
	c.Expect(name, b.Heads)
	return nil
}

type auditReader struct {
	lines *bufio.Scanner
	n     int
}

// next reads a line; io.ErrUnexpectedEOF where there is none.
func (f *auditReader) next(into any) error {
	f.n++
	if !f.lines.Scan() {
		if err := f.lines.Err(); err != nil {
			return fmt.Errorf("line %d: %w", f.n, err)
		}
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(f.lines.Bytes(), into); err != nil {
		return model.Fail(model.Invalid, fmt.Sprintf("line %d is not JSON as an export has it", f.n), err)
	}
	return nil
}

// entries reads up to the end of the file.
func (f *auditReader) entries(c *AuditChain) error {
	for {
		var line struct {
			auditFileLine
			auditFileEnd
		}
		err := f.next(&line)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			c.fault(0, 0, "the file has no end: it is cut off after line %d", f.n-1)
			return nil
		case err != nil:
			return err
		case line.End:
			if line.Entries != c.Checked {
				c.fault(0, 0, "the file says that it has %d entries, it has %d", line.Entries, c.Checked)
			}
			if f.lines.Scan() {
				c.fault(0, 0, "line %d: the file goes on behind its end", f.n+1)
			}
			return nil
		}
		if line.DataText != nil {
			line.Data = json.RawMessage(*line.DataText)
		}
		c.Add(line.AuditEntry, line.Before)
	}
}
