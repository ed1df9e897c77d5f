// Package policy decides which roles a person holds and why, whether they may be
// at a target, and what their account there looks like.
//
// Rules are rows of a Casbin policy; their conditions are CEL expressions over the
// merged user, compiled and type-checked when a configuration becomes a version. All
// of it is a function of the configuration and the identity: the package does no
// I/O, keeps no state and knows neither requests nor targets' profiles.
package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"github.com/casbin/casbin/v2"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// Engine is one version of the policy, compiled. It does not change and is safe
// for concurrent use.
type Engine struct {
	version    int64
	doc        *config.Document
	language   *language
	enforcer   *casbin.Enforcer
	ruled      bool           // there are rows that everybody is put to
	lanes      []*lane        // the other rows
	conditions []*expression  // of roles, each text once
	index      map[string]int // name of a condition in a row -> its place in conditions
	roles      []role         // a role stands before all that it inherits
	byName     map[string]int // -> place in roles
	targets    map[string]target
	mirrors    map[string][]scim.Filter // target -> filters over source groups
	leave      *expression              // nil: nobody is on leave by rule
	relied     []relied                 // sorted by attribute
	required   []required
	export     func() (*Export, error) // for Casbin, made when it is first asked for
}

// role is a role with its names resolved to places.
type role struct {
	name     string
	when     int // place in conditions, -1: none
	deny     int
	inherits []int // places in roles, sorted by name
	grants   []model.Entitlement
	always   bool // needs approval even where its rule matches
}

// target is what the policy says about a target.
type target struct {
	scope   *expression // nil: everybody
	mapping []mapped    // sorted by path; nil: the default mapping
}

type mapped struct {
	path  string
	value *expression
}

// Compile type-checks every expression of the document and makes an engine of it.
// The engine is nil if there are faults, be they of expressions or of the document
// itself; they come all together, in order of place.
func Compile(version int64, doc *config.Document) (*Engine, []config.Fault) {
	l, err := newLanguage(doc.Registry)
	if err != nil {
		return nil, []config.Fault{doc.Fault("", err.Error())}
	}
	l.partial = len(doc.Schemas)+len(doc.ResourceTypes) > 0 && doc.Registry == scim.DefaultRegistry()
	c := &compiler{doc: doc, language: l, faults: doc.Faults(), byText: map[string]int{}}
	e := &Engine{version: version, doc: doc, language: l, index: map[string]int{}}
	for _, r := range doc.Roles {
		c.condition(e, r.Name, "when", r.When)
		c.condition(e, r.Name, "deny", r.Deny)
	}
	e.conditions = c.conditions
	e.targets = c.targets()
	e.mirrors = c.compileMirrors()
	if text := doc.Identity.Leave.When; text != "" {
		e.leave = c.compile(text, cel.BoolType, config.Join("identity", "leave", "when"))
	}
	if len(c.faults) > 0 {
		return nil, config.SortFaults(c.faults)
	}
	p, g := rows(doc)
	everybody, typed := e.lay(p)
	e.ruled = len(everybody) > 0
	if e.enforcer, err = newEnforcer(everybody, g, typed); err != nil {
		return nil, []config.Fault{doc.Fault("roles", err.Error())}
	}
	if err := e.order(); err != nil {
		return nil, []config.Fault{doc.Fault("roles", err.Error())}
	}
	e.collectRelied()
	e.collectRequired()
	e.export = sync.OnceValues(e.makeExport)
	return e, nil
}

// compiler collects expressions and what is wrong with them.
type compiler struct {
	doc        *config.Document
	language   *language
	faults     []config.Fault
	conditions []*expression
	byText     map[string]int
}

func (c *compiler) compile(text string, wanted *cel.Type, path string) *expression {
	x, problems := c.language.compile(text, wanted)
	for _, p := range problems {
		c.faults = append(c.faults, c.doc.FaultIn(path, p.line, p.column, p.message))
	}
	return x
}

// condition compiles a condition of a role; equal texts share one program and,
// per identity, one evaluation.
func (c *compiler) condition(e *Engine, role, key, text string) {
	if text == "" {
		return
	}
	place, known := c.byText[text]
	if !known {
		x := c.compile(text, cel.BoolType, config.Join("roles", role, key))
		if x == nil {
			return // not remembered: every place with the text gets its fault
		}
		place = len(c.conditions)
		c.conditions = append(c.conditions, x)
		c.byText[text] = place
	}
	e.index[role+"."+key] = place
}

func (c *compiler) targets() map[string]target {
	out := make(map[string]target, len(c.doc.Targets))
	for _, t := range c.doc.Targets {
		var compiled target
		if t.Scope != "" {
			compiled.scope = c.compile(t.Scope, cel.BoolType, config.Join("targets", t.Name, "scope"))
		}
		for path, text := range t.User {
			if text == "" {
				continue // has its fault already
			}
			wanted := wantedOf(path)
			if x := c.compile(text, wanted, config.Join("targets", t.Name, "user", path)); x != nil {
				compiled.mapping = append(compiled.mapping, mapped{path, x})
			}
		}
		slices.SortFunc(compiled.mapping, func(a, b mapped) int { return strings.Compare(a.path, b.path) })
		out[t.Name] = compiled
	}
	return out
}

// Version is the number given to Compile.
func (e *Engine) Version() int64 { return e.version }

// Document is the configuration given to Compile.
func (e *Engine) Document() *config.Document { return e.doc }

// Roles are the names of all roles, sorted.
func (e *Engine) Roles() []string {
	names := make([]string, 0, len(e.roles))
	for _, r := range e.roles {
		names = append(names, r.name)
	}
	slices.Sort(names)
	return names
}

// OnLeave reports whether the rule about leave matches the identity; an error says
// that it could not be decided.
func (e *Engine) OnLeave(i model.Identity) (bool, error) {
	if e.leave == nil {
		return false, nil
	}
	away, err := e.leave.holds(vars{newUser(e.language.provider.user, i)})
	if err != nil {
		return false, fmt.Errorf("identity.leave.when: %w", err)
	}
	return away, nil
}

// Entitlements are what a role gives directly; what it gives through roles that it
// inherits is theirs. Nil for a role that is not there.
func (e *Engine) Entitlements(role string) []model.Entitlement {
	place, ok := e.byName[role]
	if !ok {
		return nil
	}
	return slices.Clone(e.roles[place].grants)
}
