package scim

import "errors"

// Stubs: every function here is to be moved to the file that fits and written for real.

var errTodo = errors.New("todo")

// Fields selects what a response shows.
type Fields struct {
	Include []Path // attributes=
	Exclude []Path // excludedAttributes=
}

func ParseFields(attributes, excluded string) (Fields, error) { return Fields{}, errTodo }

// Wants reports whether the (top-level) attribute would be returned, so that a backend can skip loading it.
func (f Fields) Wants(attr string) bool { return true }

// Render is the JSON object a client sees: projection applied, id, schemas, meta with location = base+endpoint+"/"+id added, $ref of members and groups filled in.
func (t *ResourceType) Render(r Resource, base string, f Fields) map[string]any { return nil }


type Patch []Operation

type Operation struct {
	Op    string // add, remove, replace
	Path  *Path
	Value any
}

func ParsePatch(body []byte, t *ResourceType, d Dialect) (Patch, error) { return nil, errTodo }

// Apply returns the changed resource; changed is false when nothing differs.
func (c Change) Apply(t *ResourceType, r Resource) (out Resource, changed bool, err error) {
	return r, false, errTodo
}

// MemberScope tells which values of "members" the change can touch: whole means it may need or replace all of them.
func (c Change) MemberScope() (values []string, whole bool) { return nil, true }
