package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// The roles of operators.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleApprover = "approver"
	RoleAuditor  = "auditor"
	// RolePerson is the role of credentials that act for a person and are no operator's:
	// they ask, answer what that person is asked, and see nothing else.
	RolePerson = "person"
)

// right is what a route asks of who calls it.
type right string

const (
	rightRead       right = "read"       // see everything
	rightOperate    right = "operate"    // run the hub: sync, pause, link, run
	rightDecide     right = "decide"     // let through what a guard holds
	rightAdminister right = "administer" // configuration, tokens, erasure
	rightImport     right = "import"     // rows of people
	rightAsk        right = "ask"        // ask for roles, and answer what one is asked
	rightSeeOwn     right = "see-own"    // what concerns oneself; with read everything
	rightClose      right = "close"      // tasks: any, or one's own
)

// rights says who may do what.
var rights = map[right][]string{ //nolint:gochecknoglobals // read only
	rightRead:       {RoleAdmin, RoleOperator, RoleApprover, RoleAuditor},
	rightOperate:    {RoleAdmin, RoleOperator},
	rightDecide:     {RoleAdmin, RoleApprover},
	rightAdminister: {RoleAdmin},
	rightImport:     {RoleAdmin, RoleOperator, RoleApprover},
	rightAsk:        {RoleAdmin, RoleOperator, RoleApprover, RolePerson},
	rightSeeOwn:     {RoleAdmin, RoleOperator, RoleApprover, RoleAuditor, RolePerson},
	rightClose:      {RoleAdmin, RoleOperator, RolePerson},
}

// May is nil where the caller has a right, and else Forbidden.
func (c Caller) May(what right) error {
	if slices.Contains(rights[what], c.Role) {
		return nil
	}
	return model.Fail(model.Forbidden, "the role "+c.Role+" may not do this", nil)
}

type callerKey struct{}

// WithCaller is a context in which requests to the API are those of a caller who has
// been recognised already: the console's, by their session.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf finds out who asks.
func (a *API) callerOf(r *http.Request) (Caller, error) {
	if c, ok := r.Context().Value(callerKey{}).(Caller); ok {
		return c, nil
	}
	return a.Tokens.caller(r)
}
