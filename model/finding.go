package model

import "time"

// The kinds of findings: facts that are missing, impossible or contradictory, and
// what could not be decided. None of them takes access away.
const (
	FindingRule       = "rule"       // a rule failed; who holds its role keeps it
	FindingMapping    = "mapping"    // an account could not be worked out; it stays as it is
	FindingDate       = "date"       // a date that is none, or an end before the start
	FindingMissing    = "missing"    // a fact that rules rely on
	FindingManager    = "manager"    // not to be found, left, or a circle
	FindingNumber     = "number"     // two people with one number
	FindingMatch      = "match"      // a resource could be one of several people's
	FindingConflict   = "conflict"   // roles that nobody should hold together
	FindingApproval   = "approval"   // nobody can decide a request
	FindingSource     = "source"     // of a source as a whole: silent, held
	FindingLastAccess = "lastaccess" // reserved for reviews
)

// Finding is something wrong with what is known, that a person should put right.
type Finding struct {
	Identity string    `json:"identity,omitempty"` // empty: of a source as a whole
	Kind     string    `json:"kind"`
	Subject  string    `json:"subject"`          // what tells it from others of the kind: an attribute path, a role, a target
	Source   string    `json:"source,omitempty"` // who can put it right
	Owner    string    `json:"owner,omitempty"`  // the source's owner, from the configuration; not stored
	Message  string    `json:"message"`
	Since    time.Time `json:"since,omitzero"`
}

// Manager is what is known of the person whom an identity names as its manager.
type Manager struct {
	Named  string // what the source wrote
	ID     string // identity; empty: nobody is found under that name
	Name   string
	Stage  Stage
	Circle bool // the line of managers leads back to the person
}

// Case is a resource that could belong to several people. It waits for a person's
// decision; until then the resource stands for somebody of its own.
type Case struct {
	ID         string    `json:"id"`
	Identity   string    `json:"identity"` // whom the resource stands for meanwhile
	Source     string    `json:"source"`
	ResourceID string    `json:"resource_id"`
	Rule       string    `json:"rule"` // the matching rule that found several
	Candidates []string  `json:"candidates"`
	OpenedAt   time.Time `json:"opened_at"`
	// Blocks: the identity is new and gets nothing before the case is decided.
	Blocks    bool       `json:"blocks"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
	DecidedBy string     `json:"decided_by,omitempty"`
	Decision  string     `json:"decision,omitempty"` // identity it was linked to; empty: somebody of its own
}
