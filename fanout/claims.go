package fanout

import (
	"sync"

	"github.com/scimhub/scimhub/model"
)

// claims says which accounts of a target are being worked on, so that two lanes
// never work on one account at a time.
//
// A row read before it was given back is stale: what was done to it is not in it,
// and doing it again would make accounts twice. So each reading is announced
// first, and rows given back since then are not claimed from it.
type claims struct {
	mu      sync.Mutex
	held    map[string]*claim
	again   bool // a row had just been given back: to be read anew
	reading int  // readings announced and not used yet
	round   int64
	back    map[string]int64 // identity -> when it was given back, while anybody reads
}

// claim is one lane's hold on a row.
type claim struct {
	running bool   // requests are being made
	urgent  bool   // for a leaver
	wanted  bool   // the urgent lane waits for it
	yield   func() // gives the row up between two requests; nil: not possible now
}

// announce says that rows are about to be read; exactly one reserve or seize
// with the result follows, whatever comes of the reading.
func (c *claims) announce() (since int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading++
	return c.round
}

// stale reports whether the row was given back after the reading began.
func (c *claims) stale(identity string, since int64) bool {
	at, ok := c.back[identity]
	return ok && at > since
}

func (c *claims) read() {
	if c.reading--; c.reading == 0 {
		clear(c.back)
	}
}

// reserve claims up to limit rows for the normal lane and returns those claimed.
func (c *claims) reserve(since int64, rows []model.AccountRow, limit int) ([]model.AccountRow, []*claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.read()
	var out []model.AccountRow
	var marks []*claim
	for _, r := range rows {
		if len(out) == limit {
			break
		}
		if _, taken := c.held[r.Identity]; taken || c.stale(r.Identity, since) {
			continue
		}
		m := &claim{}
		c.put(r.Identity, m)
		out, marks = append(out, r), append(marks, m)
	}
	return out, marks
}

// seize claims rows for the urgent lane or a sweep, at once running. The urgent
// lane (steal) takes rows that only wait in the normal one. What is running there is
// given up between two requests: it is marked as wanted, and its release says so.
func (c *claims) seize(since int64, rows []model.AccountRow, steal bool) ([]model.AccountRow, []*claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.read()
	var out []model.AccountRow
	var marks []*claim
	for _, r := range rows {
		have := c.held[r.Identity]
		if have != nil && (!steal || have.running) {
			if steal {
				have.want()
			}
			continue
		}
		if c.stale(r.Identity, since) {
			c.again = true
			continue
		}
		m := &claim{running: true, urgent: steal}
		c.put(r.Identity, m)
		out, marks = append(out, r), append(marks, m)
	}
	return out, marks
}

// want has another lane give the row up as soon as it can.
func (m *claim) want() {
	if m.urgent || m.wanted {
		return
	}
	m.wanted = true
	if give := m.yield; give != nil {
		m.yield = nil
		give()
	}
}

// wanted reports whether the urgent lane waits for a row: nothing more may be begun
// with it.
func (c *claims) wanted(m *claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.wanted
}

// park lets go of a row until unpark: yield is called, once, when the urgent lane wants
// it meanwhile; it must not block. false: the row is wanted already.
func (c *claims) park(m *claim, yield func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.wanted {
		return false
	}
	m.yield = yield
	return true
}

// unpark takes a row up again; false where it was given up.
func (c *claims) unpark(m *claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := m.yield != nil
	m.yield = nil
	return kept
}

func (c *claims) put(identity string, m *claim) {
	if c.held == nil {
		c.held = map[string]*claim{}
	}
	c.held[identity] = m
}

// start says that work begins; false where the urgent lane has taken the row.
func (c *claims) start(identity string, m *claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[identity] != m {
		return false
	}
	m.running = true
	return true
}

// hold claims a row for a visit that is about to come; false where it is in hand. Until
// start the urgent lane may take it.
func (c *claims) hold(identity string) (*claim, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[identity] != nil {
		return nil, false
	}
	m := &claim{}
	c.put(identity, m)
	return m, true
}

// mine reports whether a row is still held by this claim.
func (c *claims) mine(identity string, m *claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[identity] == m
}

// release gives a row back; it says whether the urgent lane has been waiting for it.
func (c *claims) release(identity string, m *claim) (wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[identity] == m {
		delete(c.held, identity)
		if c.round++; c.reading > 0 {
			if c.back == nil {
				c.back = map[string]int64{}
			}
			c.back[identity] = c.round
		}
	}
	return m.wanted
}

func (c *claims) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// anew reports, once, that a row was passed over only because its reading was stale.
func (c *claims) anew() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.again
	c.again = false
	return again
}
