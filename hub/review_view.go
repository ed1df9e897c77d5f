package hub

import (
	"time"

	"github.com/scimhub/scimhub/model"
)

// ReviewView is a campaign as it is shown. Durations are text, as the configuration
// writes them.
type ReviewView struct {
	ID       string              `json:"id"`
	Name     string              `json:"name"`
	State    model.CampaignState `json:"state"`
	Origin   string              `json:"origin"`
	Schedule string              `json:"schedule,omitempty"`
	About    string              `json:"about"` // the scope in words
	Scope    ReviewScopeView     `json:"scope"`
	Stages   []ReviewStageView   `json:"stages"`
	Stage    int                 `json:"stage"` // the one that is open, from 0
	By       string              `json:"by"`
	Why      string              `json:"why,omitempty"`
	Created  time.Time           `json:"created"`
	Due      time.Time           `json:"due"` // of the stage
	Overdue  bool                `json:"overdue,omitempty"`
	Closed   *time.Time          `json:"closed,omitempty"`
	ClosedBy string              `json:"closed_by,omitempty"`
	Remind   string              `json:"remind,omitempty"`
	Escalate []string            `json:"escalate,omitempty"`
	After    string              `json:"escalate_after,omitempty"`
	// Undecided is what becomes of items that nobody decides: keep, revoke, escalate.
	Undecided string       `json:"undecided"`
	Counts    ReviewCounts `json:"counts"`
	// Waiting is how many items wait for this caller.
	Waiting int64  `json:"waiting"`
	Digest  string `json:"digest,omitempty"`
	Version int64  `json:"version"`
	// BulkKeeps is how many items may be kept at once.
	BulkKeeps int `json:"bulk_keeps"`
}

// ReviewScopeView is a scope with names.
type ReviewScopeView struct {
	Role       string     `json:"role,omitempty"`
	Target     string     `json:"target,omitempty"`
	Group      string     `json:"group,omitempty"`
	Manager    string     `json:"manager,omitempty"` // name
	People     []string   `json:"people,omitempty"`  // names, at most 20
	Risk       string     `json:"risk,omitempty"`
	Exceptions bool       `json:"exceptions,omitempty"`
	MovedSince *time.Time `json:"moved_since,omitempty"`
	Unused     string     `json:"unused,omitempty"`
	Orphans    bool       `json:"orphans,omitempty"`
}

// ReviewStageView is one round.
type ReviewStageView struct {
	Reviewers []string   `json:"reviewers"`
	Within    string     `json:"within"`
	Opened    *time.Time `json:"opened,omitempty"`
	Closed    *time.Time `json:"closed,omitempty"`
}

// ReviewCounts are kept as items change, never counted.
type ReviewCounts struct {
	Items     int64 `json:"items"`
	Pending   int64 `json:"pending"`
	Decided   int64 `json:"decided"` // in a stage that is not the last
	Kept      int64 `json:"kept"`
	Ending    int64 `json:"ending"`
	Revoking  int64 `json:"revoking"`
	Evaluated int64 `json:"evaluated"`
	Revoked   int64 `json:"revoked"`
	Gone      int64 `json:"gone"`
	Undecided int64 `json:"undecided"`
	// Nobody is how many pending items have nobody who could decide.
	Nobody int64 `json:"nobody"`
}

// ReviewItemView is an item as it is shown to somebody.
type ReviewItemView struct {
	model.ReviewItem
	WaitsFor []string `json:"waits_for,omitempty"` // names, and role:NAME
	// Mine says that the caller can decide it now; WhyNot why they cannot.
	Mine     bool   `json:"mine"`
	WhyNot   string `json:"why_not,omitempty"`
	DeputyOf string `json:"deputy_of,omitempty"` // name of in whose place the caller decides
	ShownYet bool   `json:"seen"`                // the caller has had it before them
	// ReviewName and Due are those of the campaign.
	ReviewName string    `json:"review_name"`
	Due        time.Time `json:"due"`
}

// ReviewPace is how one reviewer decided.
type ReviewPace struct {
	Reviewer string    `json:"reviewer"` // name
	Person   string    `json:"person,omitempty"`
	Decided  int64     `json:"decided"`
	Keep     int64     `json:"keep"`
	Revoke   int64     `json:"revoke"`
	Until    int64     `json:"until"`
	Bulk     int64     `json:"bulk"`
	Against  int64     `json:"against"` // the recommendation
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	// Fastest is the longest run of decisions without a pause: so many in so many seconds.
	Fastest        int64   `json:"fastest"`
	FastestSeconds float64 `json:"fastest_seconds"`
	// Flag says in words what an auditor should look at; empty: nothing.
	Flag string `json:"flag,omitempty"`
}

// ReviewWaiting is how much waits for whom.
type ReviewWaiting struct {
	Who  string `json:"who"`  // identity, or role:NAME; empty: nobody can be asked
	Name string `json:"name"` // for people
	N    int64  `json:"items"`
}

// ReviewReport is the evidence of a campaign, closed or on its way.
type ReviewReport struct {
	Review    ReviewView      `json:"review"`
	At        time.Time       `json:"at"`
	Reviewers []ReviewPace    `json:"reviewers"`
	Waiting   []ReviewWaiting `json:"waiting"` // at most 100
	// Open are revocations that are not seen to be done, at most 100; Revoked is how
	// many are, and how long that took.
	Open      []ReviewItemView `json:"open"`
	Undecided []ReviewItemView `json:"undecided"` // at most 100
	// SlowestSeconds and MeanSeconds are from the decision to the verification.
	MeanSeconds    float64  `json:"mean_seconds,omitempty"`
	SlowestSeconds float64  `json:"slowest_seconds,omitempty"`
	Flags          []string `json:"flags"`
	Digest         string   `json:"digest,omitempty"`
}

// ReviewBulkResult says what became of a decision about many.
type ReviewBulkResult struct {
	Decided int      `json:"decided"`
	Left    int      `json:"left"` // that the filter finds and this call did not reach; at most 1000 are counted
	IDs     []string `json:"ids"`
	Failed  []string `json:"failed,omitempty"` // id: why
}

// ExclusionView is an exclusion with names.
type ExclusionView struct {
	model.Exclusion
	Person  string `json:"person"`
	InForce bool   `json:"in_force"`
}

// ReviewEstimate is how much a campaign would look at.
type ReviewEstimate struct {
	Items int64  `json:"items"`
	More  bool   `json:"more,omitempty"` // there are more, counting stopped
	About string `json:"about"`
}
