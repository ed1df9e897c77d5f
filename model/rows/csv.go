package rows

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvReader reads CSV (RFC 4180), with comma, semicolon or tab between cells,
// whichever the header has most of.
type csvReader struct {
	src    *source
	r      *csv.Reader
	header []Cell
}

func newCSVReader(src *source) (*csvReader, error) {
	c := &csvReader{src: src, r: csv.NewReader(src)}
	c.r.Comma = delimiter(src.head)
	c.r.FieldsPerRecord = -1 // to say more about it than "wrong number of fields"
	c.r.LazyQuotes = true    // a SCIM path has quotes: emails[type eq "work"].value
	c.r.TrimLeadingSpace = c.r.Comma != '\t'
	names, err := c.r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, c.fault(err)
	}
	c.r.LazyQuotes = false
	c.r.ReuseRecord = true
	if len(names) > MaxColumns {
		return nil, &Fault{Line: 1, Column: 1, Message: fmt.Sprintf("the header has %d columns; the limit is %d", len(names), MaxColumns)}
	}
	for i, name := range names {
		line, column := c.r.FieldPos(i)
		if f := checkText(name, line, column); f != nil {
			return nil, f
		}
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, &Fault{Line: line, Column: column, Message: fmt.Sprintf("column %d has no name", i+1)}
		}
		if slices.ContainsFunc(c.header, func(h Cell) bool { return strings.EqualFold(h.Name, name) }) {
			return nil, &Fault{Line: line, Column: column, Message: fmt.Sprintf("column %q is there twice", name)}
		}
		c.header = append(c.header, Cell{Name: name, Line: line, Column: column})
	}
	return c, nil
}

// delimiter counts, in the header, what may stand between cells: outside quotes and
// brackets, which SCIM paths have.
func delimiter(head []byte) rune {
	counts := map[rune]int{}
	quoted, depth := false, 0
	for _, b := range head {
		switch c := rune(b); {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			depth = max(0, depth-1)
		case c == '\n' || c == '\r':
			return most(counts)
		case depth == 0 && (c == ',' || c == ';' || c == '\t'):
			counts[c]++
		}
	}
	return most(counts)
}

func most(counts map[rune]int) rune {
	best := ','
	for _, c := range []rune{';', '\t'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (c *csvReader) next() (Row, error) {
	c.src.since = 0
	cells, err := c.r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return Row{}, io.EOF
		}
		return Row{}, c.fault(err)
	}
	line, _ := c.r.FieldPos(0)
	row := Row{Line: line}
	if len(cells) != len(c.header) {
		at, column := c.r.FieldPos(min(len(cells), len(c.header)+1) - 1)
		return row, &Fault{Line: at, Column: column, Message: fmt.Sprintf("the row has %d cells, the header has %d", len(cells), len(c.header)),
			open: len(cells) < len(c.header)}
	}
	row.Cells = make([]Cell, len(cells))
	for i, text := range cells {
		at, column := c.r.FieldPos(i)
		if f := checkText(text, at, column); f != nil {
			return row, f
		}
		row.Cells[i] = Cell{Name: c.header[i].Name, Value: strings.TrimSpace(text), Line: at, Column: column}
	}
	return row, nil
}

// fault makes a Fault of what is wrong with a record; what is wrong with reading
// stays as it is.
func (c *csvReader) fault(err error) error {
	if errors.Is(err, errLong) {
		line, _ := c.r.FieldPos(0)
		return fmt.Errorf("line %d: %w", line, errLong)
	}
	p, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	message := "cannot be read as CSV: " + p.Err.Error()
	switch {
	case errors.Is(p.Err, csv.ErrQuote):
		message = `a quoted cell does not end, or text follows its closing quote; a quote inside one is written ""`
	case errors.Is(p.Err, csv.ErrBareQuote):
		message = `a quote stands in a cell that is not quoted; write "…""…"`
	}
	return &Fault{Line: p.Line, Column: max(1, p.Column), Message: message, open: errors.Is(p.Err, csv.ErrQuote)}
}
