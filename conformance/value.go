package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"strings"
	"time"
)

type (
	object = map[string]any
	array  = []any
)

// get finds a member without regard to case: attribute names have none (RFC 7643
// §2.1). An exact match wins.
func get(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}

// dig follows keys through objects.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = get(m, k)
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// number reads a JSON number that is an integer.
func number(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}

// unassigned reports whether a value means none (RFC 7643 §2.5).
func unassigned(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case []any:
		return len(x) == 0
	case map[string]any:
		for _, e := range x {
			if !unassigned(e) {
				return false
			}
		}
		return true
	}
	return false
}

// includes reports whether got says everything that want says: objects may hold
// more, lists hold the same elements in any order, numbers compare by value.
func includes(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range w {
			if !includes(v, get(g, k)) {
				return false
			}
		}
		return true
	case []any:
		return sameElements(w, got)
	case nil:
		return unassigned(got)
	case string:
		return got == want || sameText(w, text(got))
	case bool:
		return got == want
	}
	return sameNumber(want, got)
}

func sameElements(want []any, got any) bool {
	g := list(got)
	if len(g) != len(want) {
		return false
	}
	used := make([]bool, len(g))
next:
	for _, w := range want {
		for i := range g {
			if !used[i] && includes(w, g[i]) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

// sameText compares what may be written in several ways: dateTime values and binary
// values with or without padding.
func sameText(a, b string) bool {
	x, errX := time.Parse(time.RFC3339, a)
	y, errY := time.Parse(time.RFC3339, b)
	if errX == nil && errY == nil {
		return x.Equal(y)
	}
	if !strings.HasSuffix(a, "=") && !strings.HasSuffix(b, "=") {
		return false
	}
	p, errX := base64.RawStdEncoding.DecodeString(strings.TrimRight(a, "="))
	q, errY := base64.RawStdEncoding.DecodeString(strings.TrimRight(b, "="))
	return errX == nil && errY == nil && len(p) > 0 && string(p) == string(q)
}

func sameNumber(a, b any) bool {
	if _, ok := b.(string); ok {
		return false
	}
	x, okX := new(big.Float).SetString(fmt.Sprint(a))
	y, okY := new(big.Float).SetString(fmt.Sprint(b))
	return okX && okY && x.Cmp(y) == 0
}

// show is a value in a report.
func show(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return clip(fmt.Sprint(v), 300)
	}
	return clip(string(b), 300)
}

// encode makes the body of a request.
func encode(v any) []byte {
	switch x := v.(type) {
	case nil:
		return nil
	case string:
		return []byte(x)
	case []byte:
		return x
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// merge lays objects over each other; a nil value removes the key.
func merge(objects ...object) object {
	out := object{}
	for _, o := range objects {
		for k, v := range o {
			if v == nil {
				delete(out, k)
				continue
			}
			out[k] = v
		}
	}
	return out
}

func keysOf(o object) iter.Seq[string] { return maps.Keys(o) }
