package model

import "time"

// Reason says why: one rule that matched, with the facts it read.
type Reason struct {
	Role    string            `json:"role"`              // role whose rule matched
	Via     []string          `json:"via,omitempty"`     // inheritance path from that role to the granted one, nearest last
	Rule    string            `json:"rule,omitempty"`    // the condition as written
	Request string            `json:"request,omitempty"` // id of an approved request instead of a rule
	Group   string            `json:"group,omitempty"`   // source group mirrored to the target
	Facts   map[string]any    `json:"facts,omitempty"`   // attributes the condition read, with their values
	Sources map[string]string `json:"sources,omitempty"` // attribute -> source the value came from
	Version int64             `json:"version"`           // configuration version
	// HandOver says that nothing gives the role any more, and that it is kept for a
	// while so that work can be handed over; the grant's Until is the end.
	HandOver  bool       `json:"hand_over,omitempty"`
	KeptUntil *time.Time `json:"kept_until,omitempty"` // that end
	// Exception is the id of the exception by which conflicting roles are held together.
	Exception string `json:"exception,omitempty"`
}

// Grant is one role that an identity holds.
type Grant struct {
	Identity   string
	Role       string
	Because    []Reason // every reason, sorted; at least one
	ApprovedBy string
	From       time.Time
	Until      *time.Time
}

// Denied is a role that a rule matched and a deny rule took away.
type Denied struct {
	Role    string
	Because []Reason
}

// Entitlement is what a role gives at a target: an account, or membership of a group there.
type Entitlement struct {
	Target string
	Group  string // empty: an account only
}
