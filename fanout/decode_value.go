package fanout

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

// deepest is how deep values of an answer may be nested.
const deepest = 64

// contradiction is an object that says one thing twice and differently. Which of the
// two the target means nobody knows, so neither is believed.
type contradiction struct{ name string }

// Error says which name it is.
func (e *contradiction) Error() string {
	return fmt.Sprintf("the answer says %q twice, and not the same", e.name)
}

// newDecoder reads JSON with exact numbers, after a byte order mark if there is one.
func newDecoder(r io.Reader) *json.Decoder {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	dec := json.NewDecoder(b)
	dec.UseNumber()
	return dec
}

// decodeObject reads exactly one JSON object, numbers kept exact.
func decodeObject(text []byte) (map[string]any, error) {
	dec := newDecoder(bytes.NewReader(text))
	v, err := readWhole(dec)
	if err != nil {
		return nil, err
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no object")
	}
	return doc, atEnd(dec)
}

// readWhole reads a value as readValue does, in half the time: it is decoded at once,
// and read token by token only where a name may have come twice.
func readWhole(dec *json.Decoder) (any, error) {
	var text json.RawMessage
	if err := dec.Decode(&text); err != nil {
		return nil, noEOF(err)
	}
	again := func() *json.Decoder {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		return d
	}
	var v any
	if err := again().Decode(&v); err != nil {
		return nil, err
	}
	if names, single := namesIn(v, 0); !single || names != colons(text) {
		return readValue(again(), 0)
	}
	return v, nil
}

// colons counts those that stand between a name and its value.
func colons(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == ':':
			n++
		}
	}
	return n
}

// namesIn counts the names in a value; single is false where two of one object differ
// by case alone, or it is nested too deep.
func namesIn(v any, depth int) (n int, single bool) {
	if depth > deepest {
		return 0, false
	}
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			m, ok := namesIn(e, depth+1)
			if n += m; !ok {
				return n, false
			}
		}
	case map[string]any:
		if !apart(x) {
			return n, false
		}
		for _, e := range x {
			m, ok := namesIn(e, depth+1)
			if n += m + 1; !ok {
				return n, false
			}
		}
	}
	return n, true
}

// apart reports whether the names of an object differ by more than case.
func apart(m map[string]any) bool {
	var few [16]string
	if len(m) <= len(few) {
		seen := few[:0]
		for name := range m {
			if slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(s, name) }) {
				return false
			}
			seen = append(seen, name)
		}
		return true
	}
	seen := make(map[string]bool, len(m))
	for name := range m {
		seen[foldName(name)] = true
	}
	return len(seen) == len(m)
}

// foldName makes equal what strings.EqualFold finds equal.
func foldName(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// atEnd demands that nothing follows.
func atEnd(dec *json.Decoder) error {
	switch _, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("more than one value")
}

// readValue reads a value token by token.
func readValue(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, noEOF(err)
	}
	switch {
	case depth > deepest:
		return nil, fmt.Errorf("nested too deep")
	case t == json.Delim('{'):
		out := map[string]any{}
		return out, readFields(dec, depth, func(name string) error {
			v, err := readValue(dec, depth+1)
			if err == nil {
				out[name] = v
			}
			return err
		}, out)
	case t == json.Delim('['):
		out := []any{}
		for dec.More() {
			v, err := readValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err := dec.Token()
		return out, noEOF(err)
	}
	return t, nil
}

// readFields calls read for each name of an object whose brace was read. Names differ
// by more than case (RFC 7643 §2.1): one that comes twice has to say the same, which
// is looked up in values where the object is kept.
func readFields(dec *json.Decoder, depth int, read func(name string) error, values map[string]any) error {
	seen := map[string]string{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return noEOF(err)
		}
		name, _ := t.(string)
		folded := foldName(name)
		first, twice := seen[folded]
		if !twice {
			seen[folded] = name
			if err := read(name); err != nil {
				return err
			}
			continue
		}
		v, err := readValue(dec, depth+1)
		if err != nil {
			return err
		}
		if values == nil || !sameValue(plain(values[first]), plain(v)) {
			return &contradiction{name}
		}
	}
	_, err := dec.Token()
	return noEOF(err)
}

// noEOF makes an end in the middle of a value the failure that it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
