package hub_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const requests = `
database: sqlite:x.db
sources: {hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 1}}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  security: {when: 'user.title == "Security"', grants: [{target: chat}]}
  payer: {when: 'user.title == "Payer"', grants: [{target: chat}]}
  prod:
    request: {by: self, approve: [manager, "role:security"], expires: 30d, remind: 2d, notice: 5d, moved: {ask: manager, within: 10d, undecided: keep}}
    grants: [{target: git, group: prod}]
  one: {request: {by: manager, approve: [{any: [manager, "role:security"]}], escalate: {after: 3d, to: ["user:zoe"]}}, grants: [{target: git, group: one}]}
  approver: {request: {by: anyone, approve: ["role:security"], expires: 30d}, grants: [{target: git, group: approvers}]}
  money:
    when: 'user.userType == "money"'
    approval: always
    request: {by: self, approve: ["role:security"]}
    grants: [{target: git, group: money}]
conflicts:
  - {roles: [payer, approver], action: approve, approve: ["user:zoe"]}
  - {roles: [security, prod], action: refuse}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  git: {url: http://127.0.0.1:2, profile: generic}
`

const day = 24 * time.Hour

func underBoss(boss string, pairs ...any) []any {
	return append(pairs, scim.URNEnterprise, map[string]any{"manager": map[string]any{"value": boss}, "department": "Sales"})
}

// office is a world with bob the manager of alice, sam in security, zoe and ops.
type office struct {
	*world
	res map[string]scim.Resource
	ids map[string]string
}

func eachOffice(t *testing.T, run func(o *office)) {
	t.Helper()
	each(t, requests, func(w *world) {
		o := &office{w, map[string]scim.Resource{}, map[string]string{}}
		o.hire("bob")
		o.hire("sam", "title", "Security")
		o.hire("zoe")
		o.hire("alice", underBoss(o.res["bob"].ID)...)
		w.evaluate()
		run(o)
	})
}

func (o *office) hire(name string, pairs ...any) {
	o.t.Helper()
	o.res[name] = o.person(name, pairs...)
	o.ids[name] = o.identityOf(o.res[name].ID)
}

func as(person string) hub.Who { return hub.Who{Name: "token-" + person, Person: person} }

func opsToken() hub.Who { return hub.Who{Name: "ops", Operator: true, Override: true} }

func (o *office) ask(by hub.Who, in hub.Ask) model.Request {
	o.t.Helper()
	r, err := o.AskRequest(o.t.Context(), by, in)
	if err != nil {
		o.t.Fatalf("ask %+v: %v", in, err)
	}
	o.evaluate()
	return o.request(r.ID)
}

func (o *office) decide(by hub.Who, id string, approve bool) error {
	_, err := o.DecideRequest(o.t.Context(), by, id, hub.Verdict{Approve: approve, Reason: "because"})
	o.evaluate()
	return err
}

func (o *office) approve(id string, by ...hub.Who) {
	o.t.Helper()
	for _, who := range by {
		if err := o.decide(who, id, true); err != nil {
			o.t.Fatalf("%s: %v", who.Name, err)
		}
	}
}

func (o *office) request(id string) model.Request {
	o.t.Helper()
	v, err := o.ShownRequest(o.t.Context(), opsToken(), true, id)
	if err != nil {
		o.t.Fatal(err)
	}
	return v.Request
}

func (o *office) roles(name string) []string { return o.state(o.ids[name]).roles }

func (o *office) holds(name, role string) bool { return slices.Contains(o.roles(name), role) }

func (o *office) wait(d time.Duration) {
	o.t.Helper()
	o.clock.Add(d)
	o.evaluate()
}

func (o *office) happened(name string) []string {
	return o.db.Strings(o.t, `SELECT type FROM events WHERE identity_id = ? AND (type LIKE 'request.%' OR type LIKE 'approval.%') ORDER BY id`, o.ids[name])
}

func (o *office) findings(name string) string {
	return strings.Join(o.state(o.ids[name]).row.Findings, "\n")
}

// waiting are the requests that wait for somebody's answer.
func (o *office) waiting(name string) (out []string) {
	o.t.Helper()
	list, _, err := o.Requests(o.t.Context(), as(name), hub.RequestQuery{Waiting: true, Limit: 10})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, v := range list {
		out = append(out, v.ID)
	}
	return out
}

// TestRequestToExpiry: asked, answered step by step, held, noticed, over.
func TestRequestToExpiry(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		r := o.ask(as("alice"), hub.Ask{Role: "prod", Reason: "incident"})
		if r.State != model.RequestPending || !slices.Equal(o.waiting("bob"), []string{r.ID}) || len(o.waiting("sam")) != 0 || len(o.waiting("alice")) != 0 {
			t.Fatalf("%s, waits for bob %v, sam %v, alice %v", r.State, o.waiting("bob"), o.waiting("sam"), o.waiting("alice"))
		}
		o.wait(2 * day)
		o.approve(r.ID, as("bob"))
		if o.holds("alice", "prod") || !slices.Equal(o.waiting("sam"), []string{r.ID}) || len(o.waiting("bob")) != 0 {
			t.Fatalf("after one step: %v, waits for sam %v, bob %v", o.roles("alice"), o.waiting("sam"), o.waiting("bob"))
		}
		o.approve(r.ID, as("sam"))
		s := o.state(o.ids["alice"])
		if !slices.Contains(s.roles, "prod") || s.because["prod"][0].Request != r.ID || s.accounts["git"].Desired == nil {
			t.Fatalf("not given: %v %+v %+v", s.roles, s.because["prod"], s.accounts["git"])
		}
		if by := o.db.Strings(t, `SELECT approved_by FROM grants WHERE role = 'prod'`); !slices.Equal(by, []string{"bob, sam"}) {
			t.Errorf("approved by %v", by)
		}
		if err := o.decide(as("sam"), r.ID, true); model.CodeOf(err) != model.Conflict {
			t.Errorf("approved twice: %v", err)
		}
		o.wait(28*day - time.Second)
		if !o.holds("alice", "prod") {
			t.Error("taken before its end")
		}
		o.wait(time.Second)
		if o.holds("alice", "prod") || o.request(r.ID).State != model.RequestExpired || o.state(o.ids["alice"]).accounts["git"].Desired != nil {
			t.Errorf("after its end: %v, %s", o.roles("alice"), o.request(r.ID).State)
		}
		want := []string{"request.created", "approval.wanted", "request.reminder", "request.decision", "approval.wanted", "request.decision", "request.approved",
			"request.expiring", "request.expired"}
		if got := o.happened("alice"); !slices.Equal(got, want) {
			t.Errorf("events %v", got)
		}
		if n := o.db.Int(t, `SELECT count(*) FROM audit WHERE action LIKE 'request.%' AND actor = 'person sam'`); n != 2 {
			t.Errorf("%d audit entries of sam", n)
		}
	})
}

// TestNobodyApproves: the approver leaves, goes on leave, comes back.
func TestNobodyApproves(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		prod := o.ask(as("alice"), hub.Ask{Role: "prod"})
		o.remove("hr", o.user, o.res["bob"].ID)
		o.evaluate()
		if f := o.findings("alice"); !strings.Contains(f, "nobody can approve prod for alice: bob, the manager of alice, has left") {
			t.Errorf("findings: %s", f)
		}
		if err := o.decide(as("bob"), prod.ID, true); model.CodeOf(err) != model.Forbidden {
			t.Errorf("who has left approves: %v", err)
		}
		o.approve(prod.ID, opsToken())
		if r := o.request(prod.ID); r.State != model.RequestApproved || !r.Steps[0].Decisions[0].Override {
			t.Errorf("%+v", r)
		}
		if f := o.findings("alice"); strings.Contains(f, "nobody can approve") {
			t.Errorf("findings stay: %s", f)
		}
		o.patch(o.user, o.res["sam"].ID, `[{"op":"replace","path":"title","value":"Retired"}]`)
		o.evaluate()
		one := o.ask(as("alice"), hub.Ask{Role: "one"}) // nobody is in security, no manager: to zoe at once
		if !slices.Equal(o.waiting("zoe"), []string{one.ID}) {
			t.Errorf("not escalated: %+v", one)
		}
		o.approve(one.ID, as("zoe"))
		if !o.holds("alice", "one") {
			t.Errorf("%v", o.roles("alice"))
		}
	})
}

// TestDeputies: who answers in whose place, for how long.
func TestDeputies(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		o.hire("dora")
		o.hire("eve")
		o.evaluate()
		until := noon().Add(5 * day)
		if _, err := o.AddDeputy(t.Context(), as("eve"), hub.NewDeputy{Person: "bob", Deputy: "eve"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("a deputy of their own making: %v", err)
		}
		if _, err := o.AddDeputy(t.Context(), as("bob"), hub.NewDeputy{Deputy: "bob"}); model.CodeOf(err) != model.Invalid {
			t.Errorf("their own deputy: %v", err)
		}
		for _, d := range []struct {
			by hub.Who
			n  hub.NewDeputy
		}{{as("bob"), hub.NewDeputy{Deputy: "dora", Until: &until}}, {opsToken(), hub.NewDeputy{Person: "dora", Deputy: "eve"}}, {opsToken(), hub.NewDeputy{Person: "bob", Deputy: "alice"}}} {
			if _, err := o.AddDeputy(t.Context(), d.by, d.n); err != nil {
				t.Fatal(err)
			}
		}
		r := o.ask(as("alice"), hub.Ask{Role: "prod"})
		if !slices.Equal(o.waiting("dora"), []string{r.ID}) {
			t.Errorf("waits for dora: %v", o.waiting("dora"))
		}
		for _, who := range []string{"eve", "alice"} { // a deputy's deputy, and who asked
			if err := o.decide(as(who), r.ID, true); model.CodeOf(err) != model.Forbidden {
				t.Errorf("%s: %v", who, err)
			}
		}
		o.approve(r.ID, as("dora"))
		if d := o.request(r.ID).Steps[0].Decisions[0]; d.Deputy != o.ids["bob"] || d.Approver != o.ids["dora"] {
			t.Errorf("%+v", d)
		}
		o.wait(6 * day)
		if err := o.decide(as("dora"), o.ask(as("alice"), hub.Ask{Role: "one"}).ID, true); model.CodeOf(err) != model.Forbidden {
			t.Errorf("a deputy whose time is over: %v", err)
		}
		list, _, err := o.Deputies(t.Context(), as("bob"), false, "")
		if err != nil || len(list) != 1 || list[0].Deputy != o.ids["alice"] {
			t.Errorf("%v %+v", err, list)
		}
		if err := o.EndDeputy(t.Context(), as("eve"), list[0].ID); model.CodeOf(err) != model.Forbidden {
			t.Errorf("taken back by somebody else: %v", err)
		}
		if err := o.EndDeputy(t.Context(), as("bob"), list[0].ID); err != nil {
			t.Error(err)
		}
	})
}

// TestDecidedAtOnce: many answers at the same moment; one counts.
func TestDecidedAtOnce(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		r := o.ask(as("alice"), hub.Ask{Role: "one"})
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = o.DecideRequest(o.t.Context(), as([]string{"bob", "sam"}[i%2]), r.ID, hub.Verdict{Approve: i%4 < 2, Reason: "because", Version: r.Version})
			})
		}
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if model.CodeOf(err) != model.Conflict {
				t.Errorf("%v", err)
			}
		}
		after := o.request(r.ID)
		if done != 1 || len(after.Steps[0].Decisions) != 1 {
			t.Errorf("%d answers counted: %+v", done, after.Steps)
		}
		asked := make([]error, 6)
		for i := range asked {
			wg.Go(func() { _, asked[i] = o.AskRequest(o.t.Context(), as("alice"), hub.Ask{Role: "prod"}) })
		}
		wg.Wait()
		if n := o.db.Int(t, `SELECT count(*) FROM requests WHERE role = 'prod'`); n != 1 {
			t.Errorf("asked for %d times at once: %v", n, asked)
		}
	})
}

// TestWhoLeaves: requests end with the person, and do not come back; what the guard of
// the source holds stays.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		o.hire("carl", underBoss(o.res["bob"].ID)...)
		held := map[string]model.Request{}
		for _, who := range []string{"alice", "carl"} {
			r := o.ask(as(who), hub.Ask{Role: "one"})
			o.approve(r.ID, as("bob"))
			held[who] = r
		}
		for _, who := range []string{"alice", "carl"} { // the guard lets one of them go
			o.patch(o.user, o.res[who].ID, `[{"op":"replace","path":"active","value":false}]`)
			o.evaluate()
		}
		if a, c := o.request(held["alice"].ID), o.request(held["carl"].ID); a.State != model.RequestEnded || c.State != model.RequestApproved {
			t.Errorf("alice %s, carl, who is held, %s", a.State, c.State)
		}
		for _, who := range []string{"alice", "carl"} {
			o.patch(o.user, o.res[who].ID, `[{"op":"replace","path":"active","value":true}]`)
			o.evaluate()
		}
		if o.holds("alice", "one") || !o.holds("carl", "one") {
			t.Errorf("back again: alice %v, carl %v", o.roles("alice"), o.roles("carl"))
		}
	})
}

// TestAskedByRule: a rule asks, once; refused it asks again when it matches anew.
func TestAskedByRule(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		kind := func(v string) {
			o.patch(o.user, o.res["alice"].ID, `[{"op":"replace","path":"userType","value":"`+v+`"}]`)
			o.evaluate()
		}
		asked := func() []string {
			return o.db.Strings(t, `SELECT state FROM requests WHERE role = 'money' ORDER BY id`)
		}
		kind("money")
		if got := asked(); !slices.Equal(got, []string{"pending"}) || o.holds("alice", "money") || len(o.waiting("sam")) != 1 {
			t.Fatalf("%v %v", got, o.roles("alice"))
		}
		if err := o.decide(as("sam"), o.waiting("sam")[0], false); err != nil {
			t.Fatal(err)
		}
		o.patch(o.user, o.res["alice"].ID, `[{"op":"replace","path":"displayName","value":"A"}]`)
		o.evaluate()
		if got := asked(); !slices.Equal(got, []string{"denied"}) {
			t.Errorf("asked again though refused: %v", got)
		}
		kind("other")
		kind("money")
		if got := asked(); !slices.Equal(got, []string{"denied", "pending"}) {
			t.Fatalf("not asked anew: %v", got)
		}
		o.approve(o.waiting("sam")[0], as("sam"))
		if !o.holds("alice", "money") {
			t.Errorf("approved: %v", o.roles("alice"))
		}
		kind("other")
		if got := asked(); !slices.Equal(got, []string{"denied", "ended"}) || o.holds("alice", "money") {
			t.Errorf("the rule no longer matches: %v %v", got, o.roles("alice"))
		}
	})
}

// TestRequestConflicts: refused when asked, or allowed by an exception that somebody
// answers for.
func TestRequestConflicts(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		if _, err := o.AskRequest(t.Context(), as("sam"), hub.Ask{Role: "prod"}); model.CodeOf(err) != model.Refused {
			t.Errorf("what nobody may hold together: %v", err)
		}
		o.hire("pam", "title", "Payer")
		o.evaluate()
		r := o.ask(as("pam"), hub.Ask{Role: "approver"})
		o.approve(r.ID, as("sam"))
		if o.request(r.ID).State != model.RequestPending || o.holds("pam", "approver") {
			t.Fatalf("without those who answer for the conflict: %+v", o.request(r.ID))
		}
		o.approve(r.ID, as("zoe"))
		if !o.holds("pam", "approver") || !o.holds("pam", "payer") {
			t.Errorf("%v, %s", o.roles("pam"), o.findings("pam"))
		}
		if got := o.db.Strings(t, `SELECT owner FROM exceptions WHERE request = ?`, r.ID); !slices.Equal(got, []string{o.ids["zoe"]}) {
			t.Errorf("exceptions of %v", got)
		}
		o.wait(31 * day)
		if o.holds("pam", "approver") || !o.holds("pam", "payer") {
			t.Errorf("after the end: %v", o.roles("pam"))
		}
	})
}

// TestManagerFound: by id, externalId or userName at the source, late, and in a circle.
func TestManagerFound(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		manager := func(name string) string {
			return strings.Join(o.db.Strings(t, `SELECT manager_id FROM identities WHERE id = ?`, o.ids[name]), "")
		}
		o.hire("one", underBoss("BOSS")...)
		o.hire("two", underBoss("0815")...)
		o.evaluate()
		if manager("one")+manager("two") != "" {
			t.Error("found before they are there")
		}
		o.hire("boss", "externalId", "0815")
		o.evaluate()
		if manager("one") != o.ids["boss"] || manager("two") != o.ids["boss"] || manager("alice") != o.ids["bob"] {
			t.Errorf("by userName %q, by externalId %q, by id %q", manager("one"), manager("two"), manager("alice"))
		}
		o.patch(o.user, o.res["bob"].ID, `[{"op":"add","path":"`+scim.URNEnterprise+`:manager","value":{"value":"`+o.res["alice"].ID+`"}}]`)
		o.evaluate()
		r := o.ask(as("alice"), hub.Ask{Role: "prod"})
		if f := o.findings("alice"); !strings.Contains(f, "nobody can approve prod for alice: the line of managers of alice leads back to alice") {
			t.Errorf("a circle: %s", f)
		}
		if err := o.decide(as("bob"), r.ID, true); model.CodeOf(err) != model.Forbidden {
			t.Errorf("a circle approves: %v", err)
		}
		o.patch(o.user, o.res["bob"].ID, `[{"op":"remove","path":"`+scim.URNEnterprise+`:manager"}]`)
		o.evaluate()
		if f := o.findings("alice"); strings.Contains(f, "nobody can approve") {
			t.Errorf("no circle any more: %s", f)
		}
		var people map[string][]string
		err := o.Store.View(t.Context(), func(tx *store.Tx) (err error) {
			people, err = tx.Above([]string{o.ids["alice"]})
			return err
		})
		if err != nil || !slices.Equal(people[o.ids["alice"]], []string{o.ids["alice"], o.ids["bob"]}) {
			t.Errorf("%v %v", err, people)
		}
	})
}
