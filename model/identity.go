// Package model holds the nouns of the hub: identity, grant, account, change,
// plan, target. It decides what they mean and how they follow from each other; it
// knows no database, no HTTP and no rule engine, and does no I/O.
package model

import "time"

// Stage is where a person stands in their time with the organisation. It is
// derived from facts and dates, never set.
type Stage string

// The stages.
const (
	Prehire Stage = "prehire" // known, start date in the future
	Active  Stage = "active"
	Leave   Stage = "leave"  // away for a while, expected back
	Leaver  Stage = "leaver" // end date reached, made inactive, or deleted at the source
	Purged  Stage = "purged" // personal data erased
)

// Identity is one person: the merged record of all resources that describe
// them. User holds SCIM User attributes as in scim.Resource.Attrs.
type Identity struct {
	ID       string
	User     map[string]any
	Origin   map[string]string // attribute (or extension URN) -> source it came from
	Groups   []Membership      // groups of sources that list this person, sorted
	Links    []Link            // the resources merged; none left means deleted at the source
	StartsAt *time.Time
	EndsAt   *time.Time
	ErasedAt *time.Time
	LeftAt   *time.Time // when the hub first saw the person as a leaver; nil if not
	Version  int64

	LeaveFrom  *time.Time // first moment of a leave of absence; nil: none
	LeaveUntil *time.Time // first moment back; nil: open end
	OnLeave    bool       // the leave rule matches, whatever the dates say
	MergedInto string     // identity that this one turned out to be
}

// Link ties a resource of a source to an identity.
type Link struct {
	Source     string
	ResourceID string
	UserName   string
	ExternalID string
	ModifiedAt time.Time
}

// Membership is one group of one source that the person is a member of.
type Membership struct {
	Source     string
	GroupID    string
	Display    string
	ExternalID string `json:",omitempty"`
	// Via are the names of the groups on the way from the one that lists the person to
	// this one, both of them included; nil where this one lists the person itself.
	Via []string `json:",omitempty"`
}

// Name is what people call the identity in lists and messages: userName, or the id.
func (i Identity) Name() string {
	if n, ok := i.User["userName"].(string); ok && n != "" {
		return n
	}
	return i.ID
}

// Enabled is the source's own word: attribute active, true where it is absent.
func (i Identity) Enabled() bool {
	a, ok := i.User["active"].(bool)
	return !ok || a
}

// Stage derives the stage at a moment from facts and dates alone.
//
//	facts                                        stage
//	---------------------------------------------------
//	erased                                       purged
//	no resource left, or end date reached        leaver
//	start date in the future                     prehire
//	leave rule matches, or within leave dates    leave
//	active is false                              leaver
//	otherwise                                    active
//
// An end date is the first moment of no access; a start date the first of access.
// A prehire is usually pushed with active false: the start date wins until it is
// reached, then active decides.
func (i Identity) Stage(now time.Time) Stage {
	switch {
	case i.ErasedAt != nil:
		return Purged
	case len(i.Links) == 0, i.EndsAt != nil && !now.Before(*i.EndsAt):
		return Leaver
	case i.StartsAt != nil && now.Before(*i.StartsAt):
		return Prehire
	case i.OnLeave, i.LeaveFrom != nil && !now.Before(*i.LeaveFrom) && (i.LeaveUntil == nil || now.Before(*i.LeaveUntil)):
		return Leave
	case !i.Enabled():
		return Leaver
	}
	return Active
}

// NextChange is the next moment after now at which the stage may change by
// itself, zero if there is none.
func (i Identity) NextChange(now time.Time) time.Time {
	var next time.Time
	for _, t := range []*time.Time{i.StartsAt, i.EndsAt, i.LeaveFrom, i.LeaveUntil} {
		if t != nil && t.After(now) && (next.IsZero() || t.Before(next)) {
			next = *t
		}
	}
	return next
}
