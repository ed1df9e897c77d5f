package config

import "time"

// Retention is how long is kept what would otherwise grow for ever. 0 means for ever.
type Retention struct {
	Events     time.Duration // what sources wrote and what became of people; default as long as the audit trail
	History    time.Duration // what was true of people and accounts when, for explain --at; default as long as the audit trail
	Decisions  time.Duration // requests, reviews, tasks and exceptions that are over; default as long as the audit trail
	Deliveries time.Duration // what people and programs were told; default 90 d
	Sessions   time.Duration // sign-ins that are over; default 90 d
	Leavers    time.Duration // how fast access of leavers was taken away; default 400 d
}

// The shortest that each may be kept: whoever looks into something that went wrong looks
// back further than this, and guards and reviews count over shorter times only.
const (
	leastHistory    = 30 * day
	leastDecisions  = 90 * day
	leastDeliveries = 30 * day
	leastLeavers    = 30 * day
)

// Defaults of what is no evidence.
const (
	defaultDeliveries = 90 * day
	defaultSessions   = 90 * day
	defaultLeavers    = 400 * day
)

func defaultRetention() Retention {
	return Retention{Events: unset, History: unset, Decisions: unset, Deliveries: defaultDeliveries, Sessions: defaultSessions, Leavers: defaultLeavers}
}

// unset stands for "as long as the audit trail" until that is known.
const unset = time.Duration(-1)

func (r *reader) retention(n *node, v *Retention) {
	r.fields(n, map[string]func(*node){
		"events":     func(n *node) { v.Events = r.kept(n, leastHistory) },
		"history":    func(n *node) { v.History = r.kept(n, leastHistory) },
		"decisions":  func(n *node) { v.Decisions = r.kept(n, leastDecisions) },
		"deliveries": func(n *node) { v.Deliveries = r.kept(n, leastDeliveries) },
		"sessions":   func(n *node) { v.Sessions = r.kept(n, day) },
		"leavers":    func(n *node) { v.Leavers = r.kept(n, leastLeavers) },
	})
}

// kept reads how long something is kept: 0 for ever, else no shorter than least.
func (r *reader) kept(n *node, least time.Duration) time.Duration {
	before := len(r.faults)
	d := r.duration(n)
	if d != 0 && d < least && len(r.faults) == before {
		r.fault(n, "must be at least %s, or 0 to keep it for ever", FormatDuration(least))
	}
	return d
}

// settle fills in what follows the audit trail.
func (v *Retention) settle(audit time.Duration) {
	for _, d := range []*time.Duration{&v.Events, &v.History, &v.Decisions} {
		if *d == unset {
			*d = audit
		}
	}
}

// auditRetain reads how long the audit trail is kept. What is too short is taken as the
// least, and not refused: a hub that was started with it has to start again after an
// upgrade.
func (r *reader) auditRetain(n *node) time.Duration {
	d := r.positive(n)
	if d > 0 && d < leastHistory {
		r.warn(n, "audit.retain is taken as "+FormatDuration(leastHistory)+": less would be no evidence of anything")
		d = leastHistory
	}
	return d
}
