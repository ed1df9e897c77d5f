package policy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casbin/casbin/v2"
	casbinmodel "github.com/casbin/casbin/v2/model"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/policy"
)

// BenchmarkEvaluate and BenchmarkCasbinEval put the same 200 rules to people:
// through this package, and through Casbin's own eval(). Compare them in one run:
//
//	go test ./policy -run '^$' -bench 'Evaluate|CasbinEval' -benchmem
//
// All report rules per second and the time per rule; the ratio is what counts.
// BenchmarkEvaluateEveryRow is the worst case: rules of which none names a value
// that a person must have, so that every row is visited.
const (
	benchPeople = 10_000
	benchRules  = 200
)

func benchPerson(n int) model.Identity {
	return model.Identity{
		ID: strconv.Itoa(n),
		User: map[string]any{
			"userName": fmt.Sprintf("person%d@example.com", n),
			"active":   n%17 != 0,
			"title":    fmt.Sprintf("Title %d", n%50),
			scim.URNEnterprise: map[string]any{
				"department": fmt.Sprintf("Department %d", n%benchRules),
				"costCenter": fmt.Sprintf("CC%d", n%30),
			},
		},
		Origin: map[string]string{"title": "hr", scim.URNEnterprise: "hr"},
	}
}

// benchRule gives the same condition in both languages.
func benchRule(n int) (cel, govaluate string) {
	switch n % 4 {
	case 0:
		return fmt.Sprintf(`user.active && user.title == "Title %d"`, n%50),
			fmt.Sprintf(`r.who.Active && r.who.Title == "Title %d"`, n%50)
	case 1:
		return fmt.Sprintf(`user.enterprise.department == "Department %d" && user.enterprise.costCenter != "CC%d"`, n, n%30),
			fmt.Sprintf(`r.who.Department == "Department %d" && r.who.CostCenter != "CC%d"`, n, n%30)
	}
	return fmt.Sprintf(`user.active && user.enterprise.department == "Department %d"`, n),
		fmt.Sprintf(`r.who.Active && r.who.Department == "Department %d"`, n)
}

func benchEngine(b *testing.B, rule func(n int) string) *policy.Engine {
	b.Helper()
	var text strings.Builder
	text.WriteString("roles:\n")
	for n := range benchRules {
		fmt.Fprintf(&text, "  role%d: {when: '%s'}\n", n, rule(n))
	}
	doc, faults := config.Parse("bench.yaml", []byte(text.String()))
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	engine, faults := policy.Compile(1, doc)
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	return engine
}

func BenchmarkEvaluate(b *testing.B) {
	benchEvaluate(b, benchEngine(b, func(n int) string { rule, _ := benchRule(n); return rule }))
}

func BenchmarkEvaluateEveryRow(b *testing.B) {
	benchEvaluate(b, benchEngine(b, func(n int) string {
		return fmt.Sprintf(`user.active && user.enterprise.department.endsWith(" %d")`, n)
	}))
}

func benchEvaluate(b *testing.B, engine *policy.Engine) {
	b.Helper()
	people := make([]model.Identity, benchPeople)
	for n := range people {
		people[n] = benchPerson(n)
	}
	grants, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		grants += len(engine.Evaluate(people[n%benchPeople], nil, time.Time{}).Grants)
		n++
	}
	reportRules(b, n)
	if grants == 0 && n > 2 {
		b.Fatal("nobody holds anything")
	}
}

// BenchmarkPopulation evaluates 100,000 people under 200 rules, and puts the same
// rules to some of them through Casbin's eval() and by calling each compiled condition
// directly. It reports seconds of one core for everybody, how many times faster that is
// than eval(), and how many times the time of the direct calls it takes: below 1 is
// faster, since the index leaves out rules that cannot match. More than once through
// them, and the median counts:
//
//	go test ./policy -run '^$' -bench Population -benchtime 100000x -count 5
func BenchmarkPopulation(b *testing.B) {
	const population, sample = 100_000, 30
	engine := benchEngine(b, func(n int) string { rule, _ := benchRule(n); return rule })
	eval := evalEnforcer(b)
	perPerson := func(n int, do func(n int)) float64 {
		began := time.Now()
		for k := range n {
			do(k)
		}
		return time.Since(began).Seconds() / float64(n)
	}
	byEval := perPerson(sample, func(n int) {
		if _, err := eval.Enforce(evalPerson(n)); err != nil {
			b.Fatal(err)
		}
	})
	direct, held := 0, 0
	byHand := perPerson(sample*100, func(n int) { direct += engine.Direct(benchPerson(n)) })
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		held += len(engine.Evaluate(benchPerson(n%population), nil, time.Time{}).Grants)
		n++
	}
	if n > sample*100 && (held == 0 || direct == 0) {
		b.Fatal("nobody holds anything")
	}
	each := b.Elapsed().Seconds() / float64(n)
	b.ReportMetric(each*population, "s/100k")
	b.ReportMetric(byEval/each, "x-faster-than-eval")
	b.ReportMetric(each/byHand, "x-direct")
}

// evalPerson is benchPerson as Casbin's expressions see one.
func evalPerson(n int) evalWho {
	return evalWho{Active: n%17 != 0, Title: fmt.Sprintf("Title %d", n%50),
		Department: fmt.Sprintf("Department %d", n%benchRules), CostCenter: fmt.Sprintf("CC%d", n%30)}
}

// evalWho is a person as Casbin's expressions see one.
type evalWho struct {
	Active                        bool
	Title, Department, CostCenter string
}

// evalEnforcer has all rules as rows for eval(). Its effect is decided at the last
// row only, so that all are visited, as finding every reason needs.
func evalEnforcer(b *testing.B) *casbin.Enforcer {
	b.Helper()
	m, err := casbinmodel.NewModelFromString(`
[request_definition]
r = who
[policy_definition]
p = role, rule
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = eval(p.rule)
`)
	if err != nil {
		b.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		b.Fatal(err)
	}
	e.EnableLog(false)
	for n := range benchRules {
		_, rule := benchRule(n)
		if _, err := e.AddPolicy(fmt.Sprintf("role%d", n), rule); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

// BenchmarkCasbinEval asks what Casbin can answer with eval(): whether any rule
// matches, over all rows. The person matches none.
func BenchmarkCasbinEval(b *testing.B) {
	e := evalEnforcer(b)
	who := evalWho{Active: true, Title: "none", Department: "none", CostCenter: "none"}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := e.Enforce(who); err != nil || ok {
			b.Fatal(ok, err)
		}
		n++
	}
	reportRules(b, n)
}

func reportRules(b *testing.B, people int) {
	b.Helper()
	rules := float64(people) * benchRules
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/rules, "ns/rule")
	b.ReportMetric(rules/b.Elapsed().Seconds(), "rules/s")
}
