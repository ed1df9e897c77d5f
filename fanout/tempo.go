package fanout

import (
	"sync/atomic"
	"time"
)

// How much of the backlog is taken at a time. An account whose memberships wait for
// the rest of its chunk is out of reach of the urgent lane until then, so a chunk of
// a slow target must be small.
const (
	chunkTime = 5 * time.Second // that a chunk's accounts should take
	chunkMost = 256
)

// tempo is how long an operation at the target takes of late, waiting for its turn
// included. The zero tempo knows nothing yet.
type tempo struct {
	nanos atomic.Int64
	warm  warmth // only the normal lane uses it
}

// add takes one operation into the average. Two at once may lose one; it is an average.
func (p *tempo) add(d time.Duration) {
	old := p.nanos.Load()
	if old == 0 {
		p.nanos.Store(int64(d))
		return
	}
	p.nanos.Store(old + (int64(d)-old)/8)
}

// chunk is how many accounts to take for a number of requests at a time.
func (p *tempo) chunk(width int) int {
	most := min(max(8*width, 64), chunkMost)
	average := time.Duration(p.nanos.Load())
	if average <= 0 {
		return most
	}
	return min(max(int(int64(width)*int64(chunkTime)/int64(average)), width), most)
}

// warmth keeps chunks small after the target had to be waited for: what was found out
// about the accounts of a chunk that is broken off is lost, so that an application which
// asks for a pause now and then would never see a large one to its end. They double from
// one to the next. The zero warmth limits nothing.
type warmth struct{ size int }

// begin makes the next chunks small; width is how many accounts are worked on at once.
func (w *warmth) begin(width int) { w.size = max(width, 1) }

// next is how many accounts to take, most of them if nothing was waited for of late.
func (w *warmth) next(most int) int {
	if w.size == 0 || w.size >= most {
		w.size = 0
		return most
	}
	n := w.size
	w.size *= 2
	return n
}
