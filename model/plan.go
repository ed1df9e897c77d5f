package model

// Verb is what a change does.
type Verb string

// The verbs, in the order in which they are carried out.
const (
	Disable     Verb = "disable"      // set the account inactive
	Delete      Verb = "delete"       // remove the account
	Adopt       Verb = "adopt"        // take an account that exists under the hub's care
	Create      Verb = "create"       // make the account
	Update      Verb = "update"       // change owned attributes, reactivate
	Join        Verb = "join"         // add to a group (Group)
	Part        Verb = "part"         // remove from a group (Group)
	CreateGroup Verb = "create-group" // make the group (Group)
	Report      Verb = "report"       // no change, but something to say
)

// FieldDiff is one attribute that differs; nil is unassigned.
type FieldDiff struct {
	Path   string `json:"path"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// Change is one thing to do at a target. It is a value: computed without I/O,
// printed, approved by digest and executed as it is.
type Change struct {
	Verb     Verb        `json:"verb"`
	Identity string      `json:"identity,omitempty"`
	UserName string      `json:"userName,omitempty"`
	RemoteID string      `json:"remoteId,omitempty"`
	Group    string      `json:"group,omitempty"`
	Before   *Account    `json:"before,omitempty"`
	After    *Account    `json:"after,omitempty"`
	Fields   []FieldDiff `json:"fields,omitempty"`
	Because  []string    `json:"because,omitempty"` // in words
	Urgent   bool        `json:"urgent,omitempty"`  // a leaver
	Held     string      `json:"held,omitempty"`    // why it is not carried out; empty: it may be

	// Undo says whether it can be taken back once it is done: UndoFreely, "reversible
	// for 30d", or UndoNever.
	Undo     string `json:"undo,omitempty"`
	Loses    string `json:"loses,omitempty"`     // what is lost with it, in words
	ByPerson bool   `json:"by_person,omitempty"` // a task for a person: the hub cannot do it there
}

// What Change.Undo says of changes that can be taken back at any time, and of those
// that never can.
const (
	UndoFreely = "reversible"
	UndoNever  = "irreversible"
)

// Removes reports whether the change takes access away; these are what a guard
// counts. Taking over an account may switch it off.
func (c Change) Removes() bool {
	off := c.Verb == Adopt && c.Before != nil && c.After != nil && c.Before.Active && !c.After.Active
	return c.Verb == Disable || c.Verb == Delete || c.Verb == Part || off
}

// Plan is the ordered changes that would take a target from what it holds to
// what it should hold. Equal input gives an equal plan.
type Plan struct {
	Target  string   `json:"target"`
	Changes []Change `json:"changes"`
}
