package model

// The verbs about groups themselves; their changes have a Group and no Identity.
const (
	AdoptGroup  Verb = "adopt-group"  // take a group that exists under the hub's care
	RenameGroup Verb = "rename-group" // give it the name that is wanted
	DeleteGroup Verb = "delete-group" // remove it, empty and made by the hub
)
