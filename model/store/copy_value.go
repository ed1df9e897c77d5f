package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The kinds of values in a row of a backup. What a column's type is follows from the
// database that takes it, so that a row of one fits the other.
const (
	valueNull  = 'n'
	valueInt   = 'i' // zigzag varint
	valueText  = 't' // length, UTF-8
	valueBytes = 'b' // length, bytes
	valueFloat = 'f' // 8 bytes, big endian
	valueTrue  = '1'
	valueFalse = '0'
)

var errValue = errors.New("a value cannot be read")

// appendValue adds a value as a driver gives it; kind is the column's.
func appendValue(to []byte, kind columnKind, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(to, valueNull), nil
	case bool:
		if x {
			return append(to, valueTrue), nil
		}
		return append(to, valueFalse), nil
	case int64:
		return binary.AppendVarint(append(to, valueInt), x), nil
	case int32:
		return binary.AppendVarint(append(to, valueInt), int64(x)), nil
	case int16:
		return binary.AppendVarint(append(to, valueInt), int64(x)), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(to, valueFloat), math.Float64bits(x)), nil
	case string:
		if kind == colBytes {
			return appendLong(append(to, valueBytes), x), nil
		}
		return appendLong(append(to, valueText), x), nil
	case []byte:
		if kind == colBytes {
			return appendLong(append(to, valueBytes), x), nil
		}
		return appendLong(append(to, valueText), x), nil
	}
	return to, fmt.Errorf("a value of type %T", v)
}

func appendLong[T string | []byte](to []byte, v T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(v))), v...)
}

// readValues reads a row into values for columns of these kinds. Texts and bytes are
// copies.
func readValues(content []byte, kinds []columnKind, into []any) error {
	for i, kind := range kinds {
		v, rest, err := readValue(content)
		if err != nil {
			return err
		}
		if into[i], err = convert(v, kind); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
		content = rest
	}
	if len(content) > 0 {
		return errValue
	}
	return nil
}

func readValue(from []byte) (v any, rest []byte, err error) {
	if len(from) == 0 {
		return nil, nil, errValue
	}
	kind, from := from[0], from[1:]
	switch kind {
	case valueNull:
		return nil, from, nil
	case valueTrue, valueFalse:
		return kind == valueTrue, from, nil
	case valueInt:
		n, size := binary.Varint(from)
		if size <= 0 {
			return nil, nil, errValue
		}
		return n, from[size:], nil
	case valueFloat:
		if len(from) < 8 {
			return nil, nil, errValue
		}
		return math.Float64frombits(binary.BigEndian.Uint64(from)), from[8:], nil
	case valueText, valueBytes:
		n, size := binary.Uvarint(from)
		if size <= 0 || n > uint64(len(from)-size) {
			return nil, nil, errValue
		}
		end := size + int(n) //nolint:gosec // not more than there is
		if kind == valueText {
			return string(from[size:end]), from[end:], nil
		}
		return append([]byte{}, from[size:end]...), from[end:], nil
	}
	return nil, nil, errValue
}

// convert makes a value one of a column's kind: SQLite knows no truth values, and keeps
// whatever it is given.
func convert(v any, kind columnKind) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch kind {
	case colBool:
		if n, ok := v.(int64); ok {
			return n != 0, nil
		}
	case colInt:
		switch x := v.(type) {
		case bool:
			if x {
				return int64(1), nil
			}
			return int64(0), nil
		case float64:
			if x == math.Trunc(x) {
				return int64(x), nil
			}
		}
	case colFloat:
		if n, ok := v.(int64); ok {
			return float64(n), nil
		}
	case colText:
		if b, ok := v.([]byte); ok {
			return string(b), nil
		}
	case colBytes:
		if s, ok := v.(string); ok {
			return []byte(s), nil
		}
	}
	if !kind.takes(v) {
		return nil, fmt.Errorf("a %T in a column of %s", v, kind)
	}
	return v, nil
}
