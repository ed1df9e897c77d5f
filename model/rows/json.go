package rows

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// jsonReader reads one object a line; empty lines count for nothing.
type jsonReader struct {
	src  *source
	r    *bufio.Reader
	line int
}

func newJSONReader(src *source) *jsonReader {
	return &jsonReader{src: src, r: bufio.NewReader(src)}
}

func (j *jsonReader) next() (Row, error) {
	for {
		j.src.since = 0
		text, err := j.r.ReadBytes('\n')
		j.line++
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, errLong) {
				return Row{}, fmt.Errorf("line %d: %w", j.line, errLong)
			}
			return Row{}, err
		}
		if len(bytes.TrimSpace(text)) > 0 {
			return j.row(text)
		}
		if err != nil {
			return Row{}, io.EOF
		}
	}
}

// row reads the object of a line, its names in the order of the text.
func (j *jsonReader) row(text []byte) (Row, error) {
	row := Row{Line: j.line}
	if f := checkText(string(text), j.line, 1); f != nil {
		return row, f
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	bad := func(format string, args ...any) (Row, error) {
		return row, &Fault{Line: j.line, Column: int(d.InputOffset()) + 1, Message: fmt.Sprintf(format, args...)}
	}
	broken := func(err error, format string, args ...any) (Row, error) {
		row, fault := bad(format+": %s", append(args, plainError(err))...)
		f, _ := errors.AsType[*Fault](fault)
		f.open = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		return row, f
	}
	open, err := d.Token()
	if err != nil || open != json.Delim('{') {
		return bad("is not a JSON object; one object a line is wanted")
	}
	for d.More() {
		token, err := d.Token()
		name, isText := token.(string)
		if err != nil || !isText {
			return broken(err, "is not JSON")
		}
		name = strings.TrimSpace(name)
		cell := Cell{Name: name, Line: j.line, Column: int(d.InputOffset()) + 1}
		if err := d.Decode(&cell.Value); err != nil {
			return broken(err, "%s is not JSON", name)
		}
		if holdsNUL(cell.Value) || strings.ContainsRune(name, 0) {
			return bad("%q holds a NUL character", name)
		}
		if name == "" {
			return bad("a column has no name")
		}
		if slices.ContainsFunc(row.Cells, func(c Cell) bool { return strings.EqualFold(c.Name, name) }) {
			return bad("%q is there twice", name)
		}
		if row.Cells = append(row.Cells, cell); len(row.Cells) > MaxColumns {
			return bad("the object has more than %d members", MaxColumns)
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err, "is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the object; one object a line is wanted")
	}
	return row, nil
}

func plainError(err error) string {
	switch {
	case err == nil:
		return "a name is wanted"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the line ends in the middle of the object"
	}
	return err.Error()
}

func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for k, e := range v {
			if strings.ContainsRune(k, 0) || holdsNUL(e) {
				return true
			}
		}
	}
	return false
}
