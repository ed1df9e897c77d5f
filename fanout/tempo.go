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
type tempo struct{ nanos atomic.Int64 }

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
