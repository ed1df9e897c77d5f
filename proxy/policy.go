package proxy

import (
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// The rights of a caller at one target.
const (
	MayRead    = "read"    // look at accounts and groups
	MayWrite   = "write"   // make and change what the hub does not look after
	MayRemove  = "remove"  // switch off and delete it
	MayManaged = "managed" // do so to what the hub looks after, too; it will find drift
)

// Rights lists the rights there are.
func Rights() []string { return []string{MayRead, MayWrite, MayRemove, MayManaged} }

// Caller is who asks, and what they may do at the target.
type Caller struct {
	Name string   // for the audit trail
	May  []string // rights
}

// RightsOf are the rights that come with a role of an operator.
func RightsOf(role string) []string {
	switch role {
	case "admin":
		return Rights()
	case "operator":
		return []string{MayRead, MayWrite, MayRemove}
	}
	return nil
}

// deed is what somebody wants to do.
type deed struct {
	verb      string // read, create, update, disable, delete, members (who join), part (who leave, too)
	kind      string // User, Group
	managed   bool   // the hub made or adopted it
	protected string // the filter that protects it
	removals  int    // at this target in the guard's window, this one included
	limit     int
	destroys  string // what switching off destroys for good there; empty: nothing
	owner     bool   // the hub's own credential ends with the account
}

// removes reports whether the deed takes access away.
func (d deed) removes() bool { return d.verb == "disable" || d.verb == "delete" || d.verb == "part" }

// permit is the whole policy of the proxy: nil where the caller may do it, else why
// not, in words. It is pure.
//
//	deed                                     needs
//	---------------------------------------------------------------------------
//	read                                     read
//	create, update, members                  write; mode beyond observe; update beyond create-only
//	disable, delete, part                    remove; mode enforce, but for delete no-delete
//	any of these to what the hub looks after managed, beside
//	any of these to a protected account      nobody
//	delete where it cannot be undone         nobody: a plan, and an approval of it
//	disable where that destroys the account  nobody: the same
//	disable, delete of who owns the hub's    nobody: it is rotated first
//	credential
//	a removal beyond the target's guard      nobody until the window has passed
func permit(c Caller, mode model.Mode, irreversible bool, d deed) error {
	need := MayWrite
	switch {
	case d.verb == "read":
		need = MayRead
	case d.removes():
		need = MayRemove
	}
	if !slices.Contains(c.May, need) {
		return refused("this token may not %s here: it lacks the right %q", d.verb, need)
	}
	if d.verb == "read" {
		return nil
	}
	switch {
	case d.protected != "":
		return refused("the account is protected (%s): nobody changes it through the hub", d.protected)
	case mode == model.ModeObserve,
		mode == model.ModeCreateOnly && d.verb != "create",
		mode == model.ModeNoDelete && d.verb == "delete":
		return refused("the target is in mode %s, which does not %s", mode, d.verb)
	case d.managed && !slices.Contains(c.May, MayManaged):
		return refused("the hub looks after this %s: change it at its source, or use a token with the right %q", d.kind, MayManaged)
	case d.verb == "delete" && irreversible:
		return refused("what is deleted at this application cannot be made anew: it is deleted by a plan that somebody approves, not through the proxy")
	case d.verb == "disable" && d.destroys != "":
		return refused("switching the account off would destroy %s: that is done by a plan that somebody approves, not through the proxy", d.destroys)
	case d.owner && (d.verb == "disable" || d.verb == "delete"):
		return refused("the account owns the credential that the hub uses here: rotate that first")
	case d.removes() && d.limit > 0 && d.removals > d.limit:
		return refused("removal %d of at most %d in the window of the target's guard", d.removals, d.limit)
	}
	return nil
}

func refused(format string, args ...any) error {
	return model.Fail(model.Forbidden, fmt.Sprintf(format, args...), nil)
}
