package model

import (
	"slices"
	"time"
)

// RequestState is where a request for a role stands.
type RequestState string

// The states of a request. A request in StateApproved gives its role from From
// until Until; one that is closed gives nothing and never will again.
const (
	RequestPending   RequestState = "pending"   // somebody has to decide
	RequestApproved  RequestState = "approved"  // every step said yes, or it is an emergency
	RequestDenied    RequestState = "denied"    // an approver said no
	RequestWithdrawn RequestState = "withdrawn" // who asked took it back, or the person gave the role up
	RequestExpired   RequestState = "expired"   // its end has come, or nobody decided in time
	RequestLapsed    RequestState = "lapsed"    // a fact that the approval relied on has changed
	RequestRevoked   RequestState = "revoked"   // somebody took it away: an operator, a review
	RequestEnded     RequestState = "ended"     // the person left, or the role is no more
)

// Open reports whether the request may still give something.
func (s RequestState) Open() bool { return s == RequestPending || s == RequestApproved }

// How a request came about.
const (
	OriginAsked     = "asked"     // by somebody, for themselves or for a report
	OriginRule      = "rule"      // a rule matched a role that needs approval all the same
	OriginEmergency = "emergency" // granted at once, reviewed afterwards
)

// Request is a role asked for one person. It is a value: package hub decides what
// becomes of it, the store keeps it.
type Request struct {
	ID       string       `json:"id"`
	Identity string       `json:"identity"` // who is to hold the role
	Role     string       `json:"role"`
	Origin   string       `json:"origin"`
	State    RequestState `json:"state"`
	AskedBy  string       `json:"asked_by,omitempty"` // identity of who asked; empty for an operator or a rule
	Actor    string       `json:"actor"`              // who asked, as the audit trail names them
	Reason   string       `json:"reason,omitempty"`
	From     *time.Time   `json:"from,omitempty"`  // nil: as soon as it is approved
	Until    *time.Time   `json:"until,omitempty"` // nil: no end
	Created  time.Time    `json:"created"`
	Approved *time.Time   `json:"approved,omitempty"` // when the last step said yes
	Closed   *time.Time   `json:"closed,omitempty"`
	Why      string       `json:"why,omitempty"` // of a closed request, in words

	Steps []Step `json:"steps"`          // as they were when asked; later changes of the rules do not touch them
	Step  int    `json:"step"`           // the one that waits, len(Steps) when none does
	Facts Facts  `json:"facts,omitzero"` // what the approval relies on, as it was when it was given
	// FactSources tells where the facts came from, by path: what a source does not say
	// any more has only changed if the source still describes the person.
	FactSources Facts `json:"fact_sources,omitzero"`
	// Manager and Department of the person when the request was approved or kept last:
	// who has others since has moved.
	Manager    string `json:"manager,omitempty"` // identity
	Department string `json:"department,omitempty"`
	// Asked is who can answer now: identities, and role:NAME for whoever holds the role.
	Asked []string `json:"asked,omitempty"`
	// Review is the question put after the fact: to the reviewers of an emergency, or
	// to the new manager of a person who moved. Nil where there is none open.
	Review   *Review  `json:"review,omitempty"`
	Reviewed []Review `json:"reviewed,omitempty"` // questions put after the fact that are closed
	// Silent keeps a rule whose role was refused from asking again as long as it matches.
	Silent  bool `json:"silent,omitempty"`
	Noticed bool `json:"noticed,omitempty"` // the notice before the end was given
	// RoleGone is since when the role is not configured any more; nil: it is.
	RoleGone *time.Time `json:"role_gone,omitempty"`
	NextAt   time.Time  `json:"next_at,omitzero"` // when time alone may change it: a reminder, an end
	Version  int64      `json:"version"`          // raised with each change
}

// Facts are attributes by path, with their values as text.
type Facts map[string]string

// Step is one stage of approval. All: every approver has to say yes; else one is enough.
type Step struct {
	All       bool       `json:"all,omitempty"`
	Approvers []string   `json:"approvers"` // as configured: manager, role:NAME, user:NAME
	AskedAt   *time.Time `json:"asked_at,omitempty"`
	Reminded  *time.Time `json:"reminded,omitempty"`
	Escalated []string   `json:"escalated,omitempty"` // approvers added since nobody decided in time
	Decisions []Approval `json:"decisions,omitempty"`
	// Conflict is the roles that the person may hold together, for as long as the
	// request lasts, if this step says yes. Sorted; empty: the step is of the role's own.
	Conflict []string `json:"conflict,omitempty"`
}

// Approval is what one approver decided.
type Approval struct {
	Approver string    `json:"approver"`            // identity; empty for an operator's override
	For      string    `json:"for,omitempty"`       // configured approver that this answers for
	Deputy   string    `json:"deputy_of,omitempty"` // identity on whose behalf
	Actor    string    `json:"actor"`               // as the audit trail names them
	Override bool      `json:"override,omitempty"`  // decided by an operator instead
	Approve  bool      `json:"approve"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

// Review asks whether an approved request is to stay.
type Review struct {
	Why    string     `json:"why"`             // emergency, moved
	About  string     `json:"about,omitempty"` // what has changed, in words
	Step   Step       `json:"step"`
	Due    time.Time  `json:"due"`
	Closed *time.Time `json:"closed,omitempty"` // when it was answered, or nobody had by the time it was due
	// EndIfSilent takes the role away where nobody has answered when it is due.
	EndIfSilent bool `json:"end_if_silent"`
}

// Live reports whether anything can still become of the request: it is open, it waits
// for an answer after the fact, or it keeps a rule from asking again.
func (r Request) Live() bool { return r.State.Open() || r.Review != nil || r.Silent }

// InForce reports whether the request gives its role at a moment.
func (r Request) InForce(now time.Time) bool {
	return r.State == RequestApproved && r.RoleGone == nil && (r.From == nil || !now.Before(*r.From)) && (r.Until == nil || now.Before(*r.Until))
}

// ApprovedBy names those who said yes, in order, each once, for people.
func (r Request) ApprovedBy() []string {
	var out []string
	for _, s := range r.Steps {
		for _, d := range s.Decisions {
			if d.Approve && !slices.Contains(out, d.Actor) {
				out = append(out, d.Actor)
			}
		}
	}
	return out
}

// Exception lets a person hold roles together that conflict, for a time.
type Exception struct {
	ID       string     `json:"id"`
	Identity string     `json:"identity"`
	Roles    []string   `json:"roles"` // sorted; the roles of the conflict that may be held together
	Owner    string     `json:"owner"` // who answers for it
	Reason   string     `json:"reason"`
	By       string     `json:"by"` // who allowed it
	Request  string     `json:"request,omitempty"`
	From     time.Time  `json:"from"`
	Until    time.Time  `json:"until"` // an exception has an end
	EndedAt  *time.Time `json:"ended_at,omitempty"`

	OwnerName  string `json:"owner_name,omitempty"`  // as of now; not stored
	OwnerStage Stage  `json:"owner_stage,omitempty"` // as of now; not stored
}

// InForce reports whether the exception holds at a moment.
func (e Exception) InForce(now time.Time) bool {
	return e.EndedAt == nil && !now.Before(e.From) && now.Before(e.Until)
}

// Clone is a copy that shares nothing that changes.
func (r Request) Clone() Request {
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		r.Steps[i].Decisions = slices.Clone(r.Steps[i].Decisions)
	}
	if r.Review != nil {
		review := *r.Review
		r.Review = &review
	}
	return r
}
