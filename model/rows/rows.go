// Package rows reads what systems that know no SCIM export: CSV and JSON lines, one
// record a person. It decides what a record is and where its cells stand; it refuses
// to know what a column means. It does no I/O of its own.
package rows

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of one record, so that no text, however made, takes much memory.
const (
	MaxRecord  = 1 << 20 // bytes
	MaxColumns = 1000
)

// Format is how records are written.
type Format string

// The formats.
const (
	CSV  Format = "csv"  // a header, then one record a line, or more where cells are quoted
	JSON Format = "json" // one object a line
)

// Fault is a record that cannot be used. Line and Column are 1-based, the column in
// bytes. Reading goes on behind it.
type Fault struct {
	Line, Column int
	Message      string

	open bool // the record seems to go on
}

// Error renders line:column: message.
func (f *Fault) Error() string { return fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message) }

// Cell is one value of a record. Value is a text (string) in CSV; in JSON it is what
// the object holds: string, bool, json.Number, map[string]any, []any or nil.
type Cell struct {
	Name   string // of the column
	Value  any
	Line   int
	Column int
}

// Row is one record.
type Row struct {
	Line  int // where it begins
	Cells []Cell
}

// Text is the value of a column as text; false where the record has none of it.
func (r Row) Text(column string) (string, bool) {
	for _, c := range r.Cells {
		if c.Name == column {
			s, ok := c.Value.(string)
			return s, ok
		}
	}
	return "", false
}

// Reader reads records one by one.
type Reader struct {
	src    *source
	csv    *csvReader
	json   *jsonReader
	format Format
	open   bool // the last record seems to go on
}

// NewReader begins to read. Of CSV the header is read at once: a *Fault says what is
// wrong with it. io.EOF says that the text is empty.
func NewReader(r io.Reader, format Format) (*Reader, error) {
	out := &Reader{src: &source{r: r}, format: format}
	if err := out.src.begin(); err != nil {
		return nil, err
	}
	switch format {
	case JSON:
		out.json = newJSONReader(out.src)
		return out, nil
	case CSV:
		var err error
		out.csv, err = newCSVReader(out.src)
		return out, err
	}
	return nil, fmt.Errorf("rows: there is no format %q", format)
}

// Columns are those of the header; nil where there is none.
func (r *Reader) Columns() []Cell {
	if r.csv == nil {
		return nil
	}
	return r.csv.header
}

// Next is the next record; io.EOF behind the last. After a *Fault the reader can be
// read on; any other error is the end.
func (r *Reader) Next() (Row, error) {
	var row Row
	var err error
	if r.csv != nil {
		row, err = r.csv.next()
	} else {
		row, err = r.json.next()
	}
	if !errors.Is(err, io.EOF) {
		f, bad := errors.AsType[*Fault](err)
		r.open = bad && f.open
	}
	return row, err
}

// Truncated reports, behind the last record, that the text seems to have been cut
// off: its last record lacks something, and has no line end.
func (r *Reader) Truncated() bool { return r.open && r.src.last != '\n' && r.src.last != '\r' }

// source hands on a text and sees to it that no record is too long.
type source struct {
	r     io.Reader
	head  []byte // read already, to be handed on
	since int    // bytes since the last record began
	last  byte
}

var errLong = errors.New("the record is longer than 1 MiB; is a quote missing?")

func (s *source) Read(p []byte) (int, error) {
	if s.since > MaxRecord {
		return 0, errLong
	}
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		s.take(p[:n])
		return n, nil
	}
	n, err := s.r.Read(p)
	s.take(p[:n])
	return n, err
}

func (s *source) take(p []byte) {
	s.since += len(p)
	if len(p) > 0 {
		s.last = p[len(p)-1]
	}
}

// headSize is how much is read to find out how the text is written.
const headSize = 64 << 10

// begin reads the head, and drops a byte order mark.
func (s *source) begin() error {
	head := make([]byte, headSize)
	n, err := io.ReadFull(s.r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n == 0 {
		return io.EOF
	}
	head = head[:n]
	switch {
	case n >= 3 && head[0] == 0xef && head[1] == 0xbb && head[2] == 0xbf:
		head = head[3:]
	case n >= 2 && (head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff):
		return &Fault{Line: 1, Column: 1, Message: "the file is UTF-16; save it as UTF-8"}
	}
	s.head = head
	return nil
}

// checkText refuses what is not UTF-8, and NUL, which databases do not take.
func checkText(text string, line, column int) *Fault {
	for i, c := range text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return &Fault{Line: line, Column: column + i, Message: fmt.Sprintf("byte 0x%02x is not UTF-8; save the file as UTF-8", text[i])}
			}
		}
		if c == 0 {
			return &Fault{Line: line, Column: column + i, Message: "holds a NUL character"}
		}
	}
	return nil
}
