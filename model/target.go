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
	Mode    Mode
	Scope   string            // CEL; empty: everybody a role grants
	User    map[string]string // SCIM path at the target -> CEL; empty: the default mapping
	Match   []string          // attribute paths, in order; default externalId, userName
	Adopt   string            // auto, ask, never
	Mirror  []string          // SCIM filters over source groups
	Leaver  LeaverPolicy
	Guard   Guard
	Rate    Rate
	Drift   DriftPolicy
	Protect []string // SCIM filters over accounts at the target
}

// Auth is how the hub shows itself to a target; one of the kinds is set, or none.
type Auth struct {
	Bearer  Secret
	Expires *time.Time // of the bearer token
	Basic   *BasicAuth
	OAuth2  *OAuth2
	Header  *HeaderAuth
	MTLS    *ClientCert
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
	Transfer          string        // "" or required
	RemoveMemberships bool          // memberships: remove
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

// Rate limits calls to a target.
type Rate struct {
	PerSecond   float64 // 0: no limit
	Concurrency int
}

// DriftPolicy says how often a target is read in full and what happens to differences.
type DriftPolicy struct {
	Every   time.Duration // 0: only on request
	Changed string        // report, revert, adopt
	Missing string        // report, recreate
	Unknown string        // report, disable
}
