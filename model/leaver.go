package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LeaverState is how far the end of a leaver's access at one target is.
type LeaverState string

// The states, in the order in which they usually come.
const (
	LeaverWaiting   LeaverState = "waiting"    // nothing was sent yet
	LeaverSent      LeaverState = "sent"       // a request is under way, or its answer was lost
	LeaverAccepted  LeaverState = "accepted"   // the target says so and does not show it yet
	LeaverVerified  LeaverState = "verified"   // the target shows that access is gone
	LeaverFailed    LeaverState = "failed"     // the last attempt failed; the next one comes
	LeaverHeld      LeaverState = "held"       // a guard, a mode or an approval holds it
	LeaverTask      LeaverState = "task"       // a person has to do it
	LeaverNotNeeded LeaverState = "not_needed" // there was nothing to take away
)

// What a run is for.
const (
	RunLeaver = "leaver"
	RunDrill  = "drill"
)

// How a run ended.
const (
	OutcomeVerified = "verified" // access is gone everywhere
	OutcomeReturned = "returned" // the person came back before it was
	OutcomeBack     = "back"     // of a drill: off and back at every target, in time
	OutcomeLate     = "late"     // of a drill: its time was over before that
	OutcomeLeft     = "left"     // of a drill: the person really left meanwhile
)

// LeaverRun is one leaver's fact, or one drill, and how far every target is.
type LeaverRun struct {
	ID         string         `json:"id"`
	Identity   string         `json:"identity"`
	UserName   string         `json:"userName"`
	Kind       string         `json:"kind"` // RunLeaver or RunDrill
	ReceivedAt time.Time      `json:"received_at"`
	EndedAt    *time.Time     `json:"ended_at,omitempty"`
	Outcome    string         `json:"outcome,omitempty"` // empty while it is open
	By         string         `json:"by,omitempty"`      // who asked for the drill
	Until      *time.Time     `json:"until,omitempty"`   // when the drill ends by itself
	OffAt      *time.Time     `json:"off_at,omitempty"`  // from when on the drill gives back
	Targets    []LeaverTarget `json:"targets"`           // by name
}

// LeaverTarget is how far one target is.
type LeaverTarget struct {
	Target     string      `json:"target"`
	State      LeaverState `json:"state"`
	SentAt     *time.Time  `json:"sent_at,omitempty"`
	AcceptedAt *time.Time  `json:"accepted_at,omitempty"`
	VerifiedAt *time.Time  `json:"verified_at,omitempty"`
	BackAt     *time.Time  `json:"back_at,omitempty"` // of a drill
	Attempts   int         `json:"attempts,omitempty"`
	NextAt     *time.Time  `json:"next_at,omitempty"` // of the next attempt or reading
	LastError  string      `json:"last_error,omitempty"`
	ErrorClass string      `json:"error_class,omitempty"`
	Status     int         `json:"status,omitempty"`  // of HTTP, of the last failure
	Note       string      `json:"note,omitempty"`    // what was confirmed and could not be verified; why a drill leaves it out
	RiskAt     *time.Time  `json:"risk_at,omitempty"` // since when the goal is at risk
	LateAt     *time.Time  `json:"late_at,omitempty"` // since when it is missed
}

// LeaverRunID names the run of a person and a moment.
func LeaverRunID(identity string, received time.Time) string {
	return identity + "-" + strconv.FormatInt(received.UnixMicro(), 10)
}

// Open reports whether access is still to be taken away at the target.
func (t LeaverTarget) Open() bool {
	return t.State != LeaverVerified && t.State != LeaverNotNeeded
}

// Verified counts the targets where access is verified gone, and those where it was
// to be taken away.
func (r LeaverRun) Verified() (verified, of int) {
	for _, t := range r.Targets {
		switch t.State {
		case LeaverNotNeeded:
			continue
		case LeaverVerified:
			verified++
		case LeaverWaiting, LeaverSent, LeaverAccepted, LeaverFailed, LeaverHeld, LeaverTask:
		}
		of++
	}
	return verified, of
}

// Done reports whether access is verified gone wherever it was to be.
func (r LeaverRun) Done() bool {
	verified, of := r.Verified()
	return verified == of
}

// LastVerified is the moment of the last target that is verified; zero: none is.
func (r LeaverRun) LastVerified() (last time.Time) {
	for _, t := range r.Targets {
		if t.VerifiedAt != nil && t.VerifiedAt.After(last) {
			last = *t.VerifiedAt
		}
	}
	return last
}

// Summary says in one line how far the run is:
//
//	14 of 15 verified disabled in 41 s; salesforce pending: 429, next try in 12 s
func (r LeaverRun) Summary(now time.Time) string {
	verified, of := r.Verified()
	if of == 0 {
		return "nothing to take away"
	}
	parts := []string{fmt.Sprintf("%d of %d verified disabled", verified, of)}
	if last := r.LastVerified(); !last.IsZero() {
		parts[0] += " in " + Span(last.Sub(r.ReceivedAt))
	}
	for _, t := range r.Targets {
		if t.Open() {
			parts = append(parts, t.words(now))
		}
	}
	return strings.Join(parts, "; ")
}

// words say what an open target waits for.
func (t LeaverTarget) words(now time.Time) string {
	switch t.State {
	case LeaverHeld:
		return t.Target + " held: " + t.LastError
	case LeaverTask:
		return t.Target + " waits for a person"
	case LeaverAccepted:
		return t.Target + " pending: accepted, not shown yet" + t.next(now, "next look")
	case LeaverSent:
		return t.Target + " pending: sent, no answer yet"
	case LeaverFailed:
		why := t.ErrorClass
		if t.Status != 0 {
			why = strconv.Itoa(t.Status)
		}
		if why == "" {
			why = "failed"
		}
		return t.Target + " pending: " + why + t.next(now, "next try")
	case LeaverWaiting, LeaverVerified, LeaverNotNeeded:
	}
	return t.Target + " pending"
}

func (t LeaverTarget) next(now time.Time, what string) string {
	switch {
	case t.NextAt == nil:
		return ""
	case t.NextAt.After(now):
		return ", " + what + " in " + Span(t.NextAt.Sub(now))
	}
	return ", " + what + " now"
}

// Span renders a duration for people: "420 ms", "3.2 s", "41 s", "4 min 5 s", "2 h 3 min".
func Span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// Risk says whether the goal of a target is met.
type Risk string

// The risks, from none to missed.
const (
	RiskNone Risk = ""
	RiskRisk Risk = "at_risk"
	RiskLate Risk = "late"
)

// riskAfter is the share of the goal, in percent, after which it is at risk.
const riskAfter = 60

// RiskOf says whether a target will do what its goal says. A goal of zero is none.
//
//	open, goal passed                                       late
//	open, 60 % of the goal passed                           at risk
//	failed, and the next attempt comes after the goal       at risk
//	held by the guard of the source, a mode or protection   none: it was decided so
//	otherwise                                               none
func RiskOf(t LeaverTarget, received time.Time, goal time.Duration, now time.Time) Risk {
	if goal <= 0 || !t.Open() || t.State == LeaverHeld && deliberate(t.LastError) {
		return RiskNone
	}
	end := received.Add(goal)
	switch {
	case !now.Before(end):
		return RiskLate
	case now.Sub(received)*100 >= goal*riskAfter, t.State == LeaverFailed && t.NextAt != nil && t.NextAt.After(end):
		return RiskRisk
	}
	return RiskNone
}

// HeldBySource says that a source's guard holds its leavers.
const HeldBySource = "more leavers at the source than its guard allows"

// deliberate reports whether something is held because somebody configured it so, or
// because a guard that tells of itself holds many at once.
func deliberate(held string) bool {
	return slices.ContainsFunc([]string{HeldBySource, "mode ", "protected"}, func(prefix string) bool { return strings.HasPrefix(held, prefix) })
}
