package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

const tricks = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}, idp: {dialect: rfc}}
roles:
  security: {when: 'user.title == "Security"', handover: 10d, grants: [{target: chat}],
    request: {by: anyone, approve: ["role:security"], emergency: {for: 8h, review: ["role:security"], within: 3d}}}
  oncall: {when: 'user.title == "On call"'}
  root:
    request: {by: anyone, approve: ["role:security", "user:zoe"], expires: 30d, emergency: {by: ["role:oncall"], for: 4h, review: ["role:security"], within: 1d}}
  pays: {request: {by: anyone, approve: ["role:security"]}}
  orders: {request: {by: anyone, approve: ["role:security"]}}
conflicts: [{name: money, roles: [pays, orders], action: refuse}]
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

// eachTrickster is a world with sam in security, zoe, alice and eve.
func eachTrickster(t *testing.T, run func(o *office)) {
	t.Helper()
	each(t, tricks, func(w *world) {
		o := &office{w, map[string]scim.Resource{}, map[string]string{}}
		o.hire("sam", "title", "Security")
		for _, name := range []string{"zoe", "alice", "eve"} {
			o.hire(name)
		}
		w.evaluate()
		run(o)
	})
}

func refusedAs(t *testing.T, what string, err error, code model.Code, words string) {
	t.Helper()
	if model.CodeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, want %s with %q", what, err, code, words)
	}
}

// TestEmergencyOfOperators: who runs the hub gives nobody what only those on call may
// have at once; an admin may, as they may decide anything.
func TestEmergencyOfOperators(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		in := hub.Ask{Role: "root", For: "alice", Reason: "now", Emergency: true}
		_, err := o.AskRequest(t.Context(), hub.Who{Name: "operator", Operator: true}, in)
		refusedAs(t, "an operator", err, model.Forbidden, "role:oncall")
		_, err = o.AskRequest(t.Context(), hub.Who{Name: "operator", Operator: true, Person: "eve"}, in)
		refusedAs(t, "an operator who is somebody", err, model.Forbidden, "role:oncall")
		if _, err = o.AskRequest(t.Context(), opsToken(), in); err != nil {
			t.Errorf("an admin: %v", err)
		}
	})
}

// TestOwnDeputyOfOthers: an operator who is somebody does not make themself one who
// decides.
func TestOwnDeputyOfOthers(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		eve := hub.Who{Name: "operator", Operator: true, Person: "eve"}
		_, err := o.AddDeputy(t.Context(), eve, hub.NewDeputy{Person: "sam", Deputy: "EVE"})
		refusedAs(t, "themself", err, model.Forbidden, "themselves")
		if _, err = o.AddDeputy(t.Context(), eve, hub.NewDeputy{Person: "sam", Deputy: "zoe"}); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		if _, err = o.AddDeputy(t.Context(), eve, hub.NewDeputy{Deputy: "zoe"}); err != nil {
			t.Errorf("their own: %v", err)
		}
	})
}

// TestLentAuthority: a role that is kept for hand-over, or held in an emergency that
// nobody has looked at, gives its access and not its say.
func TestLentAuthority(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		r := o.ask(as("alice"), hub.Ask{Role: "root"})
		for _, name := range []string{"eve", "zoe"} {
			o.ask(as(name), hub.Ask{Role: "security", Reason: "fire", Emergency: true})
		}
		if !o.holds("eve", "security") || !o.holds("zoe", "security") {
			t.Fatalf("eve holds %v, zoe %v", o.roles("eve"), o.roles("zoe"))
		}
		refusedAs(t, "an emergency", o.decide(as("eve"), r.ID, true), model.Forbidden, "not asked")
		for _, own := range o.db.Strings(t, `SELECT id FROM requests WHERE role = 'security' ORDER BY id`) {
			for _, name := range []string{"eve", "zoe"} {
				if err := o.decide(as(name), own, true); model.CodeOf(err) != model.Forbidden {
					t.Errorf("%s keeps an emergency: %v", name, err)
				}
			}
		}
		o.patch(o.user, o.res["sam"].ID, `[{"op":"replace","path":"title","value":"Sales"}]`)
		o.evaluate()
		if !o.holds("sam", "security") {
			t.Fatalf("no hand-over: %v", o.roles("sam"))
		}
		refusedAs(t, "a hand-over", o.decide(as("sam"), r.ID, true), model.Forbidden, "not asked")
		if waits := o.waiting("sam"); len(waits) != 0 {
			t.Errorf("sam is shown %v", waits)
		}
		o.patch(o.user, o.res["sam"].ID, `[{"op":"replace","path":"title","value":"Security"}]`)
		o.evaluate()
		for _, own := range o.db.Strings(t, `SELECT id FROM requests WHERE role = 'security' ORDER BY id`) {
			o.approve(own, as("sam"))
		}
		o.approve(r.ID, as("eve")) // somebody has looked
	})
}

// TestExceptionOfOnesOwn: whose token makes an exception does not make it for
// themself, and is still here.
func TestExceptionOfOnesOwn(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		n := hub.NewException{Person: "EVE", Roles: []string{"pays", "orders"}, Owner: "sam", Reason: "because", Until: noon().Add(day), Asker: "eve"}
		_, err := o.AddException(t.Context(), hub.Actor{Name: "approver"}, n)
		refusedAs(t, "their own", err, model.Forbidden, "their own")
		n.Person = "alice"
		e, err := o.AddException(t.Context(), hub.Actor{Name: "approver"}, n)
		if err != nil {
			t.Fatal(err)
		}
		n.Reason = "be\x1b[2Jcause"
		_, err = o.AddException(t.Context(), hub.Actor{Name: "approver"}, n)
		refusedAs(t, "control characters", err, model.Invalid, "reason")
		n.Reason = strings.Repeat("ü", 2001)
		_, err = o.AddException(t.Context(), hub.Actor{Name: "approver"}, n)
		refusedAs(t, "a long reason", err, model.Invalid, "longer")
		_, err = o.RevokeException(t.Context(), hub.Actor{Name: "approver"}, e.ID, "a\x00b")
		refusedAs(t, "control characters", err, model.Invalid, "reason")
		o.patch(o.user, o.res["eve"].ID, `[{"op":"replace","path":"active","value":false}]`)
		o.evaluate()
		n.Reason = "because"
		_, err = o.AddException(t.Context(), hub.Actor{Name: "approver"}, n)
		refusedAs(t, "a leaver's token", err, model.Forbidden, "has left")
		refusedAs(t, "a leaver's token", o.StillHere(t.Context(), hub.Who{Name: "approver", Person: "eve"}), model.Forbidden, "has left")
		if err := o.StillHere(t.Context(), hub.Who{Name: "approver"}); err != nil {
			t.Errorf("a token of nobody: %v", err)
		}
	})
}

// TestHardReasons: what a reason holds is shown on terminals and pages, and a time has
// a year that can be written.
func TestHardReasons(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		for _, reason := range []string{"a\x00b", "\x1b]0;x\a", "a\u009b2J", "right\u202eleft", "a\xffb"} {
			_, err := o.AskRequest(t.Context(), as("alice"), hub.Ask{Role: "pays", Reason: reason})
			refusedAs(t, reason, err, model.Invalid, "reason")
		}
		at := func(year int) *time.Time { t := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC); return &t }
		for what, in := range map[string]hub.Ask{"from": {Role: "root", From: at(9999)}, "until": {Role: "pays", Until: at(10000)}} {
			_, err := o.AskRequest(t.Context(), as("alice"), in)
			refusedAs(t, what, err, model.Invalid, what)
		}
		_, err := o.AddDeputy(t.Context(), as("alice"), hub.NewDeputy{Deputy: "eve", Until: at(10000)})
		refusedAs(t, "until of a deputy", err, model.Invalid, "until")
		_, err = o.AddException(t.Context(), hub.Actor{Name: "ops"}, hub.NewException{Person: "alice", Roles: []string{"pays", "orders"}, Owner: "sam", Reason: "x", Until: *at(10000)})
		refusedAs(t, "until of an exception", err, model.Invalid, "until")
		r := o.ask(as("alice"), hub.Ask{Role: "pays", Reason: "two\nlines, a\ttab, zwölf – 十二 👩‍👩‍👧"})
		if err := o.decide(as("sam"), r.ID, true); err != nil {
			t.Error(err)
		}
	})
}

// TestAnswersOfOnesOther: who answered as somebody else, and turns out to be the one
// who asks, has answered themself; the question is put again.
func TestAnswersOfOnesOther(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		second := o.create("idp", o.user, map[string]any{"userName": "alice2", "title": "Security"})
		o.evaluate()
		other := o.identityOf(second.ID)
		r := o.ask(as("alice"), hub.Ask{Role: "root", Reason: "mine"})
		o.approve(r.ID, as("alice2"))
		if o.request(r.ID).Step != 1 {
			t.Fatalf("%+v", o.request(r.ID))
		}
		if _, err := o.Link(t.Context(), hub.Actor{Name: "ops"}, other, o.ids["alice"], false); err != nil {
			t.Fatal(err)
		}
		o.evaluate()
		if now := o.request(r.ID); now.Step != 0 || now.State != model.RequestPending || !slices.Contains(now.Asked, "role:security") {
			t.Errorf("their own yes counts: %+v", now)
		}
		refusedAs(t, "the second step", o.decide(as("zoe"), r.ID, true), model.Forbidden, "not asked")
		o.approve(r.ID, as("sam"), as("zoe"))
		if !o.holds("alice", "root") {
			t.Errorf("%v", o.roles("alice"))
		}
	})
}

// TestUndecidedPerson: of whom it is not decided who they are, nobody knows whether
// they would answer themself.
func TestUndecidedPerson(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		id := o.ids["eve"]
		o.db.Exec(t, `INSERT INTO cases (id, identity_id, source, resource_id, rule, candidates, blocks, opened_at, decided_by, decision) VALUES ('c1', ?, 'hr', ?, 'userName', '[]', TRUE, 1, '', '')`, id, o.res["eve"].ID)
		_, err := o.AskRequest(t.Context(), as("eve"), hub.Ask{Role: "pays", For: "alice"})
		refusedAs(t, "asking", err, model.Forbidden, "not decided who")
		refusedAs(t, "deciding", o.StillHere(t.Context(), as("eve")), model.Forbidden, "not decided who")
	})
}

// TestAboutOthers: nobody says who they are themself.
func TestAboutOthers(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		eve := hub.Who{Name: "operator", Operator: true, Person: "eve"}
		for _, people := range [][]string{{"alice", "EVE"}, {o.ids["eve"], "alice"}, {"nobody", "eve"}} {
			refusedAs(t, strings.Join(people, " "), o.AboutOthers(t.Context(), eve, people...), model.Forbidden, "themselves")
		}
		for _, people := range [][]string{{"alice", "sam"}, {"nobody", ""}, nil} {
			if err := o.AboutOthers(t.Context(), eve, people...); err != nil {
				t.Errorf("%v: %v", people, err)
			}
		}
		refusedAs(t, "a stranger", o.AboutOthers(t.Context(), as("nobody"), "alice"), model.Forbidden, "not known")
	})
}

// TestRenamedApprover: of whom the configuration names by a name that they have no more
// nothing is asked, and it is said at once that nobody is there.
func TestRenamedApprover(t *testing.T) {
	t.Parallel()
	eachTrickster(t, func(o *office) {
		r := o.ask(as("alice"), hub.Ask{Role: "root", Reason: "x"})
		o.approve(r.ID, as("sam"))
		if !slices.Equal(o.waiting("zoe"), []string{r.ID}) {
			t.Fatalf("zoe is asked %v", o.waiting("zoe"))
		}
		o.patch(o.user, o.res["zoe"].ID, `[{"op":"replace","path":"userName","value":"zoe.married"}]`)
		o.evaluate()
		if waits := o.waiting("zoe.married"); len(waits) != 0 || !strings.Contains(o.findings("alice"), "nobody of the name zoe") {
			t.Errorf("asked %v; %s", waits, o.findings("alice"))
		}
		o.hire("zoe") // somebody else
		o.evaluate()
		refusedAs(t, "before", o.decide(as("zoe.married"), r.ID, true), model.Forbidden, "not asked")
	})
}
