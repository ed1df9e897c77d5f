package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong (or, in Document.Warnings, doubtful) in a
// configuration, with the place where a person can mend it.
type Fault struct {
	File    string // name given to Parse
	Line    int    // 1-based
	Column  int    // 1-based, in characters
	Path    string // roles.engineer.grants[0].target; empty: the whole text
	Message string
}

// Error renders the fault as hub.yaml:12:5: roles.engineer.when: message.
func (f Fault) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path == "" {
		return at + f.Message
	}
	return at + f.Path + ": " + f.Message
}

// String is Error.
func (f Fault) String() string { return f.Error() }

// SortFaults orders faults by their place in the text and drops repetitions.
func SortFaults(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(faults)
}

// Join makes the path of a place in the document: text elements are keys, int
// elements positions in a list. Keys that are not plain words are quoted, so that
// every place has exactly one path.
func Join(elements ...any) string {
	var b strings.Builder
	for _, e := range elements {
		switch e := e.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", e)
		case string:
			appendKey(&b, e)
		}
	}
	return b.String()
}

func appendKey(b *strings.Builder, key string) {
	if !plainKey(key) {
		b.WriteString("['" + strings.ReplaceAll(key, "'", "''") + "']")
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(key)
}

func plainKey(key string) bool {
	for _, c := range key {
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !word && c != '_' && c != '-' {
			return false
		}
	}
	return key != ""
}

// Suggest is the end of a message about an unknown word: "; did you mean …?" with
// the nearest known word, or nothing where none is near.
func Suggest(word string, known []string) string {
	best, distance := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is the optimal string alignment distance (insert, delete,
// replace, swap neighbours), or limit where it is not below it.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(b)], limit)
}
