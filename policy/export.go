package policy

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"

	"github.com/scimhub/scimhub/model"
)

//go:embed export.conf
var exportConf string

// Limits on an export: a line of a policy that Casbin's file adapter reads, and how
// many rows the ways around denied roles may make.
const (
	maxExportLine = 60 << 10
	maxExportRows = 50_000
	maxExportHops = 9 // Casbin follows at most ten steps of inheritance
)

// Export is the roles' policy for a plain Casbin enforcer: no function of ours, no
// CEL. Enforce(subject, role) says what Evaluate says.
type Export struct {
	Model      string             // model.conf
	Policy     string             // policy.csv
	Attributes []SubjectAttribute // of a subject, beside present, asked and approved
	Left       []Untranslated     // roles that Policy says nothing, or not all, of
	language   *language
	subject    *subject
}

// Untranslated is a role that could not be exported as a whole.
type Untranslated struct {
	Role   string `json:"role"`
	Reason string `json:"reason"`
}

// Subject makes what the enforcer is asked about: a map that JSON can hold. present
// is whether the person is with the organisation; who is not holds nothing.
func (x *Export) Subject(i model.Identity, asked []model.Request, present bool) map[string]any {
	out := x.subject.of(x.language.provider.user, i, asked)
	out[subjectPresent] = present
	return out
}

// Casbin exports the roles: conditions become expressions over a subject, each
// inheritance a g row.
//
// In Casbin a denied role would still give what it inherits, since g knows no
// conditions, and so would one that nobody has approved. Such roles (deny with
// inherits, approval: always) therefore stand behind a gate: no g row leads to them;
// for each way on which somebody comes to hold one there is a row of its own, with
// the conditions of the whole way. A role with deny that inherits nothing needs only
// a deny row.
//
// An export is made once for an engine, and must not be changed.
func (e *Engine) Casbin() (*Export, error) { return e.export() }

func (e *Engine) makeExport() (*Export, error) {
	t, err := newTranslator(e.language)
	if err != nil {
		return nil, err
	}
	x := &exporting{engine: e, translator: t, ways: make([][]term, len(e.roles)), heirs: make([][]int, len(e.roles))}
	for p, r := range e.roles {
		for _, parent := range r.inherits {
			x.heirs[parent] = append(x.heirs[parent], p)
		}
	}
	for p := range e.roles { // heirs before what they inherit
		x.role(p)
	}
	for p := range e.roles {
		x.inheritance(p)
	}
	out := &Export{Model: exportConf, Attributes: t.subject.list, Left: x.left, language: e.language, subject: t.subject}
	out.Policy, err = x.text()
	return out, err
}

// exporting is an export under way.
type exporting struct {
	engine     *Engine
	translator *translator
	heirs      [][]int
	ways       [][]term // by role: conditions, each of which alone gives it
	p, g       [][]string
	left       []Untranslated
}

func (x *exporting) gated(p int) bool {
	r := x.engine.roles[p]
	return r.always || r.deny >= 0 && len(r.inherits) > 0
}

// role writes the rows of a role.
func (x *exporting) role(p int) {
	r := x.engine.roles[p]
	own, deny, err := x.own(p)
	if err != nil {
		x.left = append(x.left, Untranslated{r.name, err.Error()})
		return
	}
	x.ways[p] = own
	if x.gated(p) {
		x.ways[p] = x.gate(p, own, deny)
	} else if deny != nil {
		x.row(r.name, *deny, "deny")
	}
	for _, way := range x.ways[p] {
		x.row(r.name, way, "allow")
	}
}

// own translates the rule of a role, a request for it, and its deny rule.
func (x *exporting) own(p int) (ways []term, deny *term, err error) {
	r := x.engine.roles[p]
	asked, ok := x.listed(r.name, subjectAsked)
	if !ok {
		return nil, nil, fmt.Errorf("the name of the role cannot be written down in a policy")
	}
	ways = []term{asked}
	if r.when >= 0 {
		when, err := x.translator.condition(x.engine.conditions[r.when].text)
		if err != nil {
			return nil, nil, err
		}
		if ways = []term{anyOf(when, asked)}; r.always {
			ways = []term{when, asked}
		}
	}
	if r.deny >= 0 {
		condition, err := x.translator.condition(x.engine.conditions[r.deny].text)
		if err != nil {
			return nil, nil, err
		}
		deny = &condition
	}
	return ways, deny, nil
}

func (x *exporting) listed(role, list string) (term, bool) {
	name, ok := literal(types.String(role))
	return term{name.text + " in r.sub." + list, levelComparison}, ok
}

// gate gives the ways to a role behind a gate, each with the conditions of the gate.
func (x *exporting) gate(p int, own []term, deny *term) []term {
	r := x.engine.roles[p]
	approved, _ := x.listed(r.name, subjectApproved)
	var out []term
	add := func(way term, needsApproval bool) {
		if needsApproval && r.always {
			way = allOf(way, approved)
		}
		if deny != nil {
			way = allOf(way, noneOf(*deny))
		}
		if !slices.Contains(out, way) && len(out) <= maxExportRows {
			out = append(out, way)
		}
	}
	for n, way := range own {
		add(way, n < len(own)-1) // the last is the request itself
	}
	for _, heir := range x.before(p) {
		for _, way := range x.ways[heir] {
			add(way, true)
		}
	}
	return out
}

// before are the roles from which a role behind a gate is reached without passing
// another gate, nearest first.
func (x *exporting) before(p int) []int {
	var out []int
	seen := map[int]bool{}
	for queue := x.heirs[p]; len(queue) > 0; queue = queue[1:] {
		heir := queue[0]
		if seen[heir] {
			continue
		}
		seen[heir] = true
		out = append(out, heir)
		if !x.gated(heir) {
			queue = append(slices.Clone(queue), x.heirs[heir]...)
		}
	}
	return out
}

// inheritance writes the g rows of a role: what it inherits directly, and what is
// farther away than Casbin looks.
func (x *exporting) inheritance(p int) {
	type step struct{ at, hops int }
	seen := map[int]bool{p: true}
	for queue := []step{{p, 0}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s.hops == 1 || s.hops > maxExportHops {
			x.g = append(x.g, []string{x.engine.roles[p].name, x.engine.roles[s.at].name})
		}
		for _, parent := range x.engine.roles[s.at].inherits {
			if !seen[parent] && !x.gated(parent) {
				seen[parent] = true
				queue = append(queue, step{parent, s.hops + 1})
			}
		}
	}
}

func (x *exporting) row(role string, rule term, effect string) {
	switch {
	case len(rule.text) > maxExportLine:
		x.leave(role, "a condition is longer than a line of a policy may be: simplify the deny rules on the way to the role")
	case len(x.p) >= maxExportRows:
		x.leave(role, "there are too many ways around denied roles")
	default:
		x.p = append(x.p, []string{role, rule.text, effect})
	}
}

func (x *exporting) leave(role, reason string) {
	if u := (Untranslated{role, reason}); !slices.Contains(x.left, u) {
		x.left = append(x.left, u)
	}
}

// text writes the rows as Casbin's file adapter reads them.
func (x *exporting) text() (string, error) {
	slices.SortStableFunc(x.p, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	slices.SortStableFunc(x.g, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	slices.SortFunc(x.left, func(a, b Untranslated) int { return strings.Compare(a.Role, b.Role) })
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, row := range x.p {
		if err := w.Write(append([]string{"p"}, row...)); err != nil {
			return "", fmt.Errorf("policy.csv: %w", err)
		}
	}
	for _, row := range x.g {
		if err := w.Write(append([]string{"g"}, row...)); err != nil {
			return "", fmt.Errorf("policy.csv: %w", err)
		}
	}
	w.Flush()
	return b.String(), w.Error()
}
