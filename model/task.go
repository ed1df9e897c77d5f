package model

import "time"

// TaskKind is what a task is about.
type TaskKind string

// The kinds of tasks.
const (
	TaskManual    TaskKind = "manual"     // carry out changes at an application without an API
	TaskSwitchOff TaskKind = "switch-off" // switch an account off where the application's API cannot
	TaskTransfer  TaskKind = "transfer"   // hand on what somebody owns before their account is deleted
)

// TaskOutcome is how a task ended; empty: it is open.
type TaskOutcome string

// The outcomes.
const (
	TaskDone     TaskOutcome = "done"     // somebody, or a connector, says that it was carried out
	TaskRefused  TaskOutcome = "refused"  // somebody says that it will not be
	TaskObsolete TaskOutcome = "obsolete" // nothing wants it any longer
)

// Task is something that a person has to do because the hub cannot, and that the hub
// waits for: the change it stands for counts as carried out once it is done.
type Task struct {
	ID       string   `json:"id"`
	Kind     TaskKind `json:"kind"`
	Target   string   `json:"target"`
	Identity string   `json:"identity,omitempty"` // whom it is about; empty: nobody in particular
	UserName string   `json:"userName,omitempty"` // of the account
	Digest   string   `json:"digest"`             // of exactly what is to be done
	What     string   `json:"what"`               // in words
	Changes  []Change `json:"changes,omitempty"`
	// Assignee is an identity, or role:NAME for whoever holds the role; empty: the
	// operators, who may close every task.
	Assignee   string    `json:"assignee,omitempty"`
	Successor  string    `json:"successor,omitempty"` // identity that gets what is handed on; of transfers
	Urgent     bool      `json:"urgent,omitempty"`    // takes a leaver's access away
	NeedsProof bool      `json:"needs_proof,omitempty"`
	Created    time.Time `json:"created"`
	Due        time.Time `json:"due"`

	DoneAt  *time.Time  `json:"done_at,omitempty"` // nil: open
	DoneBy  string      `json:"done_by,omitempty"`
	Outcome TaskOutcome `json:"outcome,omitempty"`
	Proof   string      `json:"proof,omitempty"` // how it can be checked, or why it was refused

	// Generation of the account's row that it belongs to: a task that was done stands
	// for no later wish of the same content.
	Generation int64 `json:"-"`
	// Auto is a transfer that the hub makes through the application's own API, until
	// it cannot be known whether that was carried out: then it is a person's.
	Auto      bool       `json:"auto,omitempty"`
	SentAt    *time.Time `json:"sent_at,omitempty"` // a request went out whose outcome was not heard of yet
	Attempts  int        `json:"attempts,omitempty"`
	NextAt    *time.Time `json:"next_at,omitempty"`
	LastError string     `json:"last_error,omitempty"`
}

// Open reports whether the task is still to be done.
func (t Task) Open() bool { return t.DoneAt == nil }

// Removes reports whether the task takes access away.
func (t Task) Removes() bool {
	for _, c := range t.Changes {
		if c.Removes() {
			return true
		}
	}
	return false
}
