package admin

import (
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
)

// How urgent a Need is.
const (
	SeverityCritical = "critical" // access is wrong, or may be, until somebody acts
	SeverityWarning  = "warning"  // it becomes critical by itself
	SeverityInfo     = "info"     // work that waits
)

// Need is one kind of thing that needs somebody.
type Need struct {
	Kind     string     `json:"kind"`             // one of the Need… constants
	Subject  string     `json:"subject"`          // the target, source or credential; empty: of all
	Severity string     `json:"severity"`         // critical, warning, info
	Count    int        `json:"count"`            // how many; with More at least so many
	More     bool       `json:"more,omitempty"`   // there are more than Count
	Oldest   *time.Time `json:"oldest,omitempty"` // since when the first of them waits; of what expires: when
	Text     string     `json:"text"`             // in one line, for people
	Link     string     `json:"link"`             // page of the console
	API      string     `json:"api"`              // address in the API that lists them, below /api/v1
}

// The kinds of needs.
const (
	NeedPlanHeld       = "plan.held"          // changes of a target that wait for a release
	NeedLeaversHeld    = "leavers.held"       // a source said that more people left than its guard allows
	NeedQuarantined    = "target.quarantined" // a target is left alone but for leavers and probes
	NeedFailing        = "target.failing"
	NeedAccountsFailed = "accounts.failed" // single accounts that a target refuses
	NeedLeaverLate     = "leaver.late"     // the goal is missed
	NeedLeaverAtRisk   = "leaver.at_risk"
	NeedApproval       = "approval.wanted" // anybody's
	NeedMyApproval     = "approval.mine"   // that the caller is asked
	NeedMyTask         = "task.mine"
	NeedMyReview       = "review.mine"
	NeedTaskOverdue    = "task.overdue"
	NeedTaskOpen       = "task.open"
	NeedReview         = "review.due"
	NeedCase           = "person.match" // resources that could be one of several people's
	NeedFinding        = "finding"
	NeedConflict       = "conflict"
	NeedCredential     = "credential.expiring"
	NeedSourceSilent   = "source.silent"
	NeedAudit          = "audit.unverified"
	NeedDelivery       = "delivery.failing"
	NeedDrift          = "drift"
)

// Overview is what somebody should see first.
type Overview struct {
	At      time.Time           `json:"at"`
	Version int64               `json:"config_version"`
	Needs   []Need              `json:"needs"`  // the most urgent first
	People  map[model.Stage]int `json:"people"` // by stage, as of CountedAt
	Targets []TargetCard        `json:"targets"`
	Leavers LeaverGlance        `json:"leavers"`
	// CountedAt is when people and accounts were counted: of large populations not at
	// each look.
	CountedAt time.Time `json:"counted_at"`
	Waiting   int       `json:"waiting"` // people to be evaluated, those of a sweep among them
}

// TargetCard is one target at a glance.
type TargetCard struct {
	Name        string                     `json:"name"`
	Profile     string                     `json:"profile"`
	Mode        model.Mode                 `json:"mode"`
	State       string                     `json:"state"` // ok, failing, quarantined, paused, held
	Accounts    map[model.AccountState]int `json:"accounts"`
	Pending     int                        `json:"pending"`                    // accounts with something to do now; at most maxGlance
	OldestDue   *time.Time                 `json:"oldest_due,omitempty"`       // since when the one that waits longest could have been done
	Lag         string                     `json:"lag,omitempty"`              // how long that is, a duration
	Held        int                        `json:"held,omitempty"`             // accounts that a guard, a mode or an approval holds
	Drifted     int                        `json:"drifted,omitempty"`          // accounts that differ from what the hub wrote
	LastDrift   *time.Time                 `json:"last_drift,omitempty"`       // end of the last sweep
	LastAttempt *time.Time                 `json:"last_attempt,omitempty"`     //
	LastSuccess *time.Time                 `json:"last_success,omitempty"`     //
	RetryAt     *time.Time                 `json:"retry_at,omitempty"`         //
	LastError   string                     `json:"last_error,omitempty"`       //
	ErrorClass  string                     `json:"error_class,omitempty"`      //
	Errors      map[string]int             `json:"errors"`                     // accounts whose last attempt failed, by class; at most maxGlance each
	Quarantine  *QuarantineView            `json:"quarantine,omitempty"`       //
	Progress    *fanout.ProgressView       `json:"progress,omitempty"`         // of a large backlog
	Hours       []HourView                 `json:"hours"`                      // the last 48, the oldest first; hours without work are left out
	Warnings    []string                   `json:"warnings,omitempty"`         // what a person should see to, in words
	ExpiresAt   *time.Time                 `json:"credential_until,omitempty"` // end of the credential in use
}

// HourView is what was done at a target in one hour.
type HourView struct {
	Hour   time.Time `json:"hour"`   // its beginning
	Done   int       `json:"done"`   // changes carried out
	Failed int       `json:"failed"` // attempts in vain
}

// LeaverGlance is how leavers of the last seven days went.
type LeaverGlance struct {
	Since   time.Time       `json:"since"`
	AtRisk  int             `json:"at_risk"` // people of whom a goal is at risk or missed
	All     LeaverNumbers   `json:"all"`
	Targets []LeaverNumbers `json:"targets"`
	Newest  []LeaverView    `json:"newest"` // at most twenty
}

// Work is something long that is under way.
type Work struct {
	Kind      string     `json:"kind"`    // sync, drift, evaluation, configuration, import, replay, review, search, erasure
	Subject   string     `json:"subject"` // the target, source or campaign; empty: none
	Since     *time.Time `json:"since,omitempty"`
	Done      int        `json:"done"`
	Total     int        `json:"total"` // 0: not known
	PerSecond float64    `json:"per_second,omitempty"`
	ETA       *time.Time `json:"eta,omitempty"`
	Text      string     `json:"text"` // in one line, for people
}
