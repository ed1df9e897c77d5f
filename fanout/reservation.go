package fanout

import "sync"

// Reservation keeps the lanes of this replica off one person's accounts, from before it
// is decided about the person until they are run, so that the run itself does what
// follows and can say so. The urgent lane does not heed it: a leaver waits for nobody.
// nil reserves nothing.
type Reservation struct {
	identity string
	mu       sync.Mutex
	marks    map[*runner]*claim
}

// Reserve reserves a person at some targets. What is in hand there already is left to
// whoever has it. Release ends it.
func (w *Worker) Reserve(identity string, targets ...string) *Reservation {
	res := &Reservation{identity: identity, marks: map[*runner]*claim{}}
	for _, name := range targets {
		r := w.runnerOf(name)
		if r == nil {
			continue
		}
		if m, ok := r.claims.hold(identity); ok {
			res.marks[r] = m
		}
	}
	return res
}

// take hands the claim at one target over to the visit there; false: there is none, or
// the urgent lane has it.
func (s *Reservation) take(r *runner) (*claim, bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.marks[r]
	delete(s.marks, r)
	return m, ok && r.claims.start(s.identity, m)
}

// Release gives back what no visit took.
func (s *Reservation) Release() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, m := range s.marks {
		r.claims.release(s.identity, m)
		r.nudge()
	}
	clear(s.marks)
}
