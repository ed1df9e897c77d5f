package hub

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const requestRules = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}, payroll: {dialect: rfc}}
roles:
  security: {when: 'user.title == "Security"', grants: [{target: chat}]}
  oncall: {when: 'user.title == "On call"', grants: [{target: chat}]}
  admin:
    request:
      by: manager
      approve: [manager, {any: ["role:security", "user:zoe"]}]
      remind: 2d
      escalate: {after: 5d, to: ["user:zoe"]}
      within: 20d
      expires: 30d
      notice: 7d
      reason: required
      lapses: ['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter', manager, end]
      emergency: {by: ["role:oncall"], for: 4h, review: [manager], within: 3d}
    grants: [{target: chat}]
  both:
    request: {by: anyone, approve: [{all: [manager, "role:security"]}], moved: {ask: manager, within: 10d, undecided: end}}
    grants: [{target: chat}]
  keeps:
    request: {by: self, approve: [manager], moved: {ask: manager, within: 10d, undecided: keep}}
    grants: [{target: chat}]
  free:
    request: {by: self, approve: []}
    grants: [{target: chat}]
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

const costCenter = "costCenter"

func start() time.Time { return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) }

// bench is alice, whose manager is bob, with sam and sue in security and zoe above all.
// dora is bob's deputy.
type bench struct {
	t    *testing.T
	snap *Snapshot
	env  requestEnv
}

func newBench(t *testing.T) *bench {
	t.Helper()
	snap, err := Compile(1, "hub.yaml", []byte(requestRules), nil)
	if err != nil {
		t.Fatal(err)
	}
	user := map[string]any{"userName": "alice", "active": true,
		scim.URNEnterprise: map[string]any{costCenter: "4711", "department": "Sales", "manager": map[string]any{"value": "bob"}}}
	manager := &model.Manager{Named: "bob", ID: "bob", Name: "bob", Stage: model.Active}
	k := Known{Row: store.IdentityRow{ID: "alice", Name: "alice", Stage: model.Active, User: user}, Manager: manager,
		Users: []store.SourceUser{{Source: "hr", ID: "1", Attrs: user}}, Approvers: map[string]Approvers{}}
	b := &bench{t: t, snap: snap, env: requestEnv{doc: snap.Doc, known: k, stage: model.Active, datesOK: true, now: start(), identity: model.Identity{ID: "alice", User: user,
		Links: []model.Link{{Source: "hr"}}, Origin: map[string]string{scim.URNEnterprise: "hr", scim.URNEnterprise + ":" + costCenter: "hr", scim.URNEnterprise + ":manager": "hr"}}}}
	b.approvers("manager", "bob")
	b.approvers("role:security", "sam", "sue")
	b.approvers("role:oncall", "alice")
	b.approvers("user:zoe", "zoe")
	m := b.env.known.Approvers["manager"]
	m.Deputies, m.Names["dora"] = map[string][]string{"bob": {"dora"}}, "dora"
	b.env.known.Approvers["manager"] = m
	return b
}

func (b *bench) approvers(key string, ids ...string) {
	a := Approvers{Names: map[string]string{}, IDs: ids}
	for _, id := range ids {
		a.Names[id] = id
	}
	if len(ids) == 0 {
		a.Fault = "nobody is " + key
	}
	b.env.known.Approvers[key] = a
}

// set changes an attribute of the enterprise extension; empty: it is no more.
func (b *bench) set(name, value string) {
	ext, _ := b.env.identity.User[scim.URNEnterprise].(map[string]any)
	next := map[string]any{}
	maps.Copy(next, ext)
	if next[name] = value; value == "" {
		delete(next, name)
	}
	b.env.identity.User = map[string]any{"userName": "alice", scim.URNEnterprise: next}
}

func (b *bench) manager(id string) {
	b.env.known.Manager = &model.Manager{Named: id, ID: id, Name: id, Stage: model.Active}
	b.approvers("manager", id)
}

// ask makes a request of a role by somebody.
func (b *bench) ask(role, by string, in Ask) (*requestCase, error) {
	b.t.Helper()
	r, _ := b.snap.Doc.Role(role)
	in.Role = role
	if in.Reason == "" {
		in.Reason = "work"
	}
	c, err := asking(b.snap, b.env, r, asker{id: by, name: by, operator: by == ""}, in)
	c.ID = "r1"
	return &c, err
}

func (b *bench) mustAsk(role, by string, in Ask) *requestCase {
	b.t.Helper()
	c, err := b.ask(role, by, in)
	if err != nil {
		b.t.Fatalf("ask %s by %s: %v", role, by, err)
	}
	return c
}

func (c *requestCase) yes(who string) error {
	return c.answer(requestAnswer{person: who, name: who, approve: true})
}

func (c *requestCase) no(who, reason string) error {
	return c.answer(requestAnswer{person: who, name: who, reason: reason})
}

// after lets time pass with the facts of the bench as they are.
func (b *bench) after(c *requestCase, d time.Duration) *requestCase {
	b.env.now = b.env.now.Add(d)
	c.env = b.env
	c.settleAll()
	return c
}

// TestSteps goes through the steps of a request, answer by answer.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, role, by string
		answers        string // who, + yes or - no; ! refused
		want           model.RequestState
		step           int
		asked          string
	}{
		{"no steps", "free", "alice", "", model.RequestApproved, 0, ""},
		{"waits for the manager", "admin", "alice", "", model.RequestPending, 0, "bob"},
		{"then for security", "admin", "alice", "bob+", model.RequestPending, 1, "role:security zoe"},
		{"one of them is enough", "admin", "alice", "bob+ sue+", model.RequestApproved, 2, ""},
		{"a deputy answers", "admin", "alice", "dora+ zoe+", model.RequestApproved, 2, ""},
		{"in order", "admin", "alice", "sam+! bob+ bob+! sam+", model.RequestApproved, 2, ""},
		{"no ends it", "admin", "alice", "bob+ sam-", model.RequestDenied, 1, ""},
		{"what is denied stays so", "admin", "alice", "bob- bob+! sam+!", model.RequestDenied, 0, ""},
		{"nobody for themselves", "admin", "alice", "alice+!", model.RequestPending, 0, "bob"},
		{"strangers are not asked", "admin", "alice", "eve+! eve-!", model.RequestPending, 0, "bob"},
		{"a manager who asks has said yes", "admin", "bob", "bob+! sam+", model.RequestApproved, 2, ""},
		{"all have to", "both", "alice", "sam+ sue+!", model.RequestPending, 0, "bob"},
		{"all have", "both", "alice", "sam+ dora+", model.RequestApproved, 1, ""},
		{"who asks for others decides nothing", "both", "sam", "sam+! sue+ bob+", model.RequestApproved, 1, ""},
		{"one no of all is a no", "both", "alice", "sam+ bob-", model.RequestDenied, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newBench(t).mustAsk(tt.role, tt.by, Ask{})
			for word := range strings.FieldsSeq(tt.answers) {
				word, refused := strings.CutSuffix(word, "!")
				who, err := word[:len(word)-1], error(nil)
				if before := c.Clone(); word[len(word)-1] == '+' {
					err = c.yes(who)
				} else if err = c.no(who, "no need"); err != nil && !sameRequest(before, c.Request) {
					t.Errorf("%s: refused, and changed all the same", word)
				}
				if (err != nil) != refused {
					t.Fatalf("%s: %v", word, err)
				}
			}
			if c.State != tt.want || c.Step != tt.step || strings.Join(c.asked(), " ") != tt.asked {
				t.Errorf("%s at step %d, asked %v; want %s at %d, asked %q", c.State, c.Step, c.asked(), tt.want, tt.step, tt.asked)
			}
		})
	}
}

// TestOwnDecision: neither role nor deputy nor operator's token lets anybody decide
// about their own request.
func TestOwnDecision(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.approvers("manager", "alice") // as a source may have it
	b.approvers("role:security", "alice")
	a := b.env.known.Approvers["role:security"]
	a.Deputies = map[string][]string{"alice": {"dora"}}
	a.Names["dora"] = "dora"
	b.env.known.Approvers["role:security"] = a
	c := b.mustAsk("both", "alice", Ask{})
	for _, who := range []string{"alice", "dora"} {
		if err := c.yes(who); model.CodeOf(err) != model.Forbidden {
			t.Errorf("%s: %v", who, err)
		}
	}
	err := c.answer(requestAnswer{person: "alice", name: "alice", override: true, approve: true})
	if model.CodeOf(err) != model.Forbidden {
		t.Errorf("override for themselves: %v", err)
	}
	f, found := c.nobody()
	if !found || !strings.Contains(f.Message, "alice is to hold the role") {
		t.Errorf("finding: %v %q", found, f.Message)
	}
	if err := c.answer(requestAnswer{name: "ops", override: true, approve: true}); err != nil || c.State != model.RequestApproved {
		t.Errorf("override by an operator: %v, %s", err, c.State)
	}
	if d := c.Steps[0].Decisions[0]; !d.Override || d.Actor != "ops" {
		t.Errorf("it is not noted as an override: %+v", d)
	}
}

// TestTime: what becomes of a request when nobody does anything.
func TestTime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	b := newBench(t)
	c := b.mustAsk("admin", "alice", Ask{})
	before := c.Clone()
	kinds := func(c *requestCase) (out []string) {
		for _, n := range newsOf(before, c.Request) {
			out = append(out, n.kind)
		}
		before = c.Clone()
		return out
	}
	for _, tt := range []struct {
		pass  time.Duration
		news  []string
		state model.RequestState
		next  time.Duration // from the start
		do    func()
	}{
		{0, nil, model.RequestPending, 2 * day, nil},
		{2 * day, []string{newsReminder}, model.RequestPending, 4 * day, nil},
		{day, nil, model.RequestPending, 4 * day, nil},
		{2 * day, []string{newsEscalated, newsWanted}, model.RequestPending, 7 * day, nil}, // reminded late, at 5 days
		{0, []string{newsDecision, newsWanted}, model.RequestPending, 7 * day, func() {
			if err := c.yes("zoe"); err != nil { // asked since nobody decided
				t.Error(err)
			}
		}},
		{0, []string{newsDecision, "request.approved"}, model.RequestApproved, 23 * day, func() {
			if err := c.yes("sam"); err != nil {
				t.Error(err)
			}
		}},
		{18 * day, []string{newsExpiring}, model.RequestApproved, 30 * day, nil},
		{6 * day, nil, model.RequestApproved, 30 * day, nil},
		{day, []string{"request.expired"}, model.RequestExpired, 0, nil},
		{300 * day, nil, model.RequestExpired, 0, nil},
	} {
		b.after(c, tt.pass)
		if tt.do != nil {
			tt.do()
		}
		want := time.Time{}
		if tt.next > 0 {
			want = start().Add(tt.next)
		}
		if diff := cmp.Diff(tt.news, kinds(c)); diff != "" || c.State != tt.state || !c.next().Equal(want) {
			t.Errorf("after %s: %s, next %s, want %s and %s; news %s", words(b.env.now.Sub(start())), c.State, c.next(), tt.state, want, diff)
		}
	}
	if b := newBench(t); b.after(b.mustAsk("admin", "alice", Ask{}), 20*day).State != model.RequestExpired {
		t.Error("undecided for longer than within, and not expired")
	}
}

// TestNobodyToAsk: who could decide has left; others are asked at once, or a finding
// says it.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.approvers("manager")
	if c := b.after(b.mustAsk("admin", "alice", Ask{}), 0); !slices.Contains(c.asked(), "zoe") {
		t.Errorf("asked: %v", c.asked())
	}
	c := b.after(b.mustAsk("keeps", "alice", Ask{}), 0)
	f, found := c.nobody()
	if want := "nobody can approve keeps for alice: nobody is manager; an admin can decide request r1"; !found || f.Message != want || f.Kind != model.FindingApproval {
		t.Errorf("%v %+v", found, f)
	}
}

// TestEmergency: at once, for a while, reviewed by somebody else.
func TestEmergency(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, b *bench) *requestCase {
		t.Helper()
		c := b.mustAsk("admin", "alice", Ask{Emergency: true})
		if !c.InForce(start()) || c.Origin != model.OriginEmergency || !c.Until.Equal(start().Add(4*time.Hour)) || c.Review == nil {
			t.Fatalf("%+v", c.Request)
		}
		if err := c.yes("alice"); err == nil {
			t.Error("reviewed by who asked")
		}
		return c
	}
	for name, tt := range map[string]struct {
		do    func(*bench, *requestCase) error
		state model.RequestState
		open  bool // the review
	}{
		"kept":                        {func(_ *bench, c *requestCase) error { return c.yes("bob") }, model.RequestApproved, false},
		"ended":                       {func(_ *bench, c *requestCase) error { return c.no("bob", "no incident") }, model.RequestRevoked, false},
		"its end comes":               {func(b *bench, c *requestCase) error { b.after(c, 4*time.Hour); return nil }, model.RequestExpired, true},
		"reviewed after its end":      {func(b *bench, c *requestCase) error { return b.after(c, 5*time.Hour).no("bob", "why?") }, model.RequestExpired, false},
		"not reviewed":                {func(b *bench, c *requestCase) error { b.after(c, 72*time.Hour); return nil }, model.RequestExpired, false},
		"given up, reviewed all same": {func(_ *bench, c *requestCase) error { return c.revoke("alice", "done") }, model.RequestRevoked, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := ask(t, b)
			if err := tt.do(b, c); err != nil || c.State != tt.state || (c.Review != nil) != tt.open {
				t.Errorf("%v: %s, review %v", err, c.State, c.Review)
			}
		})
	}
	b := newBench(t)
	b.approvers("role:oncall", "sam")
	if _, err := b.ask("admin", "alice", Ask{Emergency: true}); model.CodeOf(err) != model.Forbidden {
		t.Errorf("who is not on call: %v", err)
	}
}

// TestLapse: a fact that the approval relied on.
func TestLapse(t *testing.T) {
	t.Parallel()
	end := start().AddDate(1, 0, 0)
	for name, tt := range map[string]struct {
		change func(*bench)
		why    string // empty: it stays
	}{
		"nothing":           {func(*bench) {}, ""},
		"cost center":       {func(b *bench) { b.set(costCenter, "0815") }, `costCenter was "4711" when bob and sam approved, now "0815"`},
		"space":             {func(b *bench) { b.set(costCenter, "4711 ") }, `costCenter was "4711" when bob and sam approved, now "4711 "`},
		"no cost center":    {func(b *bench) { b.set(costCenter, "") }, `costCenter was "4711" when bob and sam approved, now none`},
		"the source failed": {func(b *bench) { b.set(costCenter, ""); b.env.known.Users = []store.SourceUser{{Source: "payroll"}} }, ""},
		"another fact":      {func(b *bench) { b.set("division", "x") }, ""},
		"manager":           {func(b *bench) { b.manager("carl") }, "manager was bob when bob and sam approved, now carl"},
		"manager renamed":   {func(b *bench) { b.env.known.Manager.Name = "robert" }, ""},
		"manager unknown":   {func(b *bench) { b.env.known.Manager = &model.Manager{Named: "x"} }, ""},
		"manager left":      {func(b *bench) { b.env.known.Manager.Stage = model.Leaver }, ""},
		"no manager":        {func(b *bench) { b.env.known.Manager = nil; b.set("manager", "") }, "manager was bob when bob and sam approved, now none"},
		"an end":            {func(b *bench) { b.env.identity.EndsAt = &end }, "the end was none when bob and sam approved, now 2028-03-01T12:00:00Z"},
		"end unreadable":    {func(b *bench) { b.env.identity.EndsAt, b.env.datesOK = &end, false }, ""},
		"on leave":          {func(b *bench) { b.env.stage = model.Leave }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := b.mustAsk("admin", "alice", Ask{})
			if err := errors.Join(c.yes("bob"), c.yes("sam")); err != nil {
				t.Fatal(err)
			}
			manager := *b.env.known.Manager
			b.env.known.Manager = &manager
			tt.change(b)
			b.after(c, time.Hour)
			if want := model.RequestApproved; tt.why == "" && c.State != want || tt.why != "" && (c.State != model.RequestLapsed || c.Why != tt.why) {
				t.Errorf("%s: %s", c.State, c.Why)
			}
		})
	}
}

// TestMoved: the new manager is asked, once, and what they say counts.
func TestMoved(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	held := func(t *testing.T, role string) (*bench, *requestCase) {
		t.Helper()
		b := newBench(t)
		c := b.mustAsk(role, "alice", Ask{})
		if err := c.yes("bob"); err != nil {
			t.Fatal(err)
		}
		if role == "both" {
			if err := c.yes("sam"); err != nil {
				t.Fatal(err)
			}
		}
		b.manager("carl")
		b.after(c, day)
		if c.State != model.RequestApproved || c.Review == nil || c.Review.Why != reviewMoved || !slices.Equal(c.asked(), []string{"carl"}) {
			t.Fatalf("%s, review %+v, asked %v", c.State, c.Review, c.asked())
		}
		return b, c
	}
	b, c := held(t, "keeps")
	if err := c.yes("bob"); err == nil {
		t.Error("the old manager answers")
	}
	if err := c.yes("carl"); err != nil || c.Review != nil || b.after(c, day).Review != nil {
		t.Errorf("kept: %v, %+v", err, c.Review)
	}
	b.set("department", "Engineering")
	if b.after(c, day); c.Review == nil || c.Review.About != `another department: "Engineering", before "Sales"` {
		t.Errorf("department: %+v", c.Review)
	}
	if b.after(c, 10*day); c.State != model.RequestApproved || c.Review != nil {
		t.Errorf("undecided, keep: %s %+v", c.State, c.Review)
	}
	b.set("department", "")
	if b.after(c, day); c.Review != nil {
		t.Error("a department that is not to be had is no move")
	}
	_, c = held(t, "keeps")
	if err := c.no("carl", "not with me"); err != nil || c.State != model.RequestRevoked {
		t.Errorf("ended: %v %s", err, c.State)
	}
	b, c = held(t, "both")
	if b.after(c, 10*day); c.State != model.RequestExpired {
		t.Errorf("undecided, end: %s", c.State)
	}
}

// TestEnded: leavers, roles that are no more, and what is not to end anything.
func TestEnded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*bench)
		want   model.RequestState
	}{
		"left":         {func(b *bench) { b.env.stage = model.Leaver }, model.RequestEnded},
		"purged":       {func(b *bench) { b.env.stage = model.Purged }, model.RequestEnded},
		"held as left": {func(b *bench) { b.env.stage, b.env.known.Row.OverGuard = model.Leaver, true }, model.RequestApproved},
		"on leave":     {func(b *bench) { b.env.stage = model.Leave }, model.RequestApproved},
		"role no more": {func(b *bench) { b.env.doc = &config.Document{Registry: b.env.doc.Registry} }, model.RequestApproved},
		"cannot be had": {func(b *bench) {
			b.env.doc = &config.Document{Registry: b.env.doc.Registry, Roles: []config.Role{{Name: "free"}}}
		}, model.RequestApproved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := b.mustAsk("free", "alice", Ask{})
			tt.change(b)
			b.after(c, time.Hour)
			if c.State != tt.want {
				t.Fatalf("%s: %s", c.State, c.Why)
			}
			b.env.stage, b.env.doc = model.Active, b.snap.Doc
			if b.after(c, time.Hour); c.State != tt.want {
				t.Errorf("it came back: %s", c.State)
			}
		})
	}
}

// TestRoleGone: what was approved for a role that the configuration leaves out gives
// nothing, is there again when the mistake is mended within a week, and ends after that.
func TestRoleGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.mustAsk("free", "alice", Ask{})
	gone := &config.Document{Registry: b.env.doc.Registry}
	b.env.doc = gone
	if b.after(c, time.Hour); c.InForce(b.env.now) || c.State != model.RequestApproved || !c.next().Equal(b.env.now.Add(secondThoughts)) {
		t.Errorf("left out: in force %v, %s, next at %v", c.InForce(b.env.now), c.State, c.next())
	}
	b.after(c, secondThoughts-time.Minute)
	b.env.doc = b.snap.Doc
	if b.after(c, 0); !c.InForce(b.env.now) {
		t.Errorf("mended: %s", c.State)
	}
	b.env.doc = gone
	b.after(c, time.Hour)
	if b.after(c, secondThoughts); c.State != model.RequestEnded {
		t.Errorf("left out for a week: %s", c.State)
	}
	b.env.doc = b.snap.Doc
	if b.after(c, time.Hour); c.State != model.RequestEnded {
		t.Errorf("it came back: %s", c.State)
	}
}
