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

const reboundMax = 2048

func rebind(text string) string {
	rebound.RLock()
	out, ok := rebound.m[text]
	rebound.RUnlock()
	if ok {
		return out
	}
	var b strings.Builder
	n := 0
	for i := range len(text) {
		if text[i] == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteByte(text[i])
	}
	out = b.String()
	rebound.Lock()
	defer rebound.Unlock()
	if len(rebound.m) >= reboundMax {
		clear(rebound.m)
	}
	rebound.m[text] = out
	return out
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
