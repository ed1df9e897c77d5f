package admin

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// longWork is what requests to this process do that takes long: imports, replays. It is
// only shown, and may be lost.
type longWork struct {
	mu   sync.Mutex
	next int
	all  map[int]Work
}

// begin notes work until the function returned is called.
func (l *longWork) begin(kind, subject, text string, now time.Time) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[int]Work{}
	}
	l.next++
	id := l.next
	l.all[id] = Work{Kind: kind, Subject: subject, Since: &now, Text: text}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, id)
	}
}

// list is what is under way, the oldest first.
func (l *longWork) list() (out []Work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.all {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Work) int {
		return cmp.Or(a.Since.Compare(*b.Since), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return out
}
