package hub

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

// TestRequestProperties puts requests through whatever may happen, in any order:
//
//   - nobody decides about a role that they are to hold or asked for, nor does anybody
//     in their place; only the manager's own asking counts as the manager's yes
//   - a role is in force only if every step has said yes, or an operator decided in the
//     place of all, or it is an emergency
//   - what is closed never opens again
//   - nothing is in force outside of its time, nor for who has left
//   - settling twice changes nothing the second time, and time alone changes nothing
//     before the moment that next names
func TestRequestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t)
		role := rapid.SampledFrom([]string{"admin", "both", "keeps", "free"}).Draw(r, "role")
		asker := rapid.SampledFrom([]string{"alice", "bob", "sam", ""}).Draw(r, "asker")
		c, err := b.ask(role, asker, Ask{Emergency: role == "admin" && rapid.Bool().Draw(r, "emergency")})
		if err != nil {
			r.Skip(err.Error())
		}
		for range rapid.IntRange(1, 25).Draw(r, "n") {
			before := c.Clone()
			happens(r, b, c)
			checkRequest(r, b, before, c)
		}
	})
}

// happens lets one thing happen.
func happens(r *rapid.T, b *bench, c *requestCase) {
	who := rapid.SampledFrom([]string{"alice", "bob", "carl", "dora", "sam", "sue", "zoe", "eve", ""}).Draw(r, "who")
	switch rapid.IntRange(0, 9).Draw(r, "what") {
	case 0, 1, 2, 3:
		a := requestAnswer{person: who, name: who, override: who == "" || rapid.IntRange(0, 9).Draw(r, "admin") == 0,
			approve: rapid.IntRange(0, 3).Draw(r, "yes") > 0, reason: "because"}
		before := c.Clone()
		if err := c.answer(a); err != nil && !sameRequest(before, c.Request) {
			r.Fatalf("refused, and changed: %v", err)
		}
	case 4:
		b.manager(rapid.SampledFrom([]string{"bob", "carl", "alice"}).Draw(r, "manager"))
	case 5:
		b.approvers("role:security", rapid.SliceOfDistinct(rapid.SampledFrom([]string{"sam", "sue", "alice"}), func(s string) string { return s }).Draw(r, "security")...)
	case 6:
		b.env.stage = rapid.SampledFrom([]model.Stage{model.Active, model.Active, model.Active, model.Leave, model.Leaver}).Draw(r, "stage")
	case 7:
		b.set("department", rapid.SampledFrom([]string{"Sales", "Engineering", ""}).Draw(r, "department"))
	case 8:
		_ = c.revoke(who, "over")
	case 9:
		_ = c.withdraw(who, "")
	}
	b.after(c, time.Duration(rapid.IntRange(0, 15*24).Draw(r, "hours"))*time.Hour)
	settled := c.Clone()
	if b.after(c, 0); !sameRequest(settled, c.Request) {
		r.Fatal("settling again changed it")
	}
	if next := c.next(); next.IsZero() || next.Sub(b.env.now) > time.Hour {
		later := *c
		later.Request, later.env = c.Clone(), b.env
		later.env.now = later.env.now.Add(time.Hour - time.Second)
		if later.settleAll(); !sameRequest(settled, later.Request) {
			r.Fatalf("time changed it before %s", next)
		}
	}
}

func checkRequest(r *rapid.T, b *bench, before model.Request, c *requestCase) {
	if !before.State.Open() && c.State != before.State {
		r.Fatalf("%s became %s", before.State, c.State)
	}
	steps := slices.Clone(c.Steps)
	for _, v := range c.Reviewed {
		steps = append(steps, v.Step)
	}
	for _, s := range steps {
		for _, d := range s.Decisions {
			byAsking := d.For == managerApprover && d.Reason == "asked for it" && d.Approver == c.AskedBy
			moved := slices.ContainsFunc(c.Reviewed, func(v model.Review) bool {
				return v.Why == reviewMoved && len(v.Step.Decisions) > 0 && v.Step.Decisions[0] == d
			})
			if d.Approver == c.Identity || d.Deputy == c.Identity || d.Approver != "" && d.Approver == c.AskedBy && !byAsking && !moved {
				r.Fatalf("%s decided about their own: %+v", d.Approver, d)
			}
		}
	}
	if !c.InForce(b.env.now) {
		return
	}
	if b.env.stage == model.Leaver || c.Until != nil && !b.env.now.Before(*c.Until) {
		r.Fatalf("in force for a %s, until %v", b.env.stage, c.Until)
	}
	if c.Origin == model.OriginEmergency {
		return
	}
	override := slices.ContainsFunc(c.Steps, func(s model.Step) bool {
		return slices.ContainsFunc(s.Decisions, func(d model.Approval) bool { return d.Override && d.Approve })
	})
	for _, s := range c.Steps {
		if !stepDone(s) && !override {
			r.Fatalf("in force though a step did not say yes: %+v", s)
		}
	}
}
