package model

import "slices"

// Profile is what one application is known to do and to refuse over SCIM: data, so
// that a new application needs a file and no code. Files in fanout/profiles hold what
// differs from the generic profile; a target's configuration may state any field anew
// under its name here. The tags are the names; `oneof` lists the words a text may be,
// `min` and `max` bound a number. docs/profiles.md says more about each.
type Profile struct {
	Name        string `json:"-"`
	Description string `json:"description,omitempty"` // the product, and what to know before using it

	// Reaching it.
	BasePath          string            `json:"base_path_style"`                                             // appended to the configured URL: "" or "/scim/v2"
	Discovery         ProfileDiscovery  `json:"discovery_paths"`                                             // where the application describes itself
	UserAgentRequired bool              `json:"user_agent_required"`                                         // refuses requests without User-Agent (one is always sent)
	UserAgent         string            `json:"user_agent"`                                                  // instead of scimhub/<version>
	ContentType       string            `json:"content_type" oneof:"application/scim+json,application/json"` // of what is sent
	Credential        ProfileCredential `json:"credential"`                                                  // what kind it wants, and how long it lives
	ResourceTypes     []string          `json:"resource_types"`                                              // User, Group; a type that is not here is never asked for

	// Reading.
	Filters         ProfileFilters `json:"supported_filters"`
	BadFilter       string         `json:"unsupported_filter_behaviour" oneof:"refuse,empty,ignore"` // 400; 200 and nobody; 200 and everybody
	Pagination      string         `json:"pagination" oneof:"index,cursor,none"`
	PageMax         int            `json:"page_max" min:"1" max:"10000"`              // resources asked for in a page
	ListTrustworthy bool           `json:"list_trustworthy"`                          // an unfiltered list shows everybody
	MembersReadable bool           `json:"members_readable"`                          // GET of a group shows its members
	UserNameFolds   bool           `json:"user_name_folds"`                           // shows user names in lower case whatever was written
	ETag            bool           `json:"etag"`                                      // has versions and heeds If-Match
	EchoesBody      bool           `json:"echoes_body"`                               // a write answers with the resource
	EventualSeconds int            `json:"eventual_consistency_s" min:"0" max:"3600"` // so late reads may show the state before a write

	// Recognising accounts.
	MatchKeys        []string        `json:"match_keys"`         // attributes that identify an account here, best first; "*": any
	StoresExternalID bool            `json:"stores_external_id"` // externalId is kept and shown
	UniqueScope      []string        `json:"unique_scope"`       // attributes no two accounts share
	Conflict         ProfileConflict `json:"conflict"`           // how "exists already" is answered

	// Writing.
	Patch            ProfilePatch         `json:"patch"`
	Put              ProfilePut           `json:"put"`
	SendUnknown      bool                 `json:"send_unknown_attrs"` // ignores what it does not know; false: KnownAttrs is all that may be sent
	KnownAttrs       []string             `json:"known_attrs"`        // what may be sent where SendUnknown is false
	Drops            []string             `json:"drops"`              // attributes it refuses or forgets: never sent
	SingleValued     bool                 `json:"single_valued"`      // multi-valued attributes take one element
	Limits           map[string]AttrLimit `json:"attr_limits"`        // by attribute path
	Rename           ProfileRename        `json:"rename"`
	References       []string             `json:"references"`                              // attributes that hold the id of another account there, such as the manager
	GroupReplaceAll  bool                 `json:"group_replace_all"`                       // takes a whole member list in place of the old one
	MemberShape      string               `json:"member_value_shape" oneof:"plain,nested"` // [{value}], or {members:[{value}]} in an operation without path
	CreateMembersMax int                  `json:"create_with_members_max" min:"0"`         // members a new group may be made with; 0: groups are made empty

	// Taking away.
	Delete             string         `json:"delete" oneof:"hard,disable,forbidden,irreversible"`    // what DELETE of a user does; see the constants
	DeleteGroup        string         `json:"delete_group" oneof:"hard,forbidden,irreversible"`      // of a group
	Disable            string         `json:"disable" oneof:"active,delete,forbidden"`               // how an account is switched off
	DisableDestroys    string         `json:"disable_destroys"`                                      // what is lost for good when an account is switched off, in words; empty: nothing
	DisablePendingUser string         `json:"disable_pending_user" oneof:"disables,deletes,refuses"` // an account whose invitation is open
	Pending            string         `json:"pending" form:"filter"`                                 // SCIM filter that tells such accounts; empty: they cannot be told
	UpdateWhenInactive string         `json:"update_when_inactive" oneof:"yes,no,with_reactivation"` // may a disabled account be changed
	PartOnDisable      bool           `json:"part_on_disable"`                                       // disabled accounts lose their memberships
	Restore            ProfileRestore `json:"restore"`
	Transfer           string         `json:"ownership_transfer" oneof:"none,api,manual"` // what a person owns here and how it is handed on

	// Pace.
	Rate            ProfileRate      `json:"rate"`
	ThrottleSignals []ThrottleSignal `json:"throttle_signals"`              // answers that mean 429
	Concurrency     int              `json:"concurrency" min:"1" max:"256"` // most requests at once

	// Hints turn what the application says into what a person should do: the key is
	// part of an error's text, compared without case.
	Hints map[string]string `json:"hints,omitempty"`
}

// ProfileDiscovery is where an application describes itself; empty: nowhere.
type ProfileDiscovery struct {
	ServiceProviderConfig string `json:"service_provider_config"`
	ResourceTypes         string `json:"resource_types"`
	Schemas               string `json:"schemas"`
}

// ProfileCredential is what is known of an application's credentials.
type ProfileCredential struct {
	Types    []string `json:"types"`             // bearer, basic, oauth2, header, mtls
	LifeDays int      `json:"life_days" min:"0"` // 0: no known end
	Owned    bool     `json:"owned"`             // dies with the account of the person who made it
}

// ProfileFilters is what list filters an application knows.
type ProfileFilters struct {
	Users    []string `json:"users"`  // attributes; "*": any
	Groups   []string `json:"groups"` // attributes; "*": any
	Ops      []string `json:"ops"`    // eq, sw, …; "*": any
	Compound string   `json:"compound" oneof:"none,and,any"`
	MaxTerms int      `json:"max_terms" min:"0"` // 0: no limit
}

// ProfileConflict is how "exists already" is answered beside 409.
type ProfileConflict struct {
	Status   []int    `json:"status"`
	ScimType string   `json:"scim_type"`
	Texts    []string `json:"texts"` // parts of the answer that say so, whatever its status
}

// ProfilePatch is how an application reads PATCH.
type ProfilePatch struct {
	Supported        bool   `json:"supported"`
	WithoutPath      string `json:"without_path" oneof:"never,allowed,required"` // one operation that holds attributes as an object
	OpCase           string `json:"op_case" oneof:"lower,capital"`
	BoolAsString     bool   `json:"bool_as_string"`
	RemoveMembers    string `json:"remove_members" oneof:"filter,list"` // members[value eq "…"], or path members with a list
	RepeatsMembers   bool   `json:"repeats_members"`                    // adding a member who is there shows them twice: the hub looks first
	MaxOps           int    `json:"max_ops" min:"0"`                    // operations in a request; 0: no limit
	MaxMemberChanges int    `json:"max_member_changes" min:"1"`         // memberships in a request
	MaxBody          int    `json:"max_body" min:"0"`                   // bytes; 0: no limit
}

// ProfilePut is how an application reads PUT.
type ProfilePut struct {
	Supported     bool `json:"supported"`
	ClearsMissing bool `json:"clears_missing"` // what is left out is emptied
}

// AttrLimit bounds one attribute.
type AttrLimit struct {
	Len      int    `json:"len" min:"0"`   // characters; 0: no limit
	Charset  string `json:"charset"`       // characters that are refused
	Required bool   `json:"required"`      // an account needs it
	Multi    int    `json:"multi" min:"0"` // elements; 0: no limit
	Fixed    bool   `json:"fixed"`         // set when the account is made, never changed
}

// ProfileRename says what may change its name.
type ProfileRename struct {
	User  bool `json:"user"`  // userName
	Group bool `json:"group"` // displayName; false: a new group is made and members moved
	Email bool `json:"email"`
}

// ProfileRestore is how somebody who comes back gets the account back.
type ProfileRestore struct {
	SameID     bool `json:"same_id"`             // a deleted account comes back under its id
	WindowDays int  `json:"window_days" min:"0"` // of a deletion that can be undone; 0: it cannot
}

// ProfileRate is the pace an application allows.
type ProfileRate struct {
	Buckets []Bucket `json:"buckets"`
}

// Bucket is a limit on some kinds of requests: Requests in PerSeconds, of which Burst
// may come at once. Where it counts members, each membership that a request adds is one.
type Bucket struct {
	// Kinds are user.get, user.list, user.create, user.update, user.delete and the
	// same of group; "*.get" and "user.*" and "*" stand for several.
	Kinds      []string `json:"kinds"`
	Requests   int      `json:"requests" min:"1"`
	PerSeconds int      `json:"per_s" min:"1"`
	Burst      int      `json:"burst" min:"0"`                     // 0: a tenth of Requests
	OverBody   int      `json:"over_body" min:"0"`                 // counts only requests with a body of more bytes
	Counts     string   `json:"counts" oneof:"requests,members"`   // what uses it up; empty: requests
	Scope      string   `json:"scope" oneof:"target,organisation"` // who shares it; empty: target
}

// ThrottleSignal is an answer that means "too many requests".
type ThrottleSignal struct {
	Status int    `json:"status"`
	Text   string `json:"text"` // part of the body; empty: the status alone says it
}

// What DELETE of a user does.
const (
	DeleteHard         = "hard"         // the account is gone; it can be made anew
	DeleteDisables     = "disable"      // only deactivates
	DeleteForbidden    = "forbidden"    // refused: deactivate instead
	DeleteIrreversible = "irreversible" // destroys what cannot be made anew: a person approves each
)

// Has reports whether a type of resource exists at the application.
func (p Profile) Has(resourceType string) bool {
	return slices.Contains(p.ResourceTypes, resourceType)
}
