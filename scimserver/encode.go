package scimserver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// The encoder writes the few types that answers are made of without reflection;
// with encoding/json, encoding took longer than everything else about a read.
// Keys are sorted, as encoding/json has them.

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// pooledMost keeps the buffer of one huge group from staying in memory for ever.
const pooledMost = 256 << 10

// appendJSON appends the JSON text of v. Anything that it does not know is left to
// encoding/json.
func appendJSON(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(out, v)
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case map[string]any:
		return appendObject(out, v)
	case []any:
		return appendList(out, v)
	case []string:
		return appendList(out, v)
	case listBody:
		return appendPage(out, v, nil)
	case groupBody:
		return appendGroup(out, v, nil)
	case passedOn:
		return appendPassedOn(out, v)
	case whole:
		return appendWhole(out, v)
	}
	return appendOther(out, v)
}

// appendPassedOn writes one object of the two parts, whose names differ.
func appendPassedOn(out []byte, p passedOn) ([]byte, error) {
	if len(p.encoded) <= len("{}") {
		return appendObject(out, p.rest)
	}
	out = append(out, p.encoded[:len(p.encoded)-1]...)
	at := len(out)
	out, err := appendObject(out, p.rest)
	if err == nil {
		out[at] = ',' // in place of the second brace; rest is never empty, it has the id
	}
	return out, err
}

func appendOther(out []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return out, err
	}
	return append(out, bytes.TrimRight(buf.Bytes(), "\n")...), nil
}

func appendObject(out []byte, m map[string]any) ([]byte, error) {
	if m == nil {
		return append(out, "null"...), nil
	}
	var few [24]string // most objects have fewer keys, and then need no allocation
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var err error
	out = append(out, '{')
	for i, k := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendString(out, k); err != nil {
			return out, err
		}
		out = append(out, ':')
		if out, err = appendJSON(out, m[k]); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

func appendList[T any](out []byte, list []T) ([]byte, error) {
	if list == nil {
		return append(out, "null"...), nil
	}
	var err error
	out = append(out, '[')
	for i, v := range list {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendJSON(out, v); err != nil {
			return out, err
		}
	}
	return append(out, ']'), nil
}

// appendPage writes a list response; away may be nil.
func appendPage(out []byte, l listBody, away spill) ([]byte, error) {
	out = append(out, `{"schemas":`...)
	out, err := appendList(out, l.Schemas)
	if err != nil {
		return out, err
	}
	if l.Total >= 0 {
		out = strconv.AppendInt(append(out, `,"totalResults":`...), int64(l.Total), 10)
	}
	if l.StartIndex > 0 {
		out = strconv.AppendInt(append(out, `,"startIndex":`...), int64(l.StartIndex), 10)
	}
	if l.Next != "" {
		if out, err = appendString(append(out, `,"nextCursor":`...), l.Next); err != nil {
			return out, err
		}
	}
	if !l.Late {
		out = strconv.AppendInt(append(out, `,"itemsPerPage":`...), int64(l.ItemsPerPage), 10)
	}
	out = append(out, `,"Resources":[`...)
	shown := 0
	if l.stream != nil {
		if out, shown, err = appendStream(out, l, away); err != nil {
			return out, err
		}
	}
	for _, v := range l.Resources {
		before := len(out)
		if shown > 0 {
			out = append(out, ',')
		}
		var there bool
		if out, there, err = appendResource(out, v, away); err != nil {
			return out, err
		}
		if !there {
			out = out[:before]
			continue
		}
		shown++
		if away != nil {
			if out, err = away(out); err != nil {
				return out, err
			}
		}
	}
	out = append(out, ']')
	if l.Late {
		out = strconv.AppendInt(append(out, `,"itemsPerPage":`...), int64(shown), 10)
	}
	if l.counted != nil {
		out = strconv.AppendInt(append(out, `,"totalResults":`...), int64(l.counted()), 10)
	}
	return append(out, '}'), nil
}

// appendStream writes resources as they come.
func appendStream(out []byte, l listBody, away spill) (_ []byte, shown int, err error) {
	for e, err := range l.stream {
		if err != nil {
			return out, shown, err
		}
		if shown > 0 {
			out = append(out, ',')
		}
		if out, _, err = appendResource(out, e, away); err != nil {
			return out, shown, err
		}
		shown++
		if away != nil {
			if out, err = away(out); err != nil {
				return out, shown, err
			}
		}
	}
	return out, shown, nil
}

// appendResource writes one resource of a list, unless it has gone.
func appendResource(out []byte, v any, away spill) ([]byte, bool, error) {
	e, ok := v.(*entry)
	if !ok {
		out, err := appendJSON(out, v)
		return out, true, err
	}
	there, err := e.load()
	if !there || err != nil {
		return out, false, err
	}
	body := rendered(e.t, e.res, e.base, e.fields)
	if g, ok := body.(groupBody); ok {
		out, err = appendGroup(out, g, away)
	} else {
		out, err = appendJSON(out, body)
	}
	e.res = scim.Resource{} // it may be large, and the next one too
	return out, true, err
}

// appendString writes a string that needs no escapes as it is.
func appendString(out []byte, s string) ([]byte, error) {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			return appendOther(out, s)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(s) {
		return appendOther(out, s)
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"'), nil
}
