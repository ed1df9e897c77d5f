package fanout

import (
	"context"
	"errors"
	"time"
)

const (
	sweepTries    = 4                      // readings of one thing, until it is given up
	sweepPause    = 250 * time.Millisecond // before the second; doubles
	sweepPatience = 30 * time.Second       // that a sweep waits for a target that asks for a pause
)

// patiently reads something of a sweep, several times where the failure is one that
// passes: a sweep of many makes so many requests that some of them fail at any
// application, and must come to its end all the same.
func (s *sweeping) patiently(soft context.Context, read func() error) error {
	for n, place := 0, s.at.Place; ; n++ {
		err := read()
		if s.at.Place != place { // it came further: what fails now is something else
			n, place = 0, s.at.Place
		}
		if err == nil || n == sweepTries-1 || !passes(err) {
			return err
		}
		s.rest(soft, max(sweepPause<<n, min(asClientError(err).RetryAfter, sweepPatience)))
		if e := s.halt(soft); e != nil {
			return e
		}
	}
}

// passes tells failures that may be over when the same is asked again. An answer that
// contradicts itself is none: the rest of a list would look as if it were whole.
func passes(err error) bool {
	e, is := errors.AsType[*ClientError](err)
	if !is || errors.Is(err, errSweepCut) {
		return false
	}
	switch e.Class {
	case Throttled, Server, Network, Timeout, UnknownOutcome:
		return true
	}
	return false
}

// rest waits until a time has passed.
func (s *sweeping) rest(soft context.Context, d time.Duration) {
	_ = sleep(soft, s.r.w.Now, d) // its error is that soft has ended, which is looked at next
}
