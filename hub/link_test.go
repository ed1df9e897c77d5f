package hub_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const linkSources = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 1}}
  okta: {dialect: rfc}
  third: {dialect: rfc}
identity:
  match: [externalId, userName, 'emails[type eq "work"].value']
  authority: {"*": [hr, okta, third]}
roles:
  employee: {when: user.active, grants: [{target: chat}, {target: git}]}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  git: {url: http://127.0.0.1:2, profile: generic}
`

func mail(address string) []any { return []any{map[string]any{"type": "work", "value": address}} }

// pushed pushes a user of a source and tells resource and identity.
func (w *world) pushed(source, name string, pairs ...any) (resource, identity string) {
	w.t.Helper()
	attrs := map[string]any{"schemas": []any{scim.URNUser}, "userName": name, "active": true}
	for i := 0; i < len(pairs); i += 2 {
		attrs[pairs[i].(string)] = pairs[i+1]
	}
	resource = w.create(source, w.user, attrs).ID
	return resource, w.identityOf(resource)
}

// made says that a target has made the account of a person.
func (w *world) made(identity, target, remote string) {
	w.t.Helper()
	n := w.db.Exec(w.t, `UPDATE accounts SET remote_id = ?, owned = 'created', applied = desired, state = 'in_sync', due = FALSE, enabled = TRUE WHERE identity_id = ? AND target = ?`, remote, identity, target)
	if n != 1 {
		w.t.Fatalf("%s has no account at %s", identity, target)
	}
}

func desk() hub.Actor { return hub.Actor{Name: "ops"} }

func (w *world) link(person, to string) hub.Linked {
	w.t.Helper()
	out, err := w.Link(w.t.Context(), desk(), person, to, false)
	if err != nil {
		w.t.Fatalf("link %s to %s: %v", person, to, err)
	}
	w.evaluate()
	return out
}

func (w *world) unlink(person, source, resource string) hub.Linked {
	w.t.Helper()
	out, err := w.Unlink(w.t.Context(), desk(), person, source, resource)
	if err != nil {
		w.t.Fatalf("unlink %s/%s of %s: %v", source, resource, person, err)
	}
	w.evaluate()
	return out
}

func (w *world) openCases() []model.Case {
	w.t.Helper()
	list, _, err := w.Store.Cases(w.t.Context(), false, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) patchAs(source, id, operations string) {
	w.t.Helper()
	p, err := scim.ParsePatch([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":`+operations+`}`), w.user, scim.Dialect{})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Modify(w.t.Context(), by(source), w.user, id, always, scim.Change{Patch: p}, scim.Fields{}); err != nil {
		w.t.Fatalf("%s: %v", operations, err)
	}
}

// TestAmbiguousGetsNothing: who could be one of several people gets nothing until
// somebody says who they are; either answer settles it for good.
func TestAmbiguousGetsNothing(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, one := w.pushed("hr", "one", "emails", mail("shared@x"))
		_, two := w.pushed("hr", "two", "emails", mail("shared@x"))
		r3, p3 := w.pushed("third", "three", "emails", mail("shared@x"))
		_, p4 := w.pushed("okta", "four", "emails", mail("SHARED@x"))
		w.evaluate()
		for _, p := range []string{p3, p4} {
			s := w.state(p)
			if len(s.roles) > 0 || len(s.accounts) > 0 || !strings.Contains(strings.Join(s.row.Findings, "\n"), "could be one of") {
				w.t.Errorf("undecided: roles %v, accounts %v, findings %v", s.roles, s.accounts, s.row.Findings)
			}
		}
		open := w.openCases()
		if len(open) != 2 || open[0].ResourceID != r3 || !open[0].Blocks || !slices.Equal(open[0].Candidates, []string{one, two}) || open[0].Rule != `emails[type eq "work"].value` {
			w.t.Fatalf("cases %+v", open)
		}
		if !slices.Equal(open[1].Candidates, []string{one, two, p3}) {
			w.t.Errorf("the fourth could be %v", open[1].Candidates)
		}
		if _, err := w.Link(w.t.Context(), desk(), one, p3, false); model.CodeOf(err) != model.Conflict {
			w.t.Errorf("a known person was linked to one who waits: %v", err)
		}
		w.link(p3, one)
		if s := w.state(one); w.identityOf(r3) != one || len(s.accounts) != 2 {
			w.t.Errorf("linked: %+v", s)
		}
		if open = w.openCases(); len(open) != 1 || !slices.Equal(open[0].Candidates, []string{one, two}) {
			w.t.Fatalf("cases %+v", open)
		}
		if _, err := w.DecideNew(w.t.Context(), desk(), p4); err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		if s := w.state(p4); len(s.roles) != 1 || len(s.accounts) != 2 || len(s.row.Findings) > 0 || len(w.openCases()) > 0 {
			w.t.Errorf("decided to be somebody new: %+v", s)
		}
		if _, err := w.DecideNew(w.t.Context(), desk(), p4); model.CodeOf(err) != model.Conflict {
			w.t.Errorf("decided twice: %v", err)
		}
		decided, _, err := w.Store.Cases(w.t.Context(), true, "", 100)
		if err != nil || len(decided) != 2 || decided[0].Decision != one || decided[0].DecidedBy != "ops" || decided[1].Decision != "" || decided[1].DecidedAt == nil {
			w.t.Errorf("decided cases %+v %v", decided, err)
		}
	})
}

// TestNewStaysNew: who was decided to be somebody of their own is not asked about again.
func TestNewStaysNew(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		w.pushed("hr", "one", "emails", mail("shared@x"))
		w.pushed("hr", "two", "emails", mail("shared@x"))
		r, p := w.pushed("third", "three", "emails", mail("shared@x"))
		if _, err := w.DecideNew(w.t.Context(), desk(), p); err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		w.patchAs("third", r, `[{"op":"replace","path":"userName","value":"renamed"}]`)
		w.patchAs("third", r, `[{"op":"replace","path":"emails","value":[{"type":"work","value":"other@x"}]}]`)
		w.patchAs("third", r, `[{"op":"replace","path":"emails","value":[{"type":"work","value":"shared@x"}]}]`)
		if open := w.openCases(); len(open) > 0 || w.identityOf(r) != p {
			w.t.Errorf("asked again: %+v", open)
		}
		w.evaluate()
		w.remove("third", w.user, r)
		w.evaluate()
		if r, again := w.pushed("third", "renamed", "emails", mail("shared@x")); again != p || len(w.openCases()) > 0 {
			w.t.Errorf("made anew as %s: %s, was %s; cases %v", r, again, p, w.openCases())
		}
	})
}

func TestLinkMovesEverything(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		rp, p := w.pushed("okta", "ada.l")
		w.evaluate()
		w.made(p, "chat", "c1")
		w.made(p, "git", "g1")
		_, q := w.pushed("hr", "ada")
		w.evaluate()
		w.made(q, "git", "g2")
		out := w.link("ADA.L", "ada")
		if out.Person != p || out.Into != q || !slices.Equal(out.Accounts, []string{"chat"}) || !slices.Equal(out.Resources, []string{"okta/" + rp}) {
			w.t.Errorf("linked %+v", out)
		}
		mine, theirs := w.state(p), w.state(q)
		if a := theirs.accounts["chat"]; a.RemoteID != "c1" || a.Desired == nil || a.Desired.UserName != "ada" || !a.Due {
			w.t.Errorf("the account that moved: %+v", a)
		}
		if a := theirs.accounts["git"]; a.RemoteID != "g2" || a.Due {
			w.t.Errorf("the account that was there: %+v", a)
		}
		if a := mine.accounts["git"]; a.RemoteID != "g1" || a.Desired != nil || !a.Due || a.Leaver || a.LeaverHeld {
			w.t.Errorf("the account left over: %+v", a)
		}
		if _, left := mine.accounts["chat"]; left || len(mine.roles) > 0 || mine.row.MergedInto != q || mine.row.LeftAt != nil || mine.row.LeftSource != "" {
			w.t.Errorf("who was linked: %+v %v", mine.row, mine.roles)
		}
		if got := w.events(p); slices.Contains(got, "identity.leaver") || !slices.Contains(got, "identity.linked") || !slices.Contains(w.events(q), "identity.linked") {
			w.t.Errorf("events %v and %v", got, w.events(q))
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM audit WHERE action = 'identity.linked' AND actor = 'ops'`); n != 2 {
			w.t.Errorf("%d audit entries", n)
		}
		// Nobody has left: the next one who does is the first that the guard counts.
		r, gone := w.pushed("hr", "bob")
		w.evaluate()
		w.remove("hr", w.user, r)
		w.evaluate()
		if s := w.state(gone); s.row.OverGuard {
			w.t.Error("a link was counted as a leaver")
		}
		for _, name := range []string{p, q, "ada"} {
			err := w.Store.View(w.t.Context(), func(tx *store.Tx) error {
				row, err := tx.FindIdentity(name)
				if err == nil && row.ID != q {
					w.t.Errorf("%s is %s", name, row.ID)
				}
				return err
			})
			if err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.Store.View(w.t.Context(), func(tx *store.Tx) error { _, err := tx.FindIdentity("ada.l"); return err }); model.CodeOf(err) != model.NotFound {
			w.t.Errorf("found by the name of who was linked: %v", err)
		}
		// The name is given to somebody else: nobody comes back.
		w.remove("okta", w.user, rp)
		if _, other := w.pushed("okta", "ada.l"); other == p || other == q {
			w.t.Error("who was linked came back")
		}
	})
}

func TestLinkRefusals(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, a := w.pushed("hr", "a")
		rb, b := w.pushed("hr", "b")
		ro, o := w.pushed("okta", "o")
		_, gone := w.pushed("third", "gone")
		w.evaluate()
		w.link(gone, a)
		_, erased := w.pushed("third", "erased")
		w.db.Exec(w.t, `UPDATE identities SET erased_at = 1 WHERE id = ?`, erased)
		before := w.counts()
		for _, c := range []struct {
			what  string
			do    func() error
			code  model.Code
			words string
		}{
			{"oneself", func() error { _, err := w.Link(ctxOf(w), desk(), a, "A", false); return err }, model.Invalid, "nothing to link"},
			{"to nobody", func() error { _, err := w.Link(ctxOf(w), desk(), a, "nobody", false); return err }, model.NotFound, `"nobody"`},
			{"nobody", func() error { _, err := w.Link(ctxOf(w), desk(), "nobody", a, false); return err }, model.NotFound, `"nobody"`},
			{"to erased", func() error { _, err := w.Link(ctxOf(w), desk(), a, erased, false); return err }, model.Conflict, "erased"},
			{"to merged", func() error { _, err := w.Link(ctxOf(w), desk(), o, gone, false); return err }, model.Conflict, a},
			{"merged", func() error { _, err := w.Link(ctxOf(w), desk(), gone, o, false); return err }, model.Conflict, a},
			{"two of a source", func() error { _, err := w.Link(ctxOf(w), desk(), a, b, false); return err }, model.Refused, "source hr"},
			{"not theirs", func() error { _, err := w.Unlink(ctxOf(w), desk(), a, "hr", rb); return err }, model.Invalid, "none of the resources"},
			{"no such source", func() error { _, err := w.Unlink(ctxOf(w), desk(), a, "okta", ""); return err }, model.Invalid, "okta"},
			{"the only one", func() error { _, err := w.Unlink(ctxOf(w), desk(), o, "okta", ro); return err }, model.Conflict, "only resource"},
			{"no case", func() error { _, err := w.DecideNew(ctxOf(w), desk(), o); return err }, model.Conflict, "nothing is open"},
		} {
			err := c.do()
			if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) {
				w.t.Errorf("%s: %v", c.what, err)
			}
		}
		if after := w.counts(); after != before {
			w.t.Errorf("refusals wrote: %v, before %v", after, before)
		}
		if _, err := w.Link(ctxOf(w), desk(), b, a, true); err != nil || w.identityOf(rb) != a {
			w.t.Errorf("by force: %v", err)
		}
		if _, err := w.Unlink(ctxOf(w), desk(), a, "hr", ""); model.CodeOf(err) != model.Invalid || !strings.Contains(err.Error(), rb) {
			w.t.Errorf("which of two: %v", err)
		}
	})
}
