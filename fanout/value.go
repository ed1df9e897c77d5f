package fanout

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// plain brings a JSON value into the one form that is compared: numbers as
// float64 unless they are too large to be exact, nothing empty.
func plain(v any) any {
	switch n := v.(type) {
	case nil:
		return nil
	case string:
		if n == "" {
			return nil
		}
		return n
	case json.Number:
		if f, err := n.Float64(); err == nil && (math.Abs(f) < 1<<53 || strings.ContainsAny(n.String(), ".eE")) {
			return f
		}
		return n.String()
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case []string:
		list := make([]any, len(n))
		for i, s := range n {
			list[i] = s
		}
		return plain(list)
	case []any:
		return plainList(n)
	case map[string]any:
		return plainMap(n)
	}
	return v
}

func plainList(list []any) any {
	out := make([]any, 0, len(list))
	for _, e := range list {
		if p := plain(e); p != nil {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func plainMap(m map[string]any) any {
	out := make(map[string]any, len(m))
	for k, e := range m {
		// An explicit `primary: false` says the same as no primary at all.
		if b, isBool := e.(bool); isBool && !b && strings.EqualFold(k, "primary") {
			continue
		}
		if p := plain(e); p != nil {
			out[k] = p
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// sameValue compares two plain values exactly.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameValue)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, e := range x {
			if f, found := y[k]; !found || !sameValue(e, f) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// looselyEqual compares scalars as targets do: text whatever its case, booleans
// also as text.
func looselyEqual(a, b any) bool {
	a, b = plain(a), plain(b)
	return scalarText(a) != "" && strings.EqualFold(scalarText(a), scalarText(b))
}

func scalarText(v any) string {
	switch n := v.(type) {
	case string:
		return n
	case bool:
		if n {
			return "true"
		}
		return "false"
	case float64:
		b, _ := json.Marshal(n)
		return string(b)
	}
	return ""
}

// covers reports whether what the target shows says all that was written: it may
// add sub-attributes of its own (display, $ref, type) and reorder lists.
func covers(shown, written any) bool {
	switch w := written.(type) {
	case []any:
		s, ok := shown.([]any)
		return ok && len(s) == len(w) && coversList(s, w)
	case map[string]any:
		s, ok := shown.(map[string]any)
		if !ok {
			return false
		}
		for k, e := range w {
			if v, found := field(s, k); !found || !covers(v, e) {
				return false
			}
		}
		return true
	case string:
		s, ok := shown.(string)
		return ok && s == w
	}
	return sameValue(shown, written) || looselyEqual(shown, written)
}

func coversList(shown, written []any) bool {
	used := make([]bool, len(shown))
	for _, w := range written {
		found := false
		for i, s := range shown {
			if !used[i] && covers(s, w) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// canonicalJSON is the text digests are made of: keys sorted, no HTML escapes.
func canonicalJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Only maps, lists and scalars from JSON come here; they always encode.
	_ = enc.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}

// differences lists the owned attributes that differ, userName and active
// included, sorted by path; groups are not among them.
func differences(before, after model.Account) []model.FieldDiff {
	var out []model.FieldDiff
	if before.Active != after.Active {
		out = append(out, model.FieldDiff{Path: "active", Before: before.Active, After: after.Active})
	}
	if before.UserName != after.UserName {
		out = append(out, model.FieldDiff{Path: "userName", Before: textOrNil(before.UserName), After: textOrNil(after.UserName)})
	}
	paths := make([]string, 0, len(after.Attrs))
	for k := range after.Attrs {
		paths = append(paths, k)
	}
	for k := range before.Attrs {
		if _, both := after.Attrs[k]; !both {
			paths = append(paths, k)
		}
	}
	slices.Sort(paths)
	for _, k := range paths {
		if a, b := plain(before.Attrs[k]), plain(after.Attrs[k]); !sameValue(a, b) {
			out = append(out, model.FieldDiff{Path: k, Before: a, After: b})
		}
	}
	return out
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
