package admin

import (
	"context"
	_ "embed" // the model and the policy
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	casbinmodel "github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"
	"github.com/gorilla/mux"

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

// Roles are all roles, the mightiest first.
func Roles() []string {
	return []string{RoleAdmin, RoleOperator, RoleApprover, RoleAuditor, RolePerson}
}

// right is what a route asks of who calls it. Which role has which is in
// access/policy.csv and nowhere else.
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

// The policy as the program has it.
var (
	//go:embed access/model.conf
	accessModel string
	//go:embed access/policy.csv
	accessPolicy string
)

// unlimited is the scope of a credential that may whatever its role may.
const unlimited = "*"

// guard decides who may call what, for all fronts of the hub. It is made once and
// never changed, which is what makes it safe for concurrent use.
var guard = sync.OnceValues(newGuard) //nolint:gochecknoglobals // made once, read only

func newGuard() (*casbin.Enforcer, error) {
	m, err := casbinmodel.NewModelFromString(accessModel)
	if err != nil {
		return nil, fmt.Errorf("model of access: %w", err)
	}
	e, err := casbin.NewEnforcer(m, stringadapter.NewAdapter(accessPolicy))
	if err != nil {
		return nil, fmt.Errorf("policy of access: %w", err)
	}
	e.EnableLog(false)
	e.AddFunction("within", func(args ...any) (any, error) {
		if len(args) != 2 {
			return false, nil
		}
		one, _ := args[0].(string)
		limits, _ := args[1].(string)
		return limits == unlimited || one != "" && slices.Contains(strings.Split(limits, "\n"), one), nil
	})
	return e, nil
}

// Rights are the names of all rights, sorted: what a credential may be limited to.
func Rights() []string {
	e, err := guard()
	if err != nil {
		return nil
	}
	var out []string
	rows, err := e.GetPolicy()
	for _, p := range rows {
		out = append(out, p[1])
	}
	if err != nil {
		return nil
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// May is nil where the caller has a right everywhere, and else Forbidden: who is
// limited to targets has it at most there.
func (c Caller) May(what right) error { return c.mayAt(what, "") }

// MayRight is May for fronts of the hub other than the API; the right by its name, as
// in GET /access.
func (c Caller) MayRight(name string) error { return c.May(right(name)) }

// mayAt is nil where the caller has a right at a target; empty: everywhere.
func (c Caller) mayAt(what right, target string) error {
	e, err := guard()
	if err != nil { // the policy is part of the program, and a test reads it
		return model.Fail(model.Forbidden, "nobody may do anything: the policy of access cannot be read", err)
	}
	allowed, err := e.Enforce(c.Role, string(what), limits(c.Scope), target, limits(c.Targets))
	switch {
	case err != nil:
		return model.Fail(model.Forbidden, "whether this is allowed cannot be decided", err)
	case allowed:
		return nil
	case c.Targets != nil:
		return model.Fail(model.Forbidden, "this credential is for "+strings.Join(c.Targets, ", ")+" alone, and may not do this", nil)
	case c.Scope != nil && (Caller{Role: c.Role}).May(what) == nil:
		return model.Fail(model.Forbidden, fmt.Sprintf("this credential is limited to %s; this needs %s", strings.Join(c.Scope, ", "), what), nil)
	}
	return model.Fail(model.Forbidden, "the role "+c.Role+" may not do this", nil)
}

// limits writes a list for the guard. None at all is no limit; an empty one allows nothing.
func limits(list []string) string {
	if list == nil {
		return unlimited
	}
	return strings.Join(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == unlimited }), "\n")
}

// allowed is nil where the caller may call a route with this address.
func (rt route) allowed(c Caller, r *http.Request) error {
	target, err := url.PathUnescape(mux.Vars(r)["target"])
	if err != nil {
		target = ""
	}
	return c.mayAt(rt.right, target)
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
