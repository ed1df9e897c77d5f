package admin

import (
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// WhatIfAsk says what would be otherwise.
type WhatIfAsk struct {
	// Facts by path, as rules name them: name.familyName, urn:…:User:department. Null:
	// nobody says it any more. "groups" is the list of display names of source groups.
	Facts map[string]any `json:"facts,omitempty"`
	At    string         `json:"at,omitempty"` // a date, a time or a duration from now; empty: now
}

// WhatIfAnswer is what would follow. Nothing was written.
type WhatIfAnswer struct {
	Identity string           `json:"identity"`
	UserName string           `json:"userName"`
	At       time.Time        `json:"at"`
	Version  int64            `json:"config_version"`
	Before   model.Stage      `json:"before"` // stages
	After    model.Stage      `json:"after"`
	Gained   []hub.RoleEffect `json:"gained"`
	Lost     []hub.RoleEffect `json:"lost"`
	Targets  []WhatIfTarget   `json:"targets"`  // those where something would differ, by name
	Findings []string         `json:"findings"` // that are not there now
	Asks     []WhatIfAsked    `json:"asks"`     // requests that would be made
	Next     *time.Time       `json:"next_change,omitempty"`
}

// WhatIfTarget is what would differ at one target.
type WhatIfTarget struct {
	Target  string   `json:"target"`
	Account string   `json:"account"`          // would be: created, enabled, disabled, removed, changed
	Gained  []string `json:"gained,omitempty"` // groups
	Lost    []string `json:"lost,omitempty"`
	Changed []string `json:"changed,omitempty"` // attributes, with both values in words
}

// WhatIfAsked is a request that would be made, and who would be asked first.
type WhatIfAsked struct {
	Role      string   `json:"role"`
	Approvers []string `json:"approvers"`
}
