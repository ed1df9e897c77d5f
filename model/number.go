package model

import (
	"encoding/json"
	"strings"
)

// PlainNumbers makes the numbers of a document, decoded with UseNumber, int64 where
// they are written as whole ones and float64 elsewhere, in place. A value read back is
// then the value that was stored.
func PlainNumbers(doc map[string]any) {
	for key, v := range doc {
		doc[key] = plainNumber(v)
	}
}

func plainNumber(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil && !strings.ContainsAny(v.String(), ".eE") {
			return i
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		PlainNumbers(v)
	case []any:
		for i, e := range v {
			v[i] = plainNumber(e)
		}
	}
	return v
}
