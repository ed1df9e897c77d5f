package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/policy"
)

const movers = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  sales:
    when: user.title == "Sales"
    deny: user.userType == "barred"
    inherits: [crm]
    handover: 10d
    grants: [{target: chat, group: sales}]
  crm: {inherits: [reader], grants: [{target: chat, group: crm}]}
  reader: {grants: [{target: chat, group: reader}]}
  plain: {when: user.title == "Sales", grants: [{target: chat, group: plain}]}
  short: {when: user.title == "Sales", handover: 2d, inherits: [reader]}
  buyer: {when: user.title == "Buyer", grants: [{target: chat, group: buyer}]}
  fails: {when: 'user.emails[0].value == "x"', handover: 3d}
conflicts: [{roles: [buyer, short]}]
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

// handed tells the roles kept for hand-over with the days until their end.
func handed(d hub.Decision, now time.Time) (kept, given []string) {
	for _, g := range d.Grants {
		over := slices.ContainsFunc(g.Because, func(r model.Reason) bool { return r.HandOver })
		switch {
		case over && g.Until != nil:
			kept = append(kept, g.Role+"+"+g.Until.Sub(now).String())
		case over:
			kept = append(kept, g.Role+" for ever")
		default:
			given = append(given, g.Role)
		}
	}
	return kept, given
}

// next is what is known after a decision was stored.
func next(k hub.Known, d hub.Decision, attrs ...any) hub.Known {
	out := someone(attrs...)
	out.Row, out.Row.Stage, out.Held, out.Exceptions = k.Row, d.Stage, d.Grants, k.Exceptions
	return out
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	snap := snapshot(t, movers)
	now := noon()
	day := 24 * time.Hour
	k := someone("title", "Sales")
	d := hub.Decide(snap, k, now)
	check := func(step, kept, given string) {
		t.Helper()
		a, b := handed(d, now)
		if strings.Join(a, " ") != kept || strings.Join(b, " ") != given {
			t.Errorf("%s: kept %v and given %v, want %q and %q", step, a, b, kept, given)
		}
	}
	check("sales", "", "crm plain reader sales short")

	k = next(k, d, "title", "None")
	d = hub.Decide(snap, k, now)
	check("moved", "crm+240h0m0s reader+240h0m0s sales+240h0m0s short+48h0m0s", "")
	if want := []string{"plain"}; !slices.Equal(d.Lost, want) || d.Next != now.Add(2*day) {
		t.Errorf("lost %v, next %v", d.Lost, d.Next)
	}
	for _, g := range d.Grants {
		for _, r := range g.Because {
			if text := policy.ReasonText(r); !strings.Contains(text, "kept for hand-over until "+g.Until.Format(time.RFC3339)) {
				t.Errorf("%s: %s", g.Role, text)
			}
		}
	}
	if groups := d.Desired["chat"].Account.Groups; !slices.Equal(groups, []string{"crm", "reader", "sales"}) {
		t.Errorf("groups %v", groups)
	}

	first := d
	k = next(k, d, "title", "None")
	now = now.Add(day)
	d = hub.Decide(snap, k, now)
	check("a day later, not put off", "crm+216h0m0s reader+216h0m0s sales+216h0m0s short+24h0m0s", "")
	if changed := grantsDiffer(first.Grants, d.Grants); len(changed) > 0 {
		t.Errorf("another evaluation changes %v", changed)
	}

	moved := k
	d = hub.Decide(snap, next(moved, first, "title", "Sales"), now)
	check("regained", "", "crm plain reader sales short")
	d = hub.Decide(snap, next(moved, first, "title", "Sales", "userType", "barred"), now)
	check("barred", "", "plain reader short")
	d = hub.Decide(snap, next(moved, first, "title", "None", "userType", "barred"), now)
	check("barred and not matching", "reader+24h0m0s short+24h0m0s", "")
	d = hub.Decide(snap, next(moved, first, "title", "Buyer"), now)
	check("a conflict", "crm+216h0m0s reader+216h0m0s sales+216h0m0s", "buyer")
	d = hub.Decide(snap, next(moved, first, "title", "None", "active", false), now)
	check("a leaver", "", "")

	now = noon().Add(2 * day)
	d = hub.Decide(snap, next(moved, first, "title", "None"), now)
	check("the first end", "crm+192h0m0s reader+192h0m0s sales+192h0m0s", "")
	now = noon().Add(10 * day)
	d = hub.Decide(snap, next(moved, d, "title", "None"), now)
	check("the last", "", "")
	if want := []string{"crm", "reader", "sales"}; !slices.Equal(d.Lost, want) {
		t.Errorf("lost %v", d.Lost)
	}
}

func grantsDiffer(a, b []model.Grant) (out []string) {
	for _, g := range a {
		same := slices.ContainsFunc(b, func(o model.Grant) bool {
			return o.Role == g.Role && o.Until.Equal(*g.Until) && len(o.Because) == len(g.Because) &&
				slices.EqualFunc(o.Because, g.Because, func(x, y model.Reason) bool { return policy.ReasonText(x) == policy.ReasonText(y) })
		})
		if !same {
			out = append(out, g.Role)
		}
	}
	return out
}

// TestHandOverOnlyOfRules: what was asked for ends when the request does, and a rule
// that fails keeps what it gave for longer than its hand-over.
func TestHandOverOnlyOfRules(t *testing.T) {
	t.Parallel()
	snap := snapshot(t, movers)
	k := someone("title", "None", "emails", []any{map[string]any{"value": "y"}})
	k.Held = []model.Grant{{Role: "sales", Because: []model.Reason{{Role: "sales", Request: "q1"}}}}
	if kept, given := handed(hub.Decide(snap, k, noon()), noon()); len(kept)+len(given) > 0 {
		t.Errorf("asked for: kept %v, given %v", kept, given)
	}
	k.Held[0].Because = append(k.Held[0].Because, model.Reason{Role: "sales", Rule: "x"})
	if kept, _ := handed(hub.Decide(snap, k, noon()), noon()); !slices.Equal(kept, []string{"sales+240h0m0s"}) {
		t.Errorf("asked for and by rule: kept %v", kept)
	}
	k = someone()
	end := noon().Add(time.Hour)
	k.Held = []model.Grant{{Role: "fails", Until: &end, Because: []model.Reason{{Role: "fails", Rule: "x", HandOver: true}}}}
	for at, want := range map[time.Time]int{noon(): 1, end: 0} {
		if d := hub.Decide(snap, k, at); len(d.Grants) != want {
			t.Errorf("at %v a failing rule: %+v", at, d.Grants)
		}
	}
	k.Held[0].Until, k.Held[0].Because[0].HandOver = nil, false
	if d := hub.Decide(snap, k, noon()); len(d.Grants) != 1 || d.Grants[0].Until != nil {
		t.Errorf("a rule that begins to fail: %+v", d.Grants)
	}
}

// TestHandOverStored: it survives restarts, and ends by itself.
func TestHandOverStored(t *testing.T) {
	t.Parallel()
	each(t, movers, func(w *world) {
		ada := w.person("ada", "title", "Sales", "emails", []any{map[string]any{"value": "y"}})
		w.evaluate()
		id := w.identityOf(ada.ID)
		w.patch(w.user, ada.ID, `[{"op":"replace","path":"title","value":"None"}]`)
		w.evaluate()
		until := w.db.Strings(t, `SELECT role || ' ' || until_at FROM grants WHERE identity_id = ? AND ended_at IS NULL ORDER BY role`, id)
		if len(until) != 4 {
			t.Fatalf("kept: %v", until)
		}
		if got := w.db.Strings(t, `SELECT data FROM events WHERE identity_id = ? AND type = 'handover.started'`, id); len(got) != 1 || !strings.Contains(got[0], `"sales": "2027-03-11T12:00:00Z"`) && !strings.Contains(got[0], `"sales":"2027-03-11T12:00:00Z"`) {
			t.Errorf("events %v", got)
		}
		w.clock.Add(48 * time.Hour)
		w.evaluate()
		w.patch(w.user, ada.ID, `[{"op":"replace","path":"nickName","value":"x"}]`)
		w.evaluate()
		if got := w.state(id).roles; !slices.Equal(got, []string{"crm", "reader", "sales"}) {
			t.Errorf("after two days: %v", got)
		}
		w.clock.Add(8 * 24 * time.Hour)
		w.evaluate()
		if got := w.state(id).roles; len(got) > 0 {
			t.Errorf("after ten days: %v", got)
		}
		w.patch(w.user, ada.ID, `[{"op":"replace","path":"title","value":"Sales"}]`)
		w.evaluate()
		if n := w.db.Int(t, `SELECT count(*) FROM grants WHERE identity_id = ? AND ended_at IS NULL AND until_at IS NOT NULL`, id); n > 0 {
			t.Errorf("%d regained roles have an end", n)
		}
	})
}

// TestHandOverSettles: whatever was held and whatever changes, deciding again of what
// was stored changes nothing, no end is put off, and what is kept was held.
func TestHandOverSettles(t *testing.T) {
	t.Parallel()
	snap := snapshot(t, `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  a: {when: 'user.nickName.contains("a")', handover: 10d, inherits: [c]}
  b: {when: 'user.nickName.contains("b")', handover: 3d, inherits: [c, d]}
  c: {when: 'user.nickName.contains("c")', inherits: [d], deny: 'user.nickName.contains("x")'}
  d: {when: 'user.nickName.contains("d")', handover: 20d}
  e: {when: 'user.nickName.contains("e")', inherits: [a], handover: 1d}
  f: {when: 'user.nickName.contains("f")', handover: 5d, deny: 'user.nickName.contains("y")'}
conflicts: [{roles: [f, b]}, {roles: [d, f]}]
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`)
	letters := rapid.SliceOfDistinct(rapid.SampledFrom(strings.Split("abcdefxy", "")), rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		now := noon()
		k := someone("nickName", letterText(t, letters))
		for range rapid.IntRange(1, 5).Draw(t, "moves") {
			d := hub.Decide(snap, k, now)
			held := map[string]*time.Time{}
			for _, g := range k.Held {
				held[g.Role] = g.Until
			}
			for _, g := range d.Grants {
				if !slices.ContainsFunc(g.Because, func(r model.Reason) bool { return r.HandOver }) {
					continue
				}
				until, was := held[g.Role]
				if !was || g.Until == nil || !g.Until.After(now) || g.Until.After(now.AddDate(0, 0, 20)) {
					t.Fatalf("%s is kept until %v, was held: %v", g.Role, g.Until, was)
				}
				if until != nil && g.Until.After(*until) {
					t.Fatalf("the end of %s is put off from %v to %v", g.Role, until, g.Until)
				}
			}
			facts := k.Users[0].Attrs["nickName"]
			k = next(k, d, "nickName", facts)
			again := hub.Decide(snap, k, now)
			if diff := cmp.Diff(d.Grants, again.Grants); diff != "" {
				t.Fatalf("deciding again changes: %s", diff)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
			k = next(k, again, "nickName", letterText(t, letters))
		}
	})
}

func letterText(t *rapid.T, letters *rapid.Generator[[]string]) string {
	return strings.Join(letters.Draw(t, "new facts"), "")
}
