package model

import "time"

// AccountState is the sync state of one account at one target.
type AccountState string

// The states of an account.
const (
	StatePending  AccountState = "pending"  // desired differs from applied, will be worked on
	StateInSync   AccountState = "in_sync"  // applied equals desired
	StateFailed   AccountState = "failed"   // the last attempt failed; retried at NextAttempt
	StateHeld     AccountState = "held"     // a guard, mode or approval holds the change
	StateDrifted  AccountState = "drifted"  // observed differs from applied though nobody told the hub
	StateDisabled AccountState = "disabled" // no longer due, inactive at the target
	StateDeleted  AccountState = "deleted"  // no longer due, gone from the target
	StateUnknown  AccountState = "unknown"  // there but not ours
)

// How an account came under the hub's care. OwnedCreating is the intent written
// before the create is sent, so that an account found after a crash is known as ours.
const (
	OwnedCreating = "creating"
	OwnedCreated  = "created"
	OwnedAdopted  = "adopted"
)

// Account is one user at one target: as desired, as applied or as observed;
// one type for all three, so that they can be compared. Attrs holds the owned
// SCIM User attributes by path ("name.familyName", `emails[type eq "work"].value`,
// "urn:…:User:department"), canonical for the target's profile; never userName,
// active or groups, which have fields.
type Account struct {
	UserName string         `json:"userName"`
	Active   bool           `json:"active"`
	Attrs    map[string]any `json:"attrs,omitempty"`
	Groups   []string       `json:"groups,omitempty"` // names of groups at the target, sorted
}

// AccountRow is all the hub knows of one identity at one target.
type AccountRow struct {
	Target   string
	Identity string // for unknown accounts: "?"+remote id
	RemoteID string // empty: none known
	Owned    string // OwnedCreating, OwnedCreated, OwnedAdopted, or empty where it is not ours

	Desired    *Account            // nil: no account is due
	Applied    *Account            // what the hub last wrote (or adopted); nil: nothing
	Observed   *Account            // what the target last showed; nil: never read, or absent at the last look
	Sent       []Account           // writes whose outcome is not known: what the target holds in place of Applied, wholly or in part; a zero Account is a deletion
	Because    map[string][]Reason // entitlement key ("" the account, else the group) -> reasons
	Leaver     bool                // no longer due because the person left: the urgent lane
	LeaverAt   *time.Time          // when the fact was received
	LeaverHeld bool                // more leavers at the source than its guard allows
	Invited    bool                // when last seen, its invitation had not been accepted yet
	// TransferredAt is when what the person owns there had been handed on; it counts
	// only if that was after DisabledAt. Nil: it was not.
	TransferredAt *time.Time
	Drill         bool // it is off, or comes back, because of a drill: nothing is ever deleted

	State       AccountState
	Drift       string // "", "changed", "missing", "unknown"
	DisabledAt  *time.Time
	Due         bool  // there is something to do, at NextAttempt
	Generation  int64 // raised with each change of Desired
	Attempts    int
	NextAttempt time.Time
	LastError   string
	ErrorClass  string
	VerifiedAt  *time.Time // last time the target showed what was applied
	SentAt      *time.Time // when something was last sent; set by SaveIntents alone
	CreatingAt  *time.Time // while Owned is OwnedCreating: when the account may have been made first
	FormerID    string     // id of the account that is gone from the target
	GoneAt      *time.Time // since when
	UpdatedAt   time.Time

	Trace string // of what the present wish follows from; empty: it is not traced, or was carried out
}
