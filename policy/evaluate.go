package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Result is what the policy says about one identity. A role is in Grants, or in
// Undecided, or not held; of those not held, some are in Denied, Wanted or Unsettled.
type Result struct {
	Grants []model.Grant  // sorted by role
	Denied []model.Denied // roles that would be held but for a deny rule, sorted
	// Errors are the rules that failed, and Undecided all roles that therefore are
	// neither held nor not held: the role of the rule, and those that only it would
	// imply. A failing rule removes nothing: the caller keeps what the person had.
	Errors    []RuleError
	Undecided []string // sorted
	// Wanted are roles that a rule gives but for the approval that they need and nobody
	// has given yet, with that rule's reasons; sorted by role.
	Wanted []model.Grant
	// Unsettled are roles of which it could not be decided whether they are wanted in
	// that sense. Nobody holds them through the rule, and what was asked for them so far
	// is still open; sorted.
	Unsettled []string
	// Barred are the roles whose deny rule matches, whether anything gives them or not,
	// sorted: nothing else may give them either.
	Barred []string
}

// RuleError is one condition that could not be evaluated.
type RuleError struct {
	Role string
	Rule string // the condition as written
	Err  error
}

// Error says which rule failed and why.
func (e RuleError) Error() string { return "role " + e.Role + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e RuleError) Unwrap() error { return e.Err }

// verdict is a truth value with a third one for what could not be decided.
type verdict int8

const (
	no verdict = iota
	unknown
	yes
)

// and, or and not are Kleene's: unknown stays unknown where it matters and is
// without consequence where it does not.
func and(a, b verdict) verdict { return min(a, b) }
func or(a, b verdict) verdict  { return max(a, b) }
func not(a verdict) verdict    { return yes - a }

// asking is one identity being put to all rows of the policy. Each condition is
// evaluated once, whichever rows name it.
type asking struct {
	engine   *Engine
	vars     vars
	requests map[int]requested // by place of the role
	verdict  []verdict         // by place of the condition
	asked    []bool
	errors   map[int]error
}

func (a *asking) ask(name string) bool {
	i, ok := a.engine.index[name]
	if !ok {
		return false
	}
	if !a.asked[i] {
		a.asked[i] = true
		held, err := a.engine.conditions[i].holds(a.vars)
		switch {
		case err != nil:
			a.verdict[i] = unknown
			if a.errors == nil {
				a.errors = map[int]error{}
			}
			a.errors[i] = err
		case held:
			a.verdict[i] = yes
		}
	}
	return a.verdict[i] == yes
}

func (a *asking) of(condition int) verdict {
	if condition < 0 {
		return no
	}
	return a.verdict[condition]
}

// Evaluate decides the roles of an identity at a moment. It looks at the person's
// attributes and groups alone: whether the stage (prehire, leaver) lets any of it
// take effect is for the caller to say.
//
//	deny rule   own rule, or held through a role that inherits this one   the role is
//	---------------------------------------------------------------------------------
//	matches     anything                                                  not held
//	–           matches                                                   held
//	–           fails                                                     undecided
//	–           –                                                         not held
//	fails       matches or fails                                          undecided
//	fails       –                                                         not held
//
// A role that is not held gives none of the roles it inherits.
//
// asked are the requests in force at the moment. Each gives its role as a rule would
// that matches; a deny rule takes it all the same. A request that came of a rule
// (model.OriginRule) gives nothing once the rule does not match.
//
// Where a role's approval is always, neither its rule nor a role that inherits it
// gives it before there is a request for it in force; until then it is wanted.
func (e *Engine) Evaluate(i model.Identity, asked []model.Request, now time.Time) Result {
	return e.EvaluateWithout(i, asked, nil, now)
}

// EvaluateWithout is Evaluate with some roles taken out: nothing gives them, and they
// give none of the roles that they inherit. They are in no part of the result but
// Barred.
func (e *Engine) EvaluateWithout(i model.Identity, asked []model.Request, without []string, now time.Time) Result {
	a := &asking{
		engine:   e,
		vars:     vars{newUser(e.language.provider.user, i)},
		requests: e.takeRequests(asked),
		verdict:  make([]verdict, len(e.conditions)),
		asked:    make([]bool, len(e.conditions)),
	}
	if err := e.enforce(a); err != nil {
		return e.nothingDecided(err)
	}
	a.unsettle(i)
	standings := e.decide(a, without)
	result := Result{Errors: e.ruleErrors(a)}
	facts := newFactBook(e, i)
	because := e.reasons(a, standings, facts)
	for p, r := range e.roles {
		if a.of(r.deny) == yes {
			result.Barred = append(result.Barred, r.name)
		}
		s, reasons := standings[p], because[p]
		slices.SortFunc(reasons, compareReasons)
		grant := model.Grant{Identity: i.ID, Role: r.name, Because: reasons, From: now}
		switch {
		case s.held == yes:
			grant.ApprovedBy, grant.Until = approvedBy(a.requests, reasons), s.until
			result.Grants = append(result.Grants, grant)
		case s.held == unknown:
			result.Undecided = append(result.Undecided, r.name)
		case s.unapproved == yes:
			result.Wanted = append(result.Wanted, grant)
		case s.unapproved == unknown:
			result.Unsettled = append(result.Unsettled, r.name)
		case s.given == yes:
			result.Denied = append(result.Denied, model.Denied{Role: r.name, Because: []model.Reason{facts.reason(r.name, r.deny)}})
		}
	}
	result.sort()
	return result
}

func (r *Result) sort() {
	byRole := func(a, b model.Grant) int { return strings.Compare(a.Role, b.Role) }
	slices.Sort(r.Undecided)
	slices.Sort(r.Unsettled)
	slices.Sort(r.Barred)
	slices.SortFunc(r.Grants, byRole)
	slices.SortFunc(r.Wanted, byRole)
	slices.SortFunc(r.Denied, func(a, b model.Denied) int { return strings.Compare(a.Role, b.Role) })
}

// reasons gives for each role every rule and request that leads to it, and to roles
// that only wait for approval. From a rule to a role there may be very many ways
// through inheritance; the shortest stands for them.
func (e *Engine) reasons(a *asking, standings []standing, facts *factBook) [][]model.Reason {
	out := make([][]model.Reason, len(e.roles))
	add := func(p int, reason model.Reason) {
		e.walk(p, standings, func(at int, via []string) {
			reached := reason
			reached.Via = via
			out[at] = append(out[at], reached)
		})
	}
	for p, r := range e.roles {
		s := standings[p]
		if s.held != yes && s.unapproved != yes {
			continue
		}
		if a.of(r.when) == yes {
			add(p, facts.reason(r.name, r.when))
		}
		if s.held != yes {
			continue
		}
		for _, q := range a.requests[p] {
			if q.Origin != model.OriginRule || s.ruled == yes {
				add(p, model.Reason{Role: r.name, Request: q.ID, Version: e.version})
			}
		}
	}
	return out
}

// walk visits a role and all that follow from it, nearest first: those held, and
// those that are not for want of approval, behind which nothing follows. via are the
// roles on the way, the one visited last, without the one begun at.
func (e *Engine) walk(from int, standings []standing, visit func(at int, via []string)) {
	if len(e.roles[from].inherits) == 0 || standings[from].held != yes {
		visit(from, nil)
		return
	}
	type step struct {
		at  int
		via []string
	}
	seen := map[int]bool{from: true}
	for queue := []step{{at: from}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		visit(s.at, s.via)
		if standings[s.at].held != yes {
			continue
		}
		for _, parent := range e.roles[s.at].inherits {
			reached := standings[parent].held == yes || standings[parent].unapproved == yes
			if reached && !seen[parent] {
				seen[parent] = true
				queue = append(queue, step{parent, append(slices.Clone(s.via), e.roles[parent].name)})
			}
		}
	}
}

func compareReasons(a, b model.Reason) int {
	return cmp.Or(
		cmp.Compare(len(a.Via), len(b.Via)),
		strings.Compare(a.Role, b.Role),
		strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Request, b.Request),
	)
}

func (e *Engine) ruleErrors(a *asking) (out []RuleError) {
	if len(a.errors) == 0 {
		return nil
	}
	for _, r := range e.roles {
		for _, c := range []int{r.when, r.deny} {
			if err := a.errors[c]; err != nil {
				out = append(out, RuleError{Role: r.name, Rule: e.conditions[c].text, Err: err})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b RuleError) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

// nothingDecided is the result where the rows could not be put to the identity at
// all: every role stays as it was.
func (e *Engine) nothingDecided(err error) Result {
	r := Result{Undecided: e.Roles()}
	for _, name := range r.Undecided {
		r.Errors = append(r.Errors, RuleError{Role: name, Err: err})
	}
	return r
}

// factBook looks up the facts of each condition once for an identity.
type factBook struct {
	engine   *Engine
	identity model.Identity
	reasons  map[int]model.Reason
}

func newFactBook(e *Engine, i model.Identity) *factBook {
	return &factBook{engine: e, identity: i, reasons: map[int]model.Reason{}}
}

func (b *factBook) reason(role string, condition int) model.Reason {
	r, ok := b.reasons[condition]
	if !ok {
		x := b.engine.conditions[condition]
		r = model.Reason{Rule: x.text, Version: b.engine.version}
		r.Facts, r.Sources = x.facts(b.identity)
		b.reasons[condition] = r
	}
	r.Role = role
	return r
}

// Conditions are the rule of a role and its deny rule, with the facts that they read
// of an identity, whether they match or not; nil where the role has none, or is not
// there.
func (e *Engine) Conditions(role string, i model.Identity) (when, deny *model.Reason) {
	place, ok := e.byName[role]
	if !ok {
		return nil, nil
	}
	facts := newFactBook(e, i)
	reason := func(condition int) *model.Reason {
		if condition < 0 {
			return nil
		}
		r := facts.reason(role, condition)
		return &r
	}
	return reason(e.roles[place].when), reason(e.roles[place].deny)
}
