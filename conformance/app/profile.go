package app

import (
	"fmt"
	"strings"
	"time"
)

// Profile is how an application deviates from plain SCIM, as data. The zero value
// deviates in nothing.
type Profile struct {
	Name        string
	Description string
	Dialect     string // name of the scim.Dialect; "" means rfc

	// Reaching it.
	RequireUserAgent bool // requests without User-Agent are refused
	RequireAccept    bool // an Accept header must name application/scim+json
	NoGroups         bool // there are no groups
	NoDiscovery      bool // it does not describe itself
	PluralConfig     bool // describes itself at /ServiceProviderConfigs

	// Reading.
	PageMax          int      // most resources in a page; 0 means the server's default
	CutList          int      // a list shows so many and there is no way on; 0 means pages
	SyntheticList    bool     // an unfiltered list is one made-up resource
	NoMembersInGet   bool     // groups are shown without their members
	NoETag           bool     // resources have no versions
	UserFilters      []string // attributes by which users can be found; nil means any
	GroupFilters     []string // attributes by which groups can be found; nil means any
	FilterOps        []string // operators; nil means any
	Compound         string   // "" means any, "and" that alone, "none" one comparison
	MaxFilterNodes   int      // comparisons and their connections; 0 means no limit
	EmptyOnBadFilter bool     // a filter that is not known answers 200 with nobody

	Plain bool // no bulk requests, no sorting, no pages by cursor

	// Writing.
	NoPatch            bool
	NoPut              bool
	PatchStatus204     bool                // PATCH answers without a body
	OneAttributePerOp  bool                // PATCH without path may name one attribute only
	MaxMembersPerPatch int                 // most members named in one request; 0 means any number
	MaxGroupBody       int                 // bytes of a PATCH of a group; 0 means any number
	NoMembersReplace   bool                // members can be added and removed by name only
	NestedMembers      bool                // takes {"members": […]} as the value of the path members
	NoGroupRename      bool                // a group keeps its displayName
	SingleValues       bool                // a multi-valued attribute of a user takes one value
	Required           []string            // what a user needs beyond userName: attribute or attribute.sub
	Refused            []string            // attributes of users that are an error
	Texts              map[string]TextRule // by attribute or attribute.sub of a user
	GroupNameMax       int                 // characters of a displayName; 0 means any number
	UniqueGroupNames   bool
	UniqueEmails       bool   // one account for an e-mail address
	EmailIsUserName    bool   // the first e-mail address always is the userName
	VerifiedDomains    string // what only people of verified domains can have changed: "", "names" (names and e-mail addresses) or "all"
	Licences           int    // most users; 0 means any number

	// Taking away.
	NoDelete           bool // users cannot be deleted
	DeleteDeactivates  bool // DELETE of a user sets active to false
	DeleteDestroys     bool // DELETE takes along what the person owned
	DeleteForever      bool // nobody may ever use the person's userName or externalId again
	BinDays            int  // a deleted user who is created again within these days gets the old id
	GroupDeleteForever bool // a deleted group takes along what it was given
	Invites            bool // new users are invited until they accept; suspending them before deletes them
	Obfuscates         bool // e-mail addresses of a suspended user are made unreadable
	KeepsExternalID    bool // a suspended user comes back under the same externalId only
	PartsOnDisable     bool // a suspended user loses all memberships
	FrozenWhenInactive bool // a suspended user cannot be changed but by what brings them back
	OwnedToken         bool // the token dies with the account of its owner, see Options.Owner
	GuardsOwner        bool // the owner (Options.Owner) cannot be created, deactivated or given another role

	// Pace.
	Limits         []Limit
	Parallel       int    // most requests at once; 0 means any number
	ParallelStatus int    // of the refusal
	ParallelText   string // of the refusal
}

// TextRule bounds the text of an attribute.
type TextRule struct {
	Max    int    // characters; 0 means any number
	Refuse string // characters that are an error
}

// Limit is the pace of some kinds of requests: so many in a span of time, of which
// Burst may come at once; 0 means all of them.
type Limit struct {
	Kinds    []string // user.get, user.list, user.create, user.update, user.delete and the same of group; *.get, user.*, *
	Requests int
	Per      time.Duration
	Burst    int
	OverBody int  // counts only requests with a body of more bytes
	Members  bool // counts the members that are added, not the requests
}

// ProfileNamed returns the profile of an application; "" means generic. The error
// for an unknown name lists the known ones.
func ProfileNamed(name string) (Profile, error) {
	if name == "" {
		name = "generic"
	}
	for _, p := range profiles() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("there is no profile %q; known are %s", name, strings.Join(ProfileNames(), ", "))
}

// ProfileNames lists the known profiles.
func ProfileNames() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.Name)
	}
	return names
}
