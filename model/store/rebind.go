package store

import (
	"strconv"
	"strings"
	"sync"
)

// rebound remembers rewritten texts. All texts are constants of this package or
// shapes of filters, whose number of terms is limited; the cache is bounded all the same.
var rebound = struct {
	sync.RWMutex
	m map[string]string
}{m: map[string]string{}}

// Longer texts are those of writes of many rows; to rewrite them costs little
// beside the rows.
const (
	reboundMax     = 2048
	reboundMaxText = 4096 // bytes
)

func rebind(text string) string {
	if len(text) > reboundMaxText {
		return numbered(text)
	}
	rebound.RLock()
	out, ok := rebound.m[text]
	rebound.RUnlock()
	if ok {
		return out
	}
	out = numbered(text)
	rebound.Lock()
	defer rebound.Unlock()
	if len(rebound.m) >= reboundMax {
		clear(rebound.m)
	}
	rebound.m[text] = out
	return out
}

// numbered puts $1, $2, … for question marks outside of quotes.
func numbered(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/16)
	n, quoted := 0, false
	for i := range len(text) {
		c := text[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c == '?' && !quoted {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// list is a parenthesised list of n placeholders.
func list(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// anys turns a list of strings into arguments.
func anys(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
