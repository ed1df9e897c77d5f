package admin

import (
	"time"

	"github.com/scimhub/scimhub/model"
)

// EvidenceHead says what a piece of evidence is and what it rests on.
type EvidenceHead struct {
	Question   string            `json:"question"` // in words
	Kind       string            `json:"kind"`     // access, person, conflicts, leavers, review
	Hub        string            `json:"hub"`      // its public address
	Version    int64             `json:"config_version"`
	Generated  time.Time         `json:"generated_at"`
	By         string            `json:"by"`
	Parameters map[string]string `json:"parameters"` // as they were understood: moments with their zone
	// Checkpoint is where the audit trail was last signed; absent: it never was.
	Checkpoint *EvidenceCheckpoint `json:"checkpoint,omitempty"`
}

// EvidenceCheckpoint names a signed checkpoint of the audit trail.
type EvidenceCheckpoint struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Hash      string    `json:"hash"` // SHA-256 of its text, hexadecimal
	PublicKey string    `json:"public_key"`
}

// Evidence is one page of evidence.
type Evidence[T any] struct {
	Head  EvidenceHead `json:"head"`
	Items []T          `json:"items"`
	Next  string       `json:"next,omitempty"`
	Count int          `json:"count"` // on this page
	// Digest is the SHA-256 of the head and the items as compact JSON, hexadecimal.
	Digest string `json:"digest"`
}

// AccessEvidence is that somebody had one entitlement, and why.
type AccessEvidence struct {
	Identity   string        `json:"identity"`
	UserName   string        `json:"userName"` // at that time; empty: erased since
	Erased     bool          `json:"erased,omitempty"`
	Stage      model.Stage   `json:"stage,omitempty"` // at that time
	Target     string        `json:"target,omitempty"`
	Group      string        `json:"group,omitempty"` // empty: the account
	Role       string        `json:"role,omitempty"`  // empty: nothing gave it any more
	Because    []BecauseView `json:"because"`
	ApprovedBy string        `json:"approved_by,omitempty"`
	Request    *AskedView    `json:"request,omitempty"`
	Since      *time.Time    `json:"since,omitempty"` // of the role
	Until      *time.Time    `json:"until,omitempty"` // planned end of the role
	// AccessFrom and AccessUntil are when access was there, of what was asked about; absent:
	// it reaches beyond.
	AccessFrom  *time.Time         `json:"access_from,omitempty"`
	AccessUntil *time.Time         `json:"access_until,omitempty"`
	State       model.AccountState `json:"state,omitempty"` // of the account
	VerifiedAt  *time.Time         `json:"verified_at,omitempty"`
	HandOver    bool               `json:"hand_over,omitempty"`
	Exception   *model.Exception   `json:"exception,omitempty"`
	Note        string             `json:"note,omitempty"`
}

// ChangeEvidence is one thing that happened to a person.
type ChangeEvidence struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`             // account, audit, event, facts, grant, request, exception
	What   string    `json:"what"`             // granted, ended, approved, denied, …
	Actor  string    `json:"actor,omitempty"`  // where one is known
	Object string    `json:"object,omitempty"` // role, target, path
	Text   string    `json:"text"`             // for people
	Data   any       `json:"data,omitempty"`
	Ref    string    `json:"ref,omitempty"` // id of the request, lane.seq of the audit entry
}

// ConflictEvidence is one conflict of the configuration and somebody whom it concerns.
type ConflictEvidence struct {
	Conflict   string            `json:"conflict"`
	Roles      []string          `json:"roles"`
	Action     string            `json:"action"`
	Identity   string            `json:"identity,omitempty"` // empty: it concerns nobody
	UserName   string            `json:"userName,omitempty"`
	Holds      []string          `json:"holds,omitempty"` // of the roles, those that are held now
	Both       bool              `json:"both"`            // held together
	Message    string            `json:"message,omitempty"`
	Since      *time.Time        `json:"since,omitempty"`
	Exceptions []model.Exception `json:"exceptions,omitempty"` // in force, with owner, approver and end
}

// LeaverEvidence is how the end of one leaver's access went at one target.
type LeaverEvidence struct {
	Identity string            `json:"identity"`
	UserName string            `json:"userName"`
	Received time.Time         `json:"received_at"`      // the fact
	Target   string            `json:"target,omitempty"` // empty: access was nowhere
	State    model.LeaverState `json:"state,omitempty"`
	Accepted *time.Time        `json:"accepted_at,omitempty"`
	Verified *time.Time        `json:"verified_at,omitempty"`
	Seconds  *float64          `json:"seconds,omitempty"` // from fact to verified; absent: not yet
	Goal     string            `json:"goal,omitempty"`    // of the configuration in force; a duration
	OverGoal bool              `json:"over_goal"`         // so far, where it is open
	Attempts int               `json:"attempts"`
	Outcome  string            `json:"outcome,omitempty"` // of the run
	Note     string            `json:"note,omitempty"`
}
