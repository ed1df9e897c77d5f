package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// CampaignState is where an access review stands.
type CampaignState string

// The states of a campaign.
const (
	CampaignPreparing CampaignState = "preparing" // its items are being written
	CampaignOpen      CampaignState = "open"      // people decide
	CampaignMoving    CampaignState = "moving"    // from one stage to the next
	CampaignClosing   CampaignState = "closing"   // what nobody decided is settled, and all of it summed up
	CampaignClosed    CampaignState = "closed"
)

// How a campaign came about.
const (
	CampaignAsked    = "asked"    // an operator started it
	CampaignSchedule = "schedule" // the configuration did
	CampaignMove     = "move"     // people moved
)

// What becomes of items that nobody decided when the last stage is over.
const (
	UndecidedKeep     = "keep"
	UndecidedRevoke   = "revoke"
	UndecidedEscalate = "escalate" // others are asked, once; then they are kept
)

// ReviewScope says whose access a campaign looks at. What is given narrows it; there
// has to be something.
type ReviewScope struct {
	Role       string        `json:"role,omitempty"`
	Target     string        `json:"target,omitempty"`
	Group      string        `json:"group,omitempty"`       // at Target
	Manager    string        `json:"manager,omitempty"`     // their reports: userName or id, once started the id
	People     []string      `json:"people,omitempty"`      // userNames or ids, once started ids
	Risk       string        `json:"risk,omitempty"`        // roles of this risk
	Exceptions bool          `json:"exceptions,omitempty"`  // people who hold conflicting roles by an exception
	MovedSince *time.Time    `json:"moved_since,omitempty"` // people who had another manager or department since
	UnusedFor  time.Duration `json:"unused_for,omitempty"`  // nanoseconds; where the last use is known
	Orphans    bool          `json:"orphans,omitempty"`     // accounts at Target that are nobody's
}

// ReviewStage is one round of a campaign.
type ReviewStage struct {
	Reviewers []string      `json:"reviewers"` // manager, owner, role:NAME, user:NAME; any one of them decides
	Within    time.Duration `json:"within"`    // nanoseconds
	Opened    *time.Time    `json:"opened,omitempty"`
	Closed    *time.Time    `json:"closed,omitempty"`
}

// Campaign is one access review: access as it was when it started, and people who are
// asked about it. It is a value: package hub decides what becomes of it.
type Campaign struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Origin   string        `json:"origin"`
	Schedule string        `json:"schedule,omitempty"` // name in the configuration
	Scope    ReviewScope   `json:"scope"`
	Stages   []ReviewStage `json:"stages"` // in order, at least one
	Stage    int           `json:"stage"`  // the one that is open
	State    CampaignState `json:"state"`
	By       string        `json:"by"` // who started it, as the audit trail names them
	Why      string        `json:"why,omitempty"`
	Created  time.Time     `json:"created"`
	Due      time.Time     `json:"due"` // of the stage
	Closed   *time.Time    `json:"closed,omitempty"`
	ClosedBy string        `json:"closed_by,omitempty"`

	Remind     time.Duration `json:"remind,omitempty"` // between reminders; 0: none
	RemindedAt *time.Time    `json:"reminded_at,omitempty"`
	Escalate   []string      `json:"escalate,omitempty"`       // approvers who are asked, too, after EscalateAfter
	After      time.Duration `json:"escalate_after,omitempty"` // since the stage opened
	Escalated  *time.Time    `json:"escalated,omitempty"`      // in this stage
	Undecided  string        `json:"undecided"`                // keep, revoke, escalate
	Extended   bool          `json:"extended,omitempty"`       // the time of those asked last has begun

	// Cursor is how far the present work over all items has come; Task names it.
	Cursor string `json:"cursor,omitempty"`
	Task   string `json:"task,omitempty"`
	// Digest of what was decided about all items, once it is closed.
	Digest string `json:"digest,omitempty"`
	// SettleAs is what becomes of the undecided, once it is closing.
	SettleAs  string    `json:"settle_as,omitempty"`
	Refreshed time.Time `json:"refreshed,omitzero"` // when who is asked was last looked up for all
	NextAt    time.Time `json:"next_at,omitzero"`   // when there is something to do; zero: nothing
	Version   int64     `json:"version"`
}

// ItemState is where one item of a campaign stands.
type ItemState string

// The states of an item.
const (
	ItemPending   ItemState = "pending"   // somebody has to decide
	ItemDecided   ItemState = "decided"   // in a stage that is not the last
	ItemKept      ItemState = "kept"      // it stays
	ItemEnding    ItemState = "ending"    // it stays until a date
	ItemRevoking  ItemState = "revoking"  // to be taken away, and not evaluated yet
	ItemEvaluated ItemState = "evaluated" // taken away in the hub, not yet seen to be gone at the target
	ItemRevoked   ItemState = "revoked"   // gone, and seen to be
	ItemGone      ItemState = "gone"      // it was gone before anybody decided
	ItemUndecided ItemState = "undecided" // nobody decided; it stays
)

// The verdicts of a reviewer.
const (
	VerdictKeep   = "keep"
	VerdictRevoke = "revoke"
	VerdictUntil  = "until" // keep until a date
)

// ReviewItem is one thing that somebody has, or an account that is nobody's.
type ReviewItem struct {
	ID       string    `json:"id"`
	Review   string    `json:"review"`
	Identity string    `json:"identity"` // of an account that is nobody's: empty
	Person   string    `json:"person"`   // name, or the user name of such an account
	Role     string    `json:"role,omitempty"`
	Target   string    `json:"target,omitempty"` // of an entitlement that no role gives
	Group    string    `json:"group,omitempty"`
	State    ItemState `json:"state"`
	Stage    int       `json:"stage"`

	Access ReviewAccess `json:"access"`
	Hints  ReviewHints  `json:"hints"`
	// Decision is that of the present stage, Earlier are those of the stages before,
	// and what was decided in this stage and changed.
	Decision *ReviewDecision  `json:"decision,omitempty"`
	Earlier  []ReviewDecision `json:"earlier,omitempty"`
	Carried  *ReviewCarried   `json:"carried,omitempty"` // what became of a revocation
	// Asked is who can decide now: identities, and role:NAME.
	Asked []string `json:"asked,omitempty"`
	// Nobody says why there is nobody to ask.
	Nobody    string `json:"nobody,omitempty"`
	Escalated bool   `json:"escalated,omitempty"`
	Changed   string `json:"changed,omitempty"` // what is different since the campaign started
	// CheckAt is when it is looked at next whether a revocation is carried out; zero: not.
	CheckAt time.Time `json:"check_at,omitzero"`
	Checks  int       `json:"checks,omitempty"`
	// Sealed is the digest of what was decided, once the campaign is closed: see Seal.
	Sealed  string `json:"sealed,omitempty"`
	Version int64  `json:"version"`
}

// Seal is a digest of what the item is about and what was decided, without what became
// of it since.
func (i ReviewItem) Seal() string {
	type sealed struct {
		ID, Review, Identity, Role, Target, Group string
		Access                                    string
		Decision                                  *ReviewDecision
		Earlier                                   []ReviewDecision
	}
	text, err := json.Marshal(sealed{i.ID, i.Review, i.Identity, i.Role, i.Target, i.Group, i.Access.Digest, i.Decision, i.Earlier})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Live reports whether an evaluation of the person may change the item.
func (i ReviewItem) Live() bool {
	return i.State == ItemPending || i.State == ItemDecided || i.State == ItemRevoking
}

// ReviewAccess is why somebody has something, as it was when the campaign started, or
// when it changed since.
type ReviewAccess struct {
	Why        []string      `json:"why"` // reasons in words
	ApprovedBy string        `json:"approved_by,omitempty"`
	Request    string        `json:"request,omitempty"` // id
	Since      *time.Time    `json:"since,omitempty"`
	Until      *time.Time    `json:"until,omitempty"`
	Gives      []Entitlement `json:"gives,omitempty"` // at targets
	Facts      Facts         `json:"facts,omitzero"`  // that the reasons rest on
	Digest     string        `json:"digest"`          // of all this
}

// ReviewHints help to decide.
type ReviewHints struct {
	Manager    string     `json:"manager,omitempty"` // name
	Department string     `json:"department,omitempty"`
	Risk       string     `json:"risk,omitempty"`      // low, medium, high
	Peers      int        `json:"peers,omitempty"`     // people of the same manager, without the person
	Holding    int        `json:"holding,omitempty"`   // of these, those who hold it
	LastUse    *time.Time `json:"last_use,omitempty"`  // nil: not known
	Moved      *time.Time `json:"moved,omitempty"`     // had another manager or department after it was given
	MovedHow   string     `json:"moved_how,omitempty"` // in words
	Conflicts  []string   `json:"conflicts,omitempty"` // roles held beside it that conflict
	Recommend  string     `json:"recommend,omitempty"` // keep, revoke or nothing
	Because    string     `json:"because,omitempty"`   // of the recommendation
}

// ReviewDecision is what one reviewer decided about one item.
type ReviewDecision struct {
	Verdict  string     `json:"verdict"`
	Until    *time.Time `json:"until,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	By       string     `json:"by"`                  // as the audit trail names them
	Person   string     `json:"person,omitempty"`    // identity; empty: a credential that acts for nobody
	For      string     `json:"for,omitempty"`       // reviewer that this answers for, as configured
	DeputyOf string     `json:"deputy_of,omitempty"` // identity
	Override bool       `json:"override,omitempty"`
	Bulk     bool       `json:"bulk,omitempty"` // with others at once
	Stage    int        `json:"stage"`
	At       time.Time  `json:"at"`
	Against  bool       `json:"against,omitempty"` // the recommendation
	// Rule says that nobody decided and the campaign's rule did.
	Rule bool `json:"rule,omitempty"`
}

// ReviewCarried is what became of a revocation.
type ReviewCarried struct {
	Exclusion   string     `json:"exclusion,omitempty"` // id
	EvaluatedAt *time.Time `json:"evaluated_at,omitempty"`
	VerifiedAt  *time.Time `json:"verified_at,omitempty"`
	Note        string     `json:"note,omitempty"` // what is still open, or why something stays
}

// Exclusion keeps a role from somebody, or an entitlement that no role gives, whatever
// gives it: a reviewer said so. It ends when an operator ends it, when somebody approves
// a later request for the role, when the facts that the rule read are others, and when
// the person has left.
type Exclusion struct {
	ID       string     `json:"id"`
	Identity string     `json:"identity"`
	Role     string     `json:"role,omitempty"`
	Target   string     `json:"target,omitempty"`
	Group    string     `json:"group,omitempty"`
	Review   string     `json:"review"`
	Item     string     `json:"item"`
	By       string     `json:"by"`
	Reason   string     `json:"reason,omitempty"`
	Facts    Facts      `json:"facts,omitzero"` // of the reasons when it was decided
	Created  time.Time  `json:"created"`
	From     time.Time  `json:"from"` // later than Created: the role is kept until then
	Ended    *time.Time `json:"ended,omitempty"`
	EndedBy  string     `json:"ended_by,omitempty"`
	EndedWhy string     `json:"ended_why,omitempty"`
}

// InForce reports whether it keeps the role away at a moment.
func (e Exclusion) InForce(now time.Time) bool { return e.Ended == nil && !now.Before(e.From) }
