package admin

import "github.com/scimhub/scimhub/hub"

// The views of reviews are those of the hub.
type (
	// ReviewView is a campaign.
	ReviewView = hub.ReviewView
	// ReviewItemView is an item of a campaign.
	ReviewItemView = hub.ReviewItemView
	// ReviewReport is the evidence of a campaign.
	ReviewReport = hub.ReviewReport
	// ReviewBulkResult says what became of a decision about many.
	ReviewBulkResult = hub.ReviewBulkResult
	// ReviewEstimate is how much a campaign would look at.
	ReviewEstimate = hub.ReviewEstimate
	// ExclusionView is a role that is kept from somebody.
	ExclusionView = hub.ExclusionView
)

// ReviewStart starts a campaign. One of the fields that narrow the scope is needed.
// Durations are written 14d; Due is one, or a date.
type ReviewStart struct {
	Name       string             `json:"name,omitempty"` // default: the scope in words
	Reason     string             `json:"reason,omitempty"`
	Role       string             `json:"role,omitempty"`
	Target     string             `json:"target,omitempty"`
	Group      string             `json:"group,omitempty"`   // at Target
	Manager    string             `json:"manager,omitempty"` // their reports: userName or id
	People     []string           `json:"people,omitempty"`  // userNames or ids
	Risk       string             `json:"risk,omitempty"`    // low, medium, high
	Exceptions bool               `json:"exceptions,omitempty"`
	Moved      string             `json:"moved,omitempty"`  // since a date, or in the last so long
	Unused     string             `json:"unused,omitempty"` // for so long, where the last use is known
	Orphans    bool               `json:"orphans,omitempty"`
	Reviewer   string             `json:"reviewer,omitempty"` // manager, owner, role:NAME, user:NAME or a userName; default manager
	Stages     []ReviewStageStart `json:"stages,omitempty"`   // instead of Reviewer and Due
	Due        string             `json:"due,omitempty"`      // default 14d
	Remind     string             `json:"remind,omitempty"`
	Escalate   *ReviewEscalation  `json:"escalate,omitempty"`
	Undecided  string             `json:"undecided,omitempty"` // keep (default), revoke, escalate
}

// ReviewStageStart is one round of a campaign to be.
type ReviewStageStart struct {
	Reviewers []string `json:"reviewers"`
	Within    string   `json:"within"`
}

// ReviewEscalation says who is asked, too, and after how long.
type ReviewEscalation struct {
	After string   `json:"after"`
	To    []string `json:"to"`
}

// ReviewDecide decides about one item.
type ReviewDecide struct {
	Decision string `json:"decision"` // keep, revoke or until=DATE
	Reason   string `json:"reason,omitempty"`
	// Version of the item that was looked at: another one is refused. 0: any.
	Version int64 `json:"version,omitempty"`
}

// ReviewBulk decides about many: those named, or those that a filter finds that can
// be decided by the caller.
type ReviewBulk struct {
	Items    []ReviewBulkItem  `json:"items,omitempty"`
	Filter   *ReviewBulkFilter `json:"filter,omitempty"`
	Decision string            `json:"decision"`
	Reason   string            `json:"reason,omitempty"`
}

// ReviewBulkItem is one of them.
type ReviewBulkItem struct {
	ID      string `json:"id"`
	Version int64  `json:"version,omitempty"`
}

// ReviewBulkFilter narrows what a bulk decision is about.
type ReviewBulkFilter struct {
	Person    string `json:"person,omitempty"` // userName or id
	Role      string `json:"role,omitempty"`
	Risk      string `json:"risk,omitempty"`
	Recommend string `json:"recommend,omitempty"`
}

// ReviewSeen names the items that a reviewer has had before them.
type ReviewSeen struct {
	Items []string `json:"items"`
}

// ReviewSeenAnswer says how many were noted.
type ReviewSeenAnswer struct {
	Seen int `json:"seen"`
}

// ReviewClose closes a campaign.
type ReviewClose struct {
	// Force closes it though somebody has not decided and there is time left.
	Force bool `json:"force,omitempty"`
	// Undecided is what becomes of what nobody decided: keep or revoke; empty: as the
	// campaign says.
	Undecided string `json:"undecided,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// ExclusionEnd gives a role back that a review took.
type ExclusionEnd struct {
	Reason string `json:"reason"`
}
