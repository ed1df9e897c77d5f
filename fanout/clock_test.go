package fanout

import (
	"sync"
	"time"
)

// shifted is a clock that goes as the real one does and can be put forward.
type shifted struct {
	mu sync.Mutex
	by time.Duration
}

func newClock() *shifted { return &shifted{} }

func (c *shifted) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *shifted) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}
