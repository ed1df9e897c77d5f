package app

import (
	"fmt"
	"strings"
)

// Profile is how an application deviates from plain SCIM, as data. The zero value
// deviates in nothing.
type Profile struct {
	Name        string
	Description string
	Dialect     string // name of the scim.Dialect; "" means rfc

	// Reading.
	PageMax            int  // most resources in a page; 0 means the server's default
	NoMembersInGet     bool // groups are shown without their members
	EqualityOnly       bool // filters: only eq, joined by and
	UserNameFilterOnly bool // users can be found by userName eq only

	Plain bool // no bulk requests, no sorting, no pages by cursor

	// Writing.
	NoPatch             bool
	PatchStatus204      bool     // PATCH answers without a body
	OneAttributePerOp   bool     // PATCH without path may name one attribute only
	MaxMembersPerPatch  int      // most members named in one request; 0 means any number
	NoMembersReplace    bool     // members can be added and removed by name only
	NoGroupRename       bool     // a group keeps its displayName
	NoDelete            bool     // users cannot be deleted
	DeleteDeactivates   bool     // DELETE of a user sets active to false
	SingleValues        bool     // a multi-valued attribute of a user takes one value
	Required            []string // what a user needs beyond userName: attribute or attribute.sub
	UserNameMax         int      // characters; 0 means any number
	UniqueGroupNames    bool
	RequireUserAgent    bool // requests without User-Agent are refused
	UserWritesPerMinute int  // for each of create, change and delete; 0 means no limit
	UserWriteBurst      int
}

// profiles are the known applications. What they do is taken from their vendors'
// documentation; where that says nothing they behave like generic.
func profiles() []Profile {
	return []Profile{
		{Name: "generic", Description: "plain SCIM 2.0"},
		{
			Name: "aws", Description: "AWS IAM Identity Center",
			Plain: true, PageMax: 50, NoMembersInGet: true, EqualityOnly: true,
			OneAttributePerOp: true, MaxMembersPerPatch: 100, NoMembersReplace: true,
			SingleValues: true, Required: []string{"displayName", "name.givenName", "name.familyName"},
			UniqueGroupNames: true, RequireUserAgent: true,
		},
		{
			Name: "github", Description: "GitHub Enterprise Managed Users",
			Plain: true, RequireUserAgent: true, UniqueGroupNames: true, Required: []string{"externalId"},
		},
		{
			Name: "slack", Description: "Slack",
			Plain: true, DeleteDeactivates: true, UserNameMax: 21,
			UserWritesPerMinute: 180, UserWriteBurst: 20,
		},
	}
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
