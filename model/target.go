package model

import "time"

// Mode says how much the hub may do at a target.
type Mode string

// The modes, from least to most.
const (
	ModeObserve    Mode = "observe"     // plan only
	ModeCreateOnly Mode = "create-only" // create and adopt; no update, no removal
	ModeNoDelete   Mode = "no-delete"   // everything but delete; disable is allowed
	ModeEnforce    Mode = "enforce"
)

// Target is a downstream application as the configuration describes it.
type Target struct {
	Name    string
	URL     string
	Auth    Auth
	Profile string // name of the profile
	// Overrides state fields of the profile anew, as JSON would hold them; nil: none.
	Overrides map[string]any
	// Manual is how an application without an API is looked after: the plan becomes
	// tasks for a person. nil: over SCIM at URL.
	Manual  *Manual
	Mode    Mode
	Scope   string            // CEL; empty: everybody a role grants
	User    map[string]string // SCIM path at the target -> CEL; empty: the default mapping
	Match   []string          // attribute paths, in order; default externalId, userName
	Adopt   string            // auto, ask, never
	Mirror  []string          // SCIM filters over source groups
	Groups  GroupPolicy
	Leaver  LeaverPolicy
	Guard   Guard
	Rate    Rate
	Drift   DriftPolicy
	Protect []string // SCIM filters over accounts at the target

	Propagate bool // requests carry the trace (traceparent): the application is one's own
}

// Auth is how the hub shows itself to a target; one of the kinds is set, or none.
type Auth struct {
	Bearer  Secret
	Expires *time.Time // of the credential, whichever kind it is; nil: not known
	Owner   string     // userName or id of the person whose account at the target it belongs to; empty: nobody's
	Next    *NextAuth  // the second slot: takes over when it has shown itself good
	InUse   string     // SlotNext where that one has taken over; never of the configuration
	Basic   *BasicAuth
	OAuth2  *OAuth2
	Header  *HeaderAuth
	MTLS    *ClientCert
}

// The slots of a target's credentials.
const (
	SlotPresent = "present" // the one that stands directly below auth
	SlotNext    = "next"
)

// NextAuth is a credential of the same kind that is to replace the present one.
type NextAuth struct {
	Secret  Secret // bearer token, password, client secret or header value
	Expires *time.Time
	Owner   string
}

// Manual is how a person carries out the plan of an application without an API.
type Manual struct {
	Assignee string        // userName, id, role:NAME or manager; empty: operators
	Due      time.Duration // for each task; default 3 days
	DueLeave time.Duration // for tasks that take a leaver's access away; default 4 hours
	Proof    bool          // a task is done only with words of how it can be checked
}

// GroupPolicy says what may happen to groups at a target.
type GroupPolicy struct {
	Adopt  string // auto (default), ask, never: a group of that name that exists already
	Remove string // keep (default), empty, delete: a group that nothing grants any longer
	Nested string // flatten (default) or direct: members of groups within mirrored groups
}

// BasicAuth is HTTP Basic (RFC 7617).
type BasicAuth struct {
	User     string
	Password Secret
}

// OAuth2 is the client-credentials grant (RFC 6749 §4.4).
type OAuth2 struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
}

// HeaderAuth is a header of the target's own making.
type HeaderAuth struct {
	Name  string
	Value Secret
}

// ClientCert is a client certificate: paths of PEM files.
type ClientCert struct{ Cert, Key string }

// LeaverPolicy is what happens to an account that is no longer due.
type LeaverPolicy struct {
	First             string        // disable or delete
	Then              string        // "" or delete
	After             time.Duration // between First and Then
	Transfer          string        // "" or required: what the person owned is handed on before anything is deleted
	Successor         string        // who gets it: manager (default), userName or id
	Connector         *Connector    // does it through the application's API; nil: a task for a person
	Goal              time.Duration // from the fact received to access verified gone; default 5 minutes
	RemoveMemberships bool          // memberships: remove
}

// Connector is a request to an application's own API. {id}, {userName}, {successorId}
// and {successor} in URL and Body are replaced, escaped for where they stand.
type Connector struct {
	Method string // default POST
	URL    string
	Body   string // JSON; empty: none
}

// Guard limits removals in a sliding window: at most max(Floor, Percent of the
// population) in Window.
type Guard struct {
	Percent float64 // 0..100
	Floor   int
	Window  time.Duration
}

// Limit is the number of removals allowed in the window for a population.
func (g Guard) Limit(population int) int {
	return max(g.Floor, int(g.Percent*float64(population)/100))
}

// Span is how far back removals count: Window, an hour where it is not set.
func (g Guard) Span() time.Duration {
	if g.Window <= 0 {
		return time.Hour
	}
	return g.Window
}

// Rate limits calls to a target.
type Rate struct {
	PerSecond   float64 // 0: no limit
	Concurrency int     // 0: as the profile says
}

// DriftPolicy says how often a target is read in full and what happens to differences.
type DriftPolicy struct {
	Every   time.Duration // 0: only on request
	Changed string        // report, revert, adopt
	Missing string        // report, recreate
	Unknown string        // report, disable
	// Sightings are the sweeps in a row that must see a difference before anything
	// that takes away follows from it; default 2.
	Sightings int
}
