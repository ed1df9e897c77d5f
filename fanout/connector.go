package fanout

import (
	"context"
	"iter"

	"github.com/scimhub/scimhub/model"
)

// RemoteUser is an account as the target shows it.
type RemoteUser struct {
	ID       string
	UserName string
	Active   bool           // true where the target shows none
	Attrs    map[string]any // the whole resource as it came; nil where only the id is known
}

// UserPage is a page of the list of accounts.
type UserPage struct {
	Users []RemoteUser
	Next  string // where the list goes on; empty: it ends here
}

// RemoteGroup is a group as the target shows it.
type RemoteGroup struct {
	ID      string
	Name    string
	Members []string // ids, in the target's order; only from Group
}

// Connector does things at one target. Every error is or wraps a *ClientError.
// No method retries. A Connector is safe for concurrent use.
type Connector interface {
	// Lookup finds the one account whose attribute has the value; found is false
	// where there is none. Two or more are a Conflict.
	Lookup(ctx context.Context, attr, value string) (u RemoteUser, found bool, err error)
	// Get reads one account; Missing where it is not there.
	Get(ctx context.Context, id string) (RemoteUser, error)
	// List streams all accounts. An error ends it, and says that the list is
	// incomplete; a list that ends without one was read to its end.
	List(ctx context.Context) iter.Seq2[RemoteUser, error]
	// ListFrom streams the pages of that list from a place that Next of an earlier
	// page named; "" is the beginning. Where the target's list changed meanwhile some
	// accounts may be left out or come twice.
	ListFrom(ctx context.Context, place string) iter.Seq2[UserPage, error]
	// Total is the number of accounts there, from the shortest list possible.
	Total(ctx context.Context) (int, error)
	// Create makes an account. Groups are not part of it. Conflict where it exists.
	Create(ctx context.Context, a model.Account) (RemoteUser, error)
	// Update writes what differs between before and after and nothing else. The
	// answer is nil where the target shows none.
	Update(ctx context.Context, id string, before, after model.Account) (*RemoteUser, error)
	// SetActive writes active alone.
	SetActive(ctx context.Context, id string, active bool) (*RemoteUser, error)
	// Delete removes the account; Missing where it is not there.
	Delete(ctx context.Context, id string) error

	// FindGroup finds a group by its display name, without members.
	FindGroup(ctx context.Context, name string) (g RemoteGroup, found bool, err error)
	// Group reads a group with its members.
	Group(ctx context.Context, id string) (RemoteGroup, error)
	// CreateGroup makes an empty group.
	CreateGroup(ctx context.Context, name string) (RemoteGroup, error)
	// ListGroups streams all groups without their members; it ends as List does.
	ListGroups(ctx context.Context) iter.Seq2[RemoteGroup, error]
	// Members streams the ids of a group's members. An error ends it, and says that
	// they are not all; Unreadable where the application never shows them.
	Members(ctx context.Context, groupID string) iter.Seq2[string, error]
	// RenameGroup gives a group another display name; Invalid where the profile says
	// that groups keep their names.
	RenameGroup(ctx context.Context, id, name string) error
	// DeleteGroup removes a group; Missing where it is not there.
	DeleteGroup(ctx context.Context, id string) error
	// PatchMembers adds and removes members by id; at most the profile's
	// MaxMemberChanges of both together. Adding one who is there and removing one who
	// is not succeeds.
	PatchMembers(ctx context.Context, groupID string, add, remove []string) error
}
