package scim

import "errors"

// Stubs: every function here is to be moved to the file that fits and written for real.

var errTodo = errors.New("todo")

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
