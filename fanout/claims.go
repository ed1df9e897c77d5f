package fanout

import (
	"sync"

	"github.com/scimhub/scimhub/model"
)

// claims says which accounts of a target are being worked on, so that two lanes
// never work on one account at a time.
//
// A row read before it was given back is stale: what was done to it is not in it,
// and doing it again would make accounts twice. So whoever claims rows has them read
// here, and rows given back since the reading began are not claimed from it.
type claims struct {
	mu      sync.Mutex
	held    map[string]*claim
	again   bool // a row had just been given back: to be read anew
	reading int  // readings under way
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

// reserve claims up to limit of the rows that read gives for the normal lane, and returns
// those claimed.
func (c *claims) reserve(limit int, read func() ([]model.AccountRow, error)) ([]model.AccountRow, []*claim, error) {
	return c.claim(read, func(r model.AccountRow, stale bool, claimed int) *claim {
		if claimed == limit || stale || c.held[r.Identity] != nil {
			return nil
		}
		return &claim{}
	})
}

// seize claims the rows that read gives for the urgent lane or a sweep, at once running.
// The urgent lane (steal) takes rows of leavers that only wait in the normal one. What is
// running there is given up between two requests: it is marked as wanted, and its release
// says so.
func (c *claims) seize(steal bool, read func() ([]model.AccountRow, error)) ([]model.AccountRow, []*claim, error) {
	return c.claim(read, func(r model.AccountRow, stale bool, _ int) *claim {
		steal := steal && r.Leaver
		have := c.held[r.Identity]
		if have != nil && (!steal || have.running) {
			if steal {
				have.want()
			}
			return nil
		}
		if stale {
			c.again = true
			return nil
		}
		return &claim{running: true, urgent: steal}
	})
}

// claim has rows read and claims those that take gives a claim for. A reading that failed
// claims nothing, though it may have come to all rows: nobody would work on them, nor give
// them back.
func (c *claims) claim(read func() ([]model.AccountRow, error), take func(r model.AccountRow, stale bool, claimed int) *claim) (out []model.AccountRow, marks []*claim, err error) {
	since := c.begin()
	defer c.end()
	rows, err := read()
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range rows {
		at, back := c.back[r.Identity]
		if m := take(r, back && at > since, len(out)); m != nil {
			c.put(r.Identity, m)
			out, marks = append(out, r), append(marks, m)
		}
	}
	return out, marks, nil
}

// begin says that rows are about to be read, end that those that are to be are claimed.
func (c *claims) begin() (since int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading++
	return c.round
}

func (c *claims) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading--; c.reading == 0 {
		clear(c.back)
	}
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
