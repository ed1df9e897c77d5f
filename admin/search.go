package admin

import "github.com/scimhub/scimhub/model"

// SearchHit is one person that a search found.
type SearchHit struct {
	ID         string      `json:"id"`
	UserName   string      `json:"userName"`
	Name       string      `json:"name,omitempty"`
	Email      string      `json:"email,omitempty"`
	Department string      `json:"department,omitempty"`
	Stage      model.Stage `json:"stage"`
	Matched    string      `json:"matched,omitempty"` // the folded word or value that was found
}

// SearchThing is a target, role or group that a search found.
type SearchThing struct {
	Name   string `json:"name"`
	Target string `json:"target,omitempty"` // of a group at a target
	Source string `json:"source,omitempty"` // of a group of a source
}

// SearchAnswer is what a search found: people page by page, and of the rest the first few.
type SearchAnswer struct {
	Items   []SearchHit   `json:"items"`
	Next    string        `json:"next,omitempty"`
	Targets []SearchThing `json:"targets"` // on the first page alone, as roles and groups
	Roles   []SearchThing `json:"roles"`
	Groups  []SearchThing `json:"groups"`
	// Indexing is how many people are not in the index yet, after an upgrade: they are
	// found by the beginning of their user name alone.
	Indexing int `json:"indexing,omitempty"`
}
