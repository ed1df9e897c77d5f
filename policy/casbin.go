package policy

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/effector"
	"github.com/casbin/casbin/v2/model"

	"github.com/scimhub/scimhub/model/config"
)

//go:embed model.conf
var modelConf string

// every is an effector that never decides before the last row, so that one
// Enforce visits all of them; holds notes the outcome of each on the way. What
// follows from the outcomes is decided in evaluate.go, because Casbin's effects know
// no "could not be decided".
type every struct{}

// MergeEffects is part of effector.Effector.
func (every) MergeEffects(_ string, _ []effector.Effect, _ []float64, row, rows int) (effector.Effect, int, error) {
	if row < rows-1 {
		return effector.Indeterminate, -1, nil
	}
	return effector.Allow, -1, nil
}

// rows are the policy of a document as Casbin stores it.
func rows(doc *config.Document) (p, g [][]string) {
	for _, r := range doc.Roles {
		if r.When != "" {
			p = append(p, []string{r.Name, r.Name + ".when", "allow"})
		}
		if r.Deny != "" {
			p = append(p, []string{r.Name, r.Name + ".deny", "deny"})
		}
		parents := slices.Clone(r.Inherits)
		slices.Sort(parents)
		for _, parent := range slices.Compact(parents) {
			g = append(g, []string{r.Name, parent})
		}
	}
	return p, g
}

// policyType names the n-th part of the policy that has a type of its own.
func policyType(n int) string { return "p" + strconv.Itoa(n) }

// newEnforcer loads the rows; typed are those that have a policy type of their own,
// with the same definition and the same matcher. Casbin's enforcer is safe for
// concurrent use as long as nobody changes its policy, and nobody does: a new version
// is a new engine.
func newEnforcer(p, g [][]string, typed map[string][][]string) (*casbin.Enforcer, error) {
	m, err := model.NewModelFromString(modelConf)
	if err != nil {
		return nil, fmt.Errorf("casbin model: %w", err)
	}
	for t := range typed {
		m.AddDef("p", t, "role, cond, eft")
		m.AddDef("m", matcherOf(t), strings.ReplaceAll("holds(r.who, p.cond)", "p.", t+"."))
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, fmt.Errorf("casbin enforcer: %w", err)
	}
	e.EnableLog(false)
	e.SetEffector(every{})
	e.AddFunction("holds", holds)
	for t, rows := range typed {
		if _, err := e.AddNamedPolicies(t, rows); err != nil {
			return nil, fmt.Errorf("casbin policy: %w", err)
		}
	}
	if len(p) > 0 {
		if _, err := e.AddPolicies(p); err != nil {
			return nil, fmt.Errorf("casbin policy: %w", err)
		}
	}
	if len(g) > 0 {
		if _, err := e.AddGroupingPolicies(g); err != nil {
			return nil, fmt.Errorf("casbin roles: %w", err)
		}
	}
	return e, nil
}

func matcherOf(policyType string) string { return "m" + policyType[1:] }

// enforce puts an identity to all rows whose conditions could hold for it, one
// Enforce for each policy type.
func (e *Engine) enforce(a *asking) (err error) {
	if e.ruled {
		if _, err := e.enforcer.Enforce(a); err != nil {
			return fmt.Errorf("casbin: %w", err)
		}
	}
	for _, l := range e.lanes {
		l.visit(a.vars, func(t string) {
			part := casbin.EnforceContext{RType: "r", PType: t, EType: "e", MType: matcherOf(t)}
			if _, failed := e.enforcer.Enforce(part, a); failed != nil && err == nil {
				err = fmt.Errorf("casbin: %w", failed)
			}
		})
	}
	return err
}

// holds is the matcher's function: it evaluates one condition for one identity. An
// error is noted, not returned, since Casbin would give up on all other rows.
func holds(args ...any) (any, error) {
	if len(args) != 2 {
		return false, nil
	}
	a, isAsking := args[0].(*asking)
	name, isName := args[1].(string)
	if !isAsking || !isName {
		return false, nil
	}
	return a.ask(name), nil
}
