package admin

import (
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// PersonView is everything that is known of one person, for one page.
type PersonView struct {
	ID         string      `json:"id"`
	UserName   string      `json:"userName"`
	Name       string      `json:"name,omitempty"` // to show; empty: none is known
	Email      string      `json:"email,omitempty"`
	Title      string      `json:"title,omitempty"`
	Department string      `json:"department,omitempty"`
	Stage      model.Stage `json:"stage"`
	Waiting    bool        `json:"waiting"` // something has changed that was not evaluated yet
	Dates      PersonDates `json:"dates"`
	ErasedAt   *time.Time  `json:"erased_at,omitempty"`
	MergedFrom []string    `json:"merged_from,omitempty"` // identities that turned out to be this one
	Manager    *PersonRef  `json:"manager,omitempty"`
	Reports    int         `json:"reports,omitempty"` // people whose manager this is, at most maxGlance

	Facts     []FactView         `json:"facts"`     // the merged record, by path
	Resources []ResourceView     `json:"resources"` // what describes the person, by source
	Groups    []model.Membership `json:"groups"`    // of the sources

	Roles      []RoleHeld            `json:"roles"`
	Requests   []hub.RequestView     `json:"requests"` // of which something may still become
	Exceptions []ExceptionView       `json:"exceptions"`
	Accounts   []PersonAccount       `json:"accounts"`
	Findings   []model.Finding       `json:"findings"`
	Tasks      []hub.TaskView        `json:"tasks"` // open ones
	Reviews    []PersonReview        `json:"reviews"`
	Leaver     *LeaverView           `json:"leaver,omitempty"` // the newest run
	Timeline   []store.TimelineEvent `json:"timeline"`         // the last twenty, the newest first
}

// PersonDates are the moments of a person's life with the organisation.
type PersonDates struct {
	Starts     *time.Time `json:"starts,omitempty"`
	Ends       *time.Time `json:"ends,omitempty"` // first moment of no access
	LeaveFrom  *time.Time `json:"leave_from,omitempty"`
	LeaveUntil *time.Time `json:"leave_until,omitempty"`
	LeftAt     *time.Time `json:"left_at,omitempty"`
	Next       *time.Time `json:"next_change,omitempty"` // when time alone may change something
	Held       bool       `json:"held,omitempty"`        // left beyond the guard of the source
	Created    time.Time  `json:"created"`
	Evaluated  *time.Time `json:"evaluated,omitempty"`
}

// FactView is one attribute of the merged record, where it comes from and who else says
// what.
type FactView struct {
	Path      string       `json:"path"`
	Value     any          `json:"value"`
	Source    string       `json:"source"`              // that it was taken from
	Authority []string     `json:"authority,omitempty"` // the sources that may say it, the first counts most
	Others    []model.Said `json:"others,omitempty"`    // where resources say different things: what all say
}

// ResourceView is one resource that describes a person.
type ResourceView struct {
	Source     string    `json:"source"`
	ResourceID string    `json:"resource_id"`
	UserName   string    `json:"userName,omitempty"`
	ExternalID string    `json:"externalId,omitempty"`
	Active     *bool     `json:"active,omitempty"`
	Modified   time.Time `json:"modified"`
}

// RoleHeld is a role that a person holds now, and why.
type RoleHeld struct {
	Role       string           `json:"role"`
	Because    []BecauseView    `json:"because"`
	ApprovedBy string           `json:"approved_by,omitempty"`
	From       time.Time        `json:"from"`
	Until      *time.Time       `json:"until,omitempty"`
	HandOver   bool             `json:"hand_over,omitempty"`
	NextReview *time.Time       `json:"next_review,omitempty"`
	Request    *AskedView       `json:"request,omitempty"`
	Exception  *model.Exception `json:"exception,omitempty"`
}

// PersonAccount is a person's account at one target.
type PersonAccount struct {
	AccountAt
	Groups      []string `json:"groups,omitempty"` // that are due
	Leaver      bool     `json:"leaver,omitempty"` // access is being taken away because the person left
	Attempts    int      `json:"attempts,omitempty"`
	Differences []string `json:"differences,omitempty"` // between what should be, what was written and what was seen, in words
}

// PersonReview is an open question of a review about a person.
type PersonReview struct {
	Review   string     `json:"review"` // id of the campaign
	Item     string     `json:"item"`
	Name     string     `json:"name,omitempty"` // of the campaign
	Role     string     `json:"role,omitempty"`
	Target   string     `json:"target,omitempty"`
	Group    string     `json:"group,omitempty"`
	Reviewer string     `json:"reviewer,omitempty"`
	Due      *time.Time `json:"due,omitempty"`
}
