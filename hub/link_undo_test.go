package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestUnlinkUndoesALink: who was linked by mistake is back with what they had, and
// stays apart.
func TestUnlinkUndoesALink(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		rp, p := w.pushed("okta", "ada.l")
		w.evaluate()
		w.made(p, "chat", "c1")
		w.made(p, "git", "g1")
		rq, q := w.pushed("hr", "ada")
		w.evaluate()
		w.made(q, "git", "g2")
		w.link(p, q)
		out := w.unlink(p, "okta", "") // found by the id of who was linked
		if out.Person != p || out.Into != q || !out.Returned || !slices.Equal(out.Accounts, []string{"chat"}) {
			w.t.Errorf("unlinked %+v", out)
		}
		mine, theirs := w.state(p), w.state(q)
		if w.identityOf(rp) != p || mine.row.MergedInto != "" || mine.row.Stage != model.Active || len(mine.roles) != 1 {
			w.t.Errorf("back: %+v %v", mine.row, mine.roles)
		}
		if a := mine.accounts["chat"]; a.RemoteID != "c1" || a.Desired == nil || a.Desired.UserName != "ada.l" {
			w.t.Errorf("the account that came back: %+v", a)
		}
		if a := mine.accounts["git"]; a.RemoteID != "g1" || a.Desired == nil {
			w.t.Errorf("the account that was left over: %+v", a)
		}
		if a := theirs.accounts["chat"]; a.RemoteID != "" || a.Desired == nil || !a.Due {
			w.t.Errorf("who has to get an account of their own: %+v", a)
		}
		// Renamed alike, made anew on either side: they stay two.
		w.patchAs("okta", rp, `[{"op":"replace","path":"userName","value":"ada"}]`)
		if w.identityOf(rp) != p || len(w.openCases()) > 0 {
			w.t.Errorf("linked again, or asked: %v", w.openCases())
		}
		w.evaluate()
		w.remove("okta", w.user, rp)
		rp, again := w.pushed("okta", "ada")
		if again != p {
			w.t.Errorf("made anew as %s, was %s", again, p)
		}
		w.remove("hr", w.user, rq)
		if _, again := w.pushed("hr", "ada"); again != q {
			w.t.Errorf("the other was made anew as %s, was %s", again, q)
		}
		// Until somebody says otherwise.
		w.link(p, q)
		w.remove("okta", w.user, rp)
		if _, again := w.pushed("okta", "ada"); again != q {
			w.t.Errorf("linked again and made anew as %s, not %s", again, q)
		}
	})
}

// TestUnlinkOfAMatch: a resource that came by a rule is somebody new.
func TestUnlinkOfAMatch(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		rq, q := w.pushed("hr", "ada", "externalId", "7")
		rp, same := w.pushed("okta", "ada", "externalId", "7")
		_, third := w.pushed("third", "ada")
		if same != q || third != q {
			w.t.Fatal("not matched")
		}
		w.evaluate()
		w.made(q, "chat", "c1")
		out := w.unlink("ada", "okta", rp)
		n := out.Person
		if n == q || w.identityOf(rp) != n || out.Returned || w.identityOf(rq) != q {
			w.t.Fatalf("unlinked %+v", out)
		}
		if s := w.state(n); s.row.Stage != model.Active || len(s.accounts) != 2 || s.accounts["chat"].RemoteID != "" {
			w.t.Errorf("the new person: %+v", s)
		}
		if s := w.state(q); s.accounts["chat"].RemoteID != "c1" || s.accounts["chat"].Due {
			w.t.Errorf("who stays: %+v", s.accounts["chat"])
		}
		for range 2 { // made anew under the same name or number, matching finds only who it is
			w.remove("okta", w.user, rp)
			if rp, _ = w.pushed("okta", "ada"); w.identityOf(rp) != n {
				w.t.Fatalf("made anew as %s, was %s", w.identityOf(rp), n)
			}
		}
		w.link(n, q)
		if s := w.state(n); w.identityOf(rp) != q || s.row.MergedInto != q {
			w.t.Errorf("linked again: %+v", s.row)
		}
		// And a chain: who was linked to somebody who was linked is that last one.
		_, z := w.pushed("hr", "zoe")
		if _, err := w.Link(w.t.Context(), desk(), q, z, true); err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		if s := w.state(n); s.row.MergedInto != z {
			w.t.Errorf("merged into %s", s.row.MergedInto)
		}
		if out := w.unlink(z, "okta", rp); out.Person != n || !out.Returned {
			w.t.Errorf("out of the chain: %+v", out)
		}
		if s := w.state(q); s.row.MergedInto != z {
			w.t.Errorf("the middle of the chain: %+v", s.row)
		}
	})
}

// TestChangedResourceIsMatchedAgain: a person whom nothing else describes is linked when
// a later change says who they are, but not if they have had access.
func TestChangedResourceIsMatchedAgain(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, q := w.pushed("hr", "ada", "externalId", "7", "emails", mail("ada@x"))
		_, other := w.pushed("hr", "bob", "emails", mail("bob@x"))
		fresh, f := w.pushed("okta", "fresh", "active", false)
		w.evaluate()
		w.patchAs("okta", fresh, `[{"op":"replace","path":"externalId","value":"7"}]`)
		w.evaluate()
		if w.identityOf(fresh) != q || w.state(f).row.MergedInto != q || len(w.openCases()) > 0 {
			w.t.Errorf("not linked: %v", w.openCases())
		}
		used, u := w.pushed("third", "used")
		w.evaluate()
		w.patchAs("third", used, `[{"op":"replace","path":"emails","value":[{"type":"work","value":"bob@x"}]}]`)
		w.evaluate()
		open := w.openCases()
		if len(open) != 1 || open[0].Blocks || !slices.Equal(open[0].Candidates, []string{other}) || open[0].Identity != u {
			w.t.Fatalf("cases %+v", open)
		}
		if s := w.state(u); len(s.roles) != 1 || len(s.row.Findings) != 1 || s.accounts["chat"].Desired == nil {
			w.t.Errorf("who is asked about has lost something: %+v", s)
		}
		w.patchAs("third", used, `[{"op":"replace","path":"emails","value":[{"type":"work","value":"used@x"}]}]`)
		w.evaluate()
		if open := w.openCases(); len(open) > 0 || len(w.state(u).row.Findings) > 0 {
			w.t.Errorf("nobody else matches any more: %+v", open)
		}
		// Who waits and turns out to be one person after all.
		w.pushed("hr", "t1", "emails", mail("shared@x"))
		_, t2 := w.pushed("hr", "t2", "emails", mail("shared@x"), "externalId", "E2")
		waits, p := w.pushed("okta", "waits", "emails", mail("shared@x"))
		w.evaluate()
		w.patchAs("okta", waits, `[{"op":"add","path":"externalId","value":"E2"}]`)
		w.evaluate()
		if w.identityOf(waits) != t2 || w.state(p).row.MergedInto != t2 || len(w.openCases()) > 0 {
			w.t.Errorf("belongs to %s; cases %v", w.identityOf(waits), w.openCases())
		}
	})
}

// TestLinkingInAnyOrder: whatever is linked, unlinked, changed, deleted and made anew,
// each resource is one person's, nobody who turned out to be another has one, no
// account has two owners, and access is what the facts give.
func TestLinkingInAnyOrder(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		seed := rand.Uint64()
		dice := rand.New(rand.NewPCG(seed, 7))
		var log []string
		sources := []string{"hr", "okta", "third"}
		type pushed struct{ source, id string }
		var live []pushed
		remote := 0
		note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
		for step := range 70 {
			source := sources[dice.IntN(3)]
			name := fmt.Sprintf("n%d", dice.IntN(6))
			switch dice.IntN(8) {
			case 0, 1:
				attrs := map[string]any{"userName": name, "active": true, "emails": mail(fmt.Sprintf("m%d@x", dice.IntN(3)))}
				r, err := w.Create(w.t.Context(), by(source), w.user, attrs)
				note("create %s %v: %s %v", source, attrs, r.ID, err)
				if err == nil {
					live = append(live, pushed{source, r.ID})
				}
			case 2:
				if len(live) > 0 {
					n := dice.IntN(len(live))
					note("delete %v", live[n])
					w.remove(live[n].source, w.user, live[n].id)
					live = slices.Delete(live, n, n+1)
				}
			case 3:
				if len(live) > 0 {
					r := live[dice.IntN(len(live))]
					note("change %v", r)
					w.patchAs(r.source, r.id, fmt.Sprintf(`[{"op":"replace","path":"emails","value":[{"type":"work","value":"m%d@x"}]}]`, dice.IntN(3)))
				}
			case 4, 5:
				ids := w.db.Strings(w.t, `SELECT id FROM identities ORDER BY id`)
				if len(ids) > 1 {
					p, q := ids[dice.IntN(len(ids))], ids[dice.IntN(len(ids))]
					_, err := w.Link(w.t.Context(), desk(), p, q, dice.IntN(3) == 0)
					note("link %s to %s: %v", p, q, err)
				}
			case 6:
				if len(live) > 0 {
					r := live[dice.IntN(len(live))]
					_, err := w.Unlink(w.t.Context(), desk(), w.identityOf(r.id), r.source, r.id)
					note("unlink %v: %v", r, err)
				}
			case 7:
				for _, c := range w.openCases() {
					_, err := w.DecideNew(w.t.Context(), desk(), c.Identity)
					note("new %s: %v", c.Identity, err)
				}
			}
			if dice.IntN(2) == 0 {
				continue
			}
			w.evaluate()
			for _, a := range w.db.Strings(w.t, `SELECT identity_id FROM accounts WHERE target = 'chat' AND desired IS NOT NULL AND remote_id = ''`) {
				remote++
				w.made(a, "chat", fmt.Sprint("c", remote))
			}
			if faults := w.linkFaults(); len(faults) > 0 {
				w.t.Fatalf("seed %d, step %d: %v\n%v", seed, step, faults, log)
			}
		}
	})
}

// linkFaults says what does not hold that always must.
func (w *world) linkFaults() (faults []string) {
	w.t.Helper()
	for what, query := range map[string]string{
		"resources of nobody":               `SELECT r.id FROM resources r LEFT JOIN identities i ON i.id = r.identity_id WHERE r.kind = 'User' AND i.id IS NULL`,
		"merged, with resources":            `SELECT i.id FROM identities i JOIN resources r ON r.identity_id = i.id WHERE i.merged_into <> ''`,
		"merged into nobody":                `SELECT i.id FROM identities i LEFT JOIN identities j ON j.id = i.merged_into WHERE i.merged_into <> '' AND (j.id IS NULL OR j.merged_into <> '')`,
		"accounts with two owners":          `SELECT remote_id FROM accounts WHERE remote_id <> '' GROUP BY target, remote_id HAVING count(*) > 1`,
		"cases of who is another":           `SELECT c.id FROM cases c JOIN identities i ON i.id = c.identity_id WHERE c.decided_at IS NULL AND i.merged_into <> ''`,
		"cases that name who is another":    `SELECT c.id FROM cases c JOIN identities i ON i.merged_into <> '' AND c.candidates LIKE '%' || i.id || '%' WHERE c.decided_at IS NULL`,
		"access without a resource":         `SELECT i.id FROM identities i WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id = i.id) AND (EXISTS (SELECT 1 FROM grants g WHERE g.identity_id = i.id AND g.ended_at IS NULL) OR EXISTS (SELECT 1 FROM accounts a WHERE a.identity_id = i.id AND a.desired IS NOT NULL))`,
		"a resource without access":         `SELECT r.identity_id FROM resources r WHERE r.kind = 'User' AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.identity_id = r.identity_id AND c.decided_at IS NULL AND c.blocks) AND (NOT EXISTS (SELECT 1 FROM grants g WHERE g.identity_id = r.identity_id AND g.ended_at IS NULL) OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.identity_id = r.identity_id AND a.target = 'chat' AND a.desired IS NOT NULL))`,
		"access of who waits":               `SELECT c.identity_id FROM cases c WHERE c.decided_at IS NULL AND c.blocks AND EXISTS (SELECT 1 FROM accounts a WHERE a.identity_id = c.identity_id AND a.desired IS NOT NULL)`,
		"leavers who are another":           `SELECT id FROM identities WHERE merged_into <> '' AND left_at IS NOT NULL`,
		"urgent removals of who is another": `SELECT a.identity_id FROM accounts a JOIN identities i ON i.id = a.identity_id WHERE i.merged_into <> '' AND a.leaver`,
		"a person twice":                    `SELECT r.identity_id FROM resources r JOIN apart a ON a.identity_id = r.identity_id AND a.owner_id = r.identity_id`,
	} {
		if rows := w.db.Strings(w.t, query); len(rows) > 0 {
			faults = append(faults, fmt.Sprintf("%s: %v", what, rows))
		}
	}
	slices.Sort(faults)
	return faults
}

// TestLinkIsInTheHistory: at any moment an account is in the history of one person.
func TestLinkIsInTheHistory(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, p := w.pushed("okta", "ada.l")
		w.evaluate()
		w.made(p, "chat", "c1")
		_, q := w.pushed("hr", "ada")
		before := w.clock.Now()
		w.clock.Add(time.Hour)
		w.link(p, q)
		after := w.clock.Now()
		at := func(identity string, when time.Time) string {
			var out []string
			err := w.Store.View(w.t.Context(), func(tx *store.Tx) error {
				list, err := tx.AccountsAt(identity, when)
				for _, a := range list {
					if a.Desired != nil {
						out = append(out, a.Target+" "+a.Desired.UserName)
					}
				}
				return err
			})
			if err != nil {
				w.t.Fatal(err)
			}
			return strings.Join(out, ", ")
		}
		for _, c := range []struct {
			identity string
			when     time.Time
			want     string
		}{{p, before, "chat ada.l, git ada.l"}, {q, before, ""}, {p, after, ""}, {q, after, "chat ada, git ada"}} {
			if got := at(c.identity, c.when); got != c.want {
				w.t.Errorf("%s at %s had %q, want %q", c.identity, c.when, got, c.want)
			}
		}
	})
}

// TestLinkTakesWhatWasAskedAlong: open requests and exceptions go with the person.
func TestLinkTakesWhatWasAskedAlong(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, p := w.pushed("okta", "ada.l")
		_, q := w.pushed("hr", "ada")
		w.evaluate()
		request := func(id, identity, role string, state model.RequestState) {
			err := w.Store.Update(w.t.Context(), func(tx *store.Tx) error {
				return tx.AddRequest(model.Request{ID: id, Identity: identity, AskedBy: p, Role: role, Origin: model.OriginAsked, State: state, Actor: "x", Created: w.clock.Now(), Steps: []model.Step{}})
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
		request("r1", p, "one", model.RequestApproved)
		request("r2", p, "two", model.RequestPending)
		request("r3", q, "two", model.RequestPending)
		request("r4", p, "three", model.RequestDenied)
		request("r5", q, "four", model.RequestPending)
		w.db.Exec(w.t, `INSERT INTO exceptions (id, identity_id, roles, owner, reason, made_by, from_at, until_at, made_at) VALUES ('e1', ?, '["a","b"]', ?, 'r', 'x', 1, 4000000000000000, 1)`, p, q)
		if _, err := w.Link(w.t.Context(), desk(), p, q, false); err != nil {
			w.t.Fatal(err)
		}
		got := w.db.Strings(w.t, `SELECT id FROM requests WHERE identity_id = ? ORDER BY id`, q)
		if !slices.Equal(got, []string{"r1", "r3", "r5"}) {
			w.t.Errorf("requests that went along: %v", got)
		}
		err := w.Store.View(w.t.Context(), func(tx *store.Tx) error {
			about, err := tx.About([]string{q})
			for _, r := range about.Requests[q] {
				if r.Identity != q || r.AskedBy != q {
					w.t.Errorf("request %s is about %s, asked by %s", r.ID, r.Identity, r.AskedBy)
				}
			}
			if len(about.Exceptions[q]) != 1 {
				w.t.Errorf("exceptions %+v", about.Exceptions[q])
			}
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	})
}
