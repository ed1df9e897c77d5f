package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

const checked = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, owner: hr-team@example.com}
  idp: {dialect: rfc}
identity:
  authority: {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.*": [hr], userName: [idp, hr], "*": [hr, idp]}
  required: [displayName, 'name.familyName']
roles:
  sales: {when: user.title == "Sales", grants: [{target: chat}]}
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

// complete has nothing wrong with it.
func complete(more ...any) hub.Known {
	return someone(append([]any{"title", "Sales", "displayName", "Ada", "name", map[string]any{"familyName": "L"}}, more...)...)
}

func TestQuality(t *testing.T) {
	t.Parallel()
	snap := snapshot(t, checked)
	manager := scim.URNEnterprise + ":manager"
	number := scim.URNEnterprise + ":employeeNumber"
	for name, tt := range map[string]struct {
		change func(k *hub.Known)
		want   []string // kind subject source: message
	}{
		"nothing": {func(*hub.Known) {}, nil},
		"required": {func(k *hub.Known) { delete(k.Users[0].Attrs, "displayName"); delete(k.Users[0].Attrs, "name") }, []string{
			"missing displayName hr: displayName is missing at hr, which everybody should have",
			"missing name.familyName hr: name.familyName is missing at hr, which everybody should have"}},
		"a part": {func(k *hub.Known) { k.Users[0].Attrs["name"] = map[string]any{"givenName": "A"} }, []string{
			"missing name.familyName hr: name.familyName is missing at hr, which everybody should have"}},
		"rules read it": {func(k *hub.Known) { delete(k.Users[0].Attrs, "title") }, []string{
			"missing title hr: title is missing at hr, which the rules of sales read"}},
		"the source that knows the person": {func(k *hub.Known) { k.Users[0].Source = "idp"; delete(k.Users[0].Attrs, "title") }, []string{
			"missing title idp: title is missing at idp, which the rules of sales read"}},
		"no manager found": {func(k *hub.Known) { k.Manager = &model.Manager{Named: "42"} }, []string{
			`manager ` + manager + ` hr: the manager "42" is not to be found (hr)`}},
		"manager left": {func(k *hub.Known) {
			k.Manager = &model.Manager{Named: "42", ID: "i9", Name: "eve", Stage: model.Leaver}
		}, []string{
			`manager ` + manager + ` hr: the manager eve has left (hr)`}},
		"manager on leave": {func(k *hub.Known) { k.Manager = &model.Manager{Named: "42", ID: "i9", Name: "eve", Stage: model.Leave} }, nil},
		"own manager": {func(k *hub.Known) {
			k.Manager = &model.Manager{Named: "42", ID: "i1", Name: "ada", Stage: model.Active, Circle: true}
		}, []string{
			`manager ` + manager + ` hr: is named as their own manager (hr)`}},
		"circle": {func(k *hub.Known) {
			k.Manager = &model.Manager{Named: "42", ID: "i9", Name: "eve", Stage: model.Active, Circle: true}
		}, []string{
			`manager ` + manager + ` hr: the managers above eve lead back to this person (hr)`}},
		"namesakes": {func(k *hub.Known) {
			k.Users[0].Attrs[scim.URNEnterprise] = map[string]any{"employeeNumber": " 7 "}
			k.Namesakes = []string{"bob"}
		}, []string{`number ` + number + ` hr: employeeNumber 7 is that of bob, too`}},
		"an owner who left": {func(k *hub.Known) {
			k.Exceptions = []model.Exception{{ID: "e1", Roles: []string{"a", "b"}, Owner: "i9", OwnerName: "eve", OwnerStage: model.Leaver, Until: noon().Add(time.Hour)}}
		}, []string{`conflict exception e1 : eve, who answers for the exception by which a and b are held together, is not here any more: let somebody else make a new one`}},
		"a leaver is nobody's concern": {func(k *hub.Known) {
			k.Users[0].Attrs["active"] = false
			delete(k.Users[0].Attrs, "title")
			k.Namesakes = []string{"bob"}
			k.Manager = &model.Manager{Named: "42"}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := complete()
			tt.change(&k)
			var got []string
			for _, f := range hub.Decide(snap, k, noon()).Findings {
				got = append(got, fmt.Sprintf("%s %s %s: %s", f.Kind, f.Subject, f.Source, f.Message))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNumbers: two who share a number know of each other, whoever came first, until
// one of them has another or has left.
func TestNumbers(t *testing.T) {
	t.Parallel()
	each(t, checked, func(w *world) {
		person := func(name, number string) (resource, identity string) {
			r := w.person(name, "title", "Sales", "displayName", name, "name", map[string]any{"familyName": name},
				scim.URNEnterprise, map[string]any{"employeeNumber": number})
			w.evaluate()
			return r.ID, w.identityOf(r.ID)
		}
		found := func() (out []string) {
			return w.db.Strings(w.t, `SELECT i.name || ': ' || f.message FROM findings f JOIN identities i ON i.id = f.identity_id WHERE f.kind = 'number' ORDER BY i.name`)
		}
		_, _ = person("ada", "E7")
		bobR, bob := person("bob", "e7")
		check := func(step string, want ...string) {
			w.t.Helper()
			if got := found(); !slices.Equal(got, want) {
				w.t.Errorf("%s: %q, want %q", step, got, want)
			}
		}
		check("both", "ada: employeeNumber E7 is that of bob, too", "bob: employeeNumber e7 is that of ada, too")
		if row := w.state(bob).row; !slices.Equal(row.Findings, []string{"employeeNumber e7 is that of ada, too"}) {
			w.t.Errorf("bob: %q", row.Findings)
		}
		set := func(number string) {
			w.patch(w.user, bobR, `[{"op":"replace","path":"`+scim.URNEnterprise+`:employeeNumber","value":"`+number+`"}]`)
			w.evaluate()
		}
		set("E8")
		check("another number")
		set("E7")
		check("the same again", "ada: employeeNumber E7 is that of bob, too", "bob: employeeNumber E7 is that of ada, too")
		w.patch(w.user, bobR, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		check("left")
		w.patch(w.user, bobR, `[{"op":"replace","path":"active","value":true}]`)
		w.evaluate()
		check("back", "ada: employeeNumber E7 is that of bob, too", "bob: employeeNumber E7 is that of ada, too")
		w.remove("hr", w.user, bobR)
		w.evaluate()
		check("deleted")
	})
}

// TestFindingsStored: what was found keeps the time since when, what is put right is
// gone, and an evaluation that finds the same writes nothing.
func TestFindingsStored(t *testing.T) {
	t.Parallel()
	each(t, checked, func(w *world) {
		r := w.person("ada", "name", map[string]any{"familyName": "L"})
		w.evaluate()
		rows := func() []string {
			return w.db.Strings(w.t, `SELECT kind || ' ' || subject || ' ' || source || ' ' || since FROM findings ORDER BY kind, subject`)
		}
		at := func(t time.Time) string { return fmt.Sprint(t.UnixMicro()) }
		want := []string{"missing displayName hr " + at(noon()), "missing title hr " + at(noon())}
		if got := rows(); !slices.Equal(got, want) {
			w.t.Fatalf("found %q, want %q", got, want)
		}
		w.clock.Add(time.Hour)
		w.patch(w.user, r.ID, `[{"op":"replace","path":"displayName","value":"Ada"},{"op":"remove","path":"name"}]`)
		w.evaluate()
		want = []string{"missing name.familyName hr " + at(noon().Add(time.Hour)), "missing title hr " + at(noon())}
		if got := rows(); !slices.Equal(got, want) {
			w.t.Errorf("found %q, want %q", got, want)
		}
		w.db.Exec(w.t, `DELETE FROM findings`) // to see that nothing is written
		w.patch(w.user, r.ID, `[{"op":"replace","path":"nickName","value":"x"}]`)
		w.evaluate()
		if got := rows(); len(got) > 0 {
			w.t.Errorf("written although nothing changed: %q", got)
		}
	})
}

const guarded = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  pays: {when: 'user.nickName.contains("p")', grants: [{target: chat, group: p}]}
  approves: {when: 'user.nickName.contains("a")', grants: [{target: chat, group: a}]}
  reads: {when: 'user.nickName.contains("r")', grants: [{target: chat, group: r}]}
conflicts:
  - {name: payments, roles: [pays, approves]}
  - {roles: [reads, pays], action: report}
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

// TestExceptionLife: from when it is made until it ends or is revoked.
func TestExceptionLife(t *testing.T) {
	t.Parallel()
	each(t, guarded, func(w *world) {
		ada := w.identityOf(w.person("ada", "nickName", "pa").ID)
		eveR := w.person("eve", "nickName", "x").ID
		w.evaluate()
		w.roles(ada, "pays")
		op := hub.Actor{Name: "ops"}
		from := noon().Add(time.Hour)
		n := hub.NewException{Person: "ada", Roles: []string{"pays", "approves"}, Owner: "EVE", Reason: "holidays", From: &from, Until: noon().Add(3 * time.Hour)}
		e, err := w.AddException(w.t.Context(), op, n)
		if err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		w.roles(ada, "pays")
		w.clock.Set(from)
		w.evaluate()
		w.roles(ada, "approves", "pays")
		if r := w.state(ada).because["approves"]; r[0].Exception != e.ID {
			w.t.Errorf("because %+v", r)
		}
		w.patch(w.user, eveR, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		if f := w.state(ada).row.Findings; len(f) != 1 || !strings.Contains(f[0], "eve, who answers") {
			w.t.Errorf("an owner who left: %q", f)
		}
		w.roles(ada, "approves", "pays")
		w.clock.Set(n.Until)
		w.evaluate()
		w.roles(ada, "pays")
		second := n
		second.From, second.Until, second.Owner = nil, n.Until.Add(time.Hour), "zoe"
		w.person("zoe")
		w.evaluate()
		if e, err = w.AddException(w.t.Context(), op, second); err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		w.roles(ada, "approves", "pays")
		for range 2 { // the second changes nothing
			if _, err := w.RevokeException(w.t.Context(), op, e.ID, "no more"); err != nil {
				w.t.Fatal(err)
			}
			w.evaluate()
			w.roles(ada, "pays")
		}
		want := []string{"exception.created", "exception.ended", "exception.created", "exception.revoked"}
		if got := w.db.Strings(w.t, `SELECT type FROM events WHERE identity_id = ? AND type LIKE 'exception.%' ORDER BY id`, ada); !slices.Equal(got, want) {
			w.t.Errorf("events %v", got)
		}
		slices.Sort(want)
		if got := w.db.Strings(w.t, `SELECT action FROM audit WHERE identity_id = ? AND action LIKE 'exception.%' ORDER BY action`, ada); !slices.Equal(got, want) {
			w.t.Errorf("audit %v", got)
		}
		if _, err := w.RevokeException(w.t.Context(), op, "none", ""); model.CodeOf(err) != model.NotFound {
			w.t.Errorf("revoke nothing: %v", err)
		}
	})
}

func (w *world) roles(identity string, want ...string) {
	w.t.Helper()
	if got := w.state(identity).roles; !slices.Equal(got, want) {
		w.t.Errorf("roles %v, want %v", got, want)
	}
}

// TestExceptionRefused: bad ones get a clear error and change nothing.
func TestExceptionRefused(t *testing.T) {
	t.Parallel()
	each(t, guarded, func(w *world) {
		for _, name := range []string{"ada", "eve"} {
			w.person(name, "nickName", "x")
		}
		w.patch(w.user, w.person("gone").ID, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		before := w.counts()
		earlier := noon().Add(2 * time.Hour)
		good := hub.NewException{Person: "ada", Roles: []string{"pays", "approves"}, Owner: "eve", Reason: "x", Until: noon().Add(time.Hour)}
		for want, change := range map[string]func(n *hub.NewException){
			"no person":                             func(n *hub.NewException) { n.Person = "nobody" },
			`there is no role "pay"; did you mean`:  func(n *hub.NewException) { n.Roles = []string{"pay", "approves"} },
			"two roles or more":                     func(n *hub.NewException) { n.Roles = []string{"pays", "pays"} },
			"nothing forbids approves beside reads": func(n *hub.NewException) { n.Roles = []string{"reads", "approves"} },
			"nothing forbids pays beside reads":     func(n *hub.NewException) { n.Roles = []string{"reads", "pays"} },
			"nothing forbids reads beside":          func(n *hub.NewException) { n.Roles = []string{"reads", "pays", "approves"} },
			"owner is missing":                      func(n *hub.NewException) { n.Owner = " " },
			`owner: there is no person "nobody"`:    func(n *hub.NewException) { n.Owner = "nobody" },
			"owner: gone is a leaver":               func(n *hub.NewException) { n.Owner = "gone" },
			"of their own":                          func(n *hub.NewException) { n.Owner = "ada" },
			"gone is a leaver, who holds no roles":  func(n *hub.NewException) { n.Person = "gone" },
			"reason is missing":                     func(n *hub.NewException) { n.Reason = " " },
			"until is missing":                      func(n *hub.NewException) { n.Until = time.Time{} },
			"has passed already":                    func(n *hub.NewException) { n.Until = noon() },
			"is not after the beginning":            func(n *hub.NewException) { n.From = &earlier },
		} {
			n := good
			change(&n)
			_, err := w.AddException(w.t.Context(), hub.Actor{Name: "ops"}, n)
			if err == nil || !strings.Contains(err.Error(), want) {
				w.t.Errorf("%q: %v", want, err)
			}
		}
		if after := w.counts(); after != before {
			w.t.Errorf("rows %v, before %v", after, before)
		}
	})
}

// TestManySharedNumbers: a number that very many have costs no more than one of two.
func TestManySharedNumbers(t *testing.T) {
	t.Parallel()
	each(t, checked, func(w *world) {
		for n := range 30 {
			w.person(fmt.Sprintf("p%02d", n), "title", "Sales", "displayName", "x", "name", map[string]any{"familyName": "x"},
				scim.URNEnterprise, map[string]any{"employeeNumber": "0"})
		}
		w.evaluate()
		if n := w.db.Int(w.t, `SELECT count(*) FROM findings WHERE kind = 'number'`); n != 30 {
			w.t.Errorf("%d know of each other", n)
		}
	})
}
