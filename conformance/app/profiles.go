package app

import (
	"net/http"
	"time"
)

// profiles are the known applications. What they do is taken from their vendors'
// documentation; where that says nothing they are as strict as a careful client has
// to expect.
func profiles() []Profile {
	return append(developers(), offices()...)
}

// byName is one comparison with a name: what every application surely knows.
func byName(p Profile, users ...string) Profile {
	p.UserFilters, p.GroupFilters, p.FilterOps, p.Compound = users, []string{"displayName"}, []string{"eq"}, "none"
	p.Plain = true
	return p
}

// developers are the plain one and those for people who build software.
func developers() []Profile {
	const aws = "\t\r\n<>;:%"
	minute := func(burst int, kinds ...string) Limit {
		return Limit{Kinds: kinds, Requests: 180, Per: time.Minute, Burst: burst}
	}
	return []Profile{
		{Name: "generic", Description: "plain SCIM 2.0"},
		{
			Name: "aws", Description: "AWS IAM Identity Center",
			Plain: true, PageMax: 50, NoMembersInGet: true, FilterOps: []string{"eq"}, Compound: "and",
			OneAttributePerOp: true, MaxMembersPerPatch: 100, NoMembersReplace: true, SingleValues: true,
			Required: []string{"displayName", "name.givenName", "name.familyName"},
			Refused:  []string{"password", "ims", "photos", "entitlements", "x509Certificates"},
			Texts: map[string]TextRule{
				"userName": {Refuse: aws}, "displayName": {Refuse: aws}, "name.givenName": {Refuse: aws}, "name.familyName": {Refuse: aws},
			},
			UniqueGroupNames: true, RequireUserAgent: true, GroupDeleteForever: true,
		},
		{
			Name: "github", Description: "GitHub Enterprise Managed Users",
			Plain: true, RequireUserAgent: true, UniqueGroupNames: true, Required: []string{"externalId"},
			UserFilters: []string{"userName", "externalId", "id"}, GroupFilters: []string{"displayName", "externalId", "id"},
			FilterOps: []string{"eq"}, Compound: "none", Obfuscates: true, KeepsExternalID: true, DeleteForever: true,
			Limits: []Limit{
				{Kinds: []string{"user.create"}, Requests: 1000, Per: time.Hour},
				{Kinds: []string{"group.update"}, Requests: 1000, Per: time.Hour, Members: true},
			},
		},
		{
			Name: "slack", Description: "Slack",
			Plain: true, DeleteDeactivates: true, GroupDeleteForever: true, UniqueEmails: true,
			UserFilters: []string{"userName", "emails"}, GroupFilters: []string{"displayName"}, FilterOps: []string{"eq"}, Compound: "none",
			Texts: map[string]TextRule{"userName": {Max: 20}, "displayName": {Refuse: "@"}},
			Limits: []Limit{
				{Kinds: []string{"*.create", "*.update", "*.delete"}, Requests: 600, Per: time.Minute, Burst: 180},
				{Kinds: []string{"*.get", "*.list"}, Requests: 1000, Per: time.Minute},
				minute(20, "user.create"), minute(20, "user.update"), minute(20, "user.delete"),
				{Kinds: []string{"user.get"}, Requests: 300, Per: time.Minute},
			},
		},
		byName(Profile{
			Name: "atlassian", Description: "Atlassian Cloud",
			NoGroupRename: true, UniqueGroupNames: true, UniqueEmails: true, VerifiedDomains: "all",
		}, "userName", "emails"),
		{
			Name: "databricks", Description: "Databricks",
			Plain: true, MaxFilterNodes: 200, DeleteDestroys: true, GroupDeleteForever: true, UniqueGroupNames: true,
			Parallel: 4, ParallelStatus: http.StatusInternalServerError, ParallelText: "REQUEST_LIMIT_EXCEEDED: too many requests at once",
		},
		{
			Name: "gitlab", Description: "GitLab.com", Plain: true, NoGroups: true, NoDiscovery: true, NoPut: true, PatchStatus204: true,
			UserFilters: []string{"userName", "externalId", "id"}, FilterOps: []string{"eq"}, Compound: "none", UniqueEmails: true, DeleteDestroys: true,
		},
		byName(Profile{
			Name: "launchdarkly", Description: "LaunchDarkly",
			GuardsOwner: true, FrozenWhenInactive: true, UniqueEmails: true, DeleteDestroys: true,
		}, "userName"),
		{
			Name: "snowflake", Description: "Snowflake", Plain: true, SyntheticList: true, EmptyOnBadFilter: true,
			UserFilters: []string{"userName"}, GroupFilters: []string{"displayName"}, FilterOps: []string{"eq", "sw"}, Compound: "none",
			DeleteDestroys: true, GroupDeleteForever: true, UniqueGroupNames: true,
			Parallel: 500, ParallelStatus: http.StatusTooManyRequests, ParallelText: "too many requests at once",
		},
	}
}

// offices are those for everybody.
func offices() []Profile {
	const window = 30 * time.Second
	return []Profile{
		{
			Name: "salesforce", Description: "Salesforce", Plain: true, PluralConfig: true, NoETag: true, PageMax: 200,
			UserFilters: []string{"userName", "externalId"}, GroupFilters: []string{"displayName"}, FilterOps: []string{"eq"}, Compound: "none",
			NestedMembers: true, NoDelete: true,
		},
		byName(Profile{
			Name: "zoom", Description: "Zoom", RequireAccept: true, Licences: 9999, DeleteDestroys: true,
		}, "userName"),
		{
			Name: "google-cloud-identity", Description: "Google Cloud Identity", Plain: true, CutList: 100, NoETag: true,
			UserFilters: []string{"userName", "externalId"}, GroupFilters: []string{"displayName", "externalId"},
			FilterOps: []string{"eq"}, Compound: "none", DeleteDestroys: true, GroupDeleteForever: true,
		},
		byName(Profile{
			Name: "dropbox", Description: "Dropbox", Invites: true, UniqueEmails: true, DeleteDestroys: true,
		}, "userName", "externalId"),
		byName(Profile{
			Name: "figma", Description: "Figma", EmailIsUserName: true, UniqueEmails: true, PartsOnDisable: true, DeleteDestroys: true,
			Texts:        map[string]TextRule{"userName": {Max: 100}, "displayName": {Max: 100}, "externalId": {Max: 255}},
			GroupNameMax: 255,
		}, "userName"),
		byName(Profile{
			Name: "notion", Description: "Notion", OwnedToken: true, VerifiedDomains: "names", UniqueEmails: true, DeleteDestroys: true,
		}, "userName", "emails"),
		byName(Profile{
			Name: "miro", Description: "Miro", UniqueEmails: true, DeleteDestroys: true, MaxMembersPerPatch: 8000, MaxGroupBody: 800_000,
			Limits: []Limit{
				{Kinds: []string{"user.get", "user.list", "user.create"}, Requests: 200, Per: window},
				{Kinds: []string{"user.update"}, Requests: 100, Per: window},
				{Kinds: []string{"user.delete"}, Requests: 20, Per: window},
				{Kinds: []string{"group.list"}, Requests: 5, Per: window},
				{Kinds: []string{"group.get"}, Requests: 20, Per: window},
				{Kinds: []string{"group.update"}, Requests: 100, Per: window},
				{Kinds: []string{"group.update"}, Requests: 5, Per: window, OverBody: 500},
			},
		}, "userName"),
		{
			Name: "entra", Description: "Microsoft Entra ID as a target", Plain: true, NoPut: true, PatchStatus204: true, NoETag: true,
			UserFilters: []string{"userName", "externalId"}, GroupFilters: []string{"displayName", "externalId"}, FilterOps: []string{"eq"}, Compound: "none",
			MaxMembersPerPatch: 20, NoMembersReplace: true, BinDays: 30, GroupDeleteForever: true,
			Limits: []Limit{{Kinds: []string{"*"}, Requests: 3000, Per: time.Minute}},
		},
	}
}
