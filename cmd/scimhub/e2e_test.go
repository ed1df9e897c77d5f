package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEndToEnd takes a company through a year's events and compares what every
// application really holds with an oracle after each.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		c := newCompany(sized(500, 100, 40), sized(30, 12, 12), rand.New(rand.NewPCG(1, 2)))
		began := time.Now()
		hr, idp := push(t, w, c)
		pushed := time.Since(began)
		w.converge(3*time.Minute, "everybody is everywhere", c)
		t.Logf("%d people and %d groups from two sources: pushed in %s, in three applications after %s", len(c.people), len(c.groups),
			pushed.Round(10*time.Millisecond), time.Since(began).Round(10*time.Millisecond))
		w.sound()
		y := year{t: t, w: w, c: c, hr: hr, idp: idp}
		y.explains()
		y.mover()
		y.leaver()
		y.rehire()
		y.renamed()
		y.groupRenamed()
		y.membership()
		y.deletes()
		w.sound()
	})
}

// year is the events of TestEndToEnd.
type year struct {
	t       *testing.T
	w       *world
	c       *company
	hr, idp *source
}

func (y *year) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// find picks the first person that fits.
func (y *year) find(fits func(p *person) bool) *person {
	y.t.Helper()
	i := slices.IndexFunc(y.c.people, fits)
	if i < 0 {
		y.t.Fatal("nobody in this company fits the test")
	}
	return y.c.people[i]
}

// only waits until the applications are as the oracle says and wants exactly these
// differences to before.
func (y *year) only(what string, before map[string]*holdings, want ...string) {
	y.t.Helper()
	y.w.converge(time.Minute, what, y.c)
	y.w.rest(30 * time.Second) // whatever is still to come has come
	slices.Sort(want)
	if diff := cmp.Diff(want, changes(before, y.w.snapshot())); diff != "" {
		y.t.Errorf("%s: changes (-want +got):\n%s", what, diff)
	}
}

// mover changes a department: what follows from it comes and goes, and nothing
// else is touched at any application.
func (y *year) mover() {
	p := y.find(func(p *person) bool {
		return p.hrID != "" && p.department == "Engineering" && len(expected("git", p).groups) == 1 && expected("crm", p) == nil
	})
	before := y.w.snapshot()
	began := time.Now()
	p.department = "Sales"
	y.must(y.hr.patch(y.t.Context(), "/Users/"+p.hrID, op("replace", enterpriseURN+":department", "Sales")))
	y.only("mover", before,
		"chat account changed "+p.externalID+" "+enterpriseURN, "chat left eng "+p.externalID,
		"crm account new "+p.externalID, "crm joined sales "+p.externalID,
		"git account changed "+p.externalID+" active,emails") // addresses of suspended accounts are hidden there
	y.t.Logf("mover: everywhere after %s", time.Since(began).Round(time.Millisecond))
}

// leaver is made inactive at HR and loses everything at once.
func (y *year) leaver() {
	p := y.inThree()
	before := y.w.snapshot()
	began := time.Now()
	p.active = false
	y.must(y.hr.patch(y.t.Context(), "/Users/"+p.hrID, op("replace", "active", false)))
	for _, app := range appNames {
		await(y.t, 30*time.Second, "leaver off at "+app, func() error {
			h, err := y.w.apps[app].state(y.t.Context())
			if err == nil && h.accounts[p.externalID] != nil && h.accounts[p.externalID].active {
				err = fmt.Errorf("%s is still active", p.userName)
			}
			return err
		})
	}
	y.t.Logf("leaver: off at three applications after %s", time.Since(began).Round(time.Millisecond))
	want := []string{"chat account changed " + p.externalID + " active", "git account changed " + p.externalID + " active,emails", "crm account gone " + p.externalID}
	for _, g := range before["crm"].accounts[p.externalID].groups {
		want = append(want, "crm left "+g+" "+p.externalID)
	}
	y.only("leaver", before, want...)
	if out := y.w.wantExit(0, "explain", p.userName); !strings.Contains(out, "no entitlement") {
		y.t.Errorf("a leaver is explained as %q", out)
	}
}

// inThree finds somebody who has an account at each application.
func (y *year) inThree() *person {
	return y.find(func(p *person) bool {
		return p.hrID != "" && p.idpID != "" && expected("chat", p) != nil && expected("git", p) != nil && expected("crm", p) != nil
	})
}

// rehire switches everybody who left on again: to the accounts they had.
func (y *year) rehire() {
	p := y.find(func(p *person) bool { return !p.active })
	ids := map[string]string{}
	before := y.w.snapshot()
	for _, app := range []string{"chat", "git"} {
		ids[app] = before[app].accounts[p.externalID].id
	}
	p.active = true
	y.must(y.hr.patch(y.t.Context(), "/Users/"+p.hrID, op("replace", "active", true)))
	y.w.converge(time.Minute, "rehire", y.c)
	y.w.rest(30 * time.Second)
	after := y.w.snapshot()
	for app, id := range ids {
		if got := after[app].accounts[p.externalID].id; got != id {
			y.t.Errorf("rehire: account %s at %s, had %s", got, app, id)
		}
	}
}

// renamed changes a person's names; the accounts stay the same ones.
func (y *year) renamed() {
	p := y.find(func(p *person) bool { return p.hrID != "" && p.idpID != "" && expected("git", p) != nil })
	before := y.w.snapshot()
	p.userName, p.family = "married."+p.userName, "Neu-Müller"
	y.must(y.hr.patch(y.t.Context(), "/Users/"+p.hrID, op("replace", "", map[string]any{"userName": p.userName, "name": map[string]any{"familyName": p.family}})))
	want := []string{"chat account changed " + p.externalID + " name,userName", "git account changed " + p.externalID + " displayName,userName"}
	if expected("crm", p) != nil {
		want = append(want, "crm account changed "+p.externalID+" name,userName")
	}
	y.only("renamed", before, want...)
}

// groupRenamed: a mirrored group follows its name, and a group that a rule names
// by its beginning is left by those who were in it for it.
func (y *year) groupRenamed() {
	for _, names := range [][2]string{{"app-git-", "app-git-renamed"}, {"proj-1", "other"}} {
		i := slices.IndexFunc(y.c.groups, func(g *group) bool { return strings.HasPrefix(g.name, names[0]) })
		if i < 0 {
			y.t.Fatalf("no group %s", names[0])
		}
		g, to := y.c.groups[i], names[1]
		y.must(y.idp.patch(y.t.Context(), "/Groups/"+g.getID(), op("replace", "displayName", to)))
		for _, p := range y.c.people {
			if p.groups[g.name] {
				delete(p.groups, g.name)
				p.groups[to] = true
			}
		}
		g.name = to
		y.w.converge(time.Minute, "group renamed to "+to, y.c)
	}
}

// membership adds one person to a mirrored group and takes them out again.
func (y *year) membership() {
	g := y.c.groups[slices.IndexFunc(y.c.groups, func(g *group) bool { return strings.HasPrefix(g.name, "app-git-") })]
	p := y.find(func(p *person) bool {
		return p.idpID != "" && p.hrID != "" && p.active && !p.groups[g.name] && expected("git", p) != nil
	})
	before := y.w.snapshot()
	p.groups[g.name] = true
	y.must(y.idp.patch(y.t.Context(), "/Groups/"+g.getID(), op("add", "members", []any{map[string]any{"value": p.idpID}})))
	y.only("added to a mirrored group", before, "git joined "+g.name+" "+p.externalID)
	delete(p.groups, g.name)
	y.must(y.idp.patch(y.t.Context(), "/Groups/"+g.getID(), op("remove", "members[value eq \""+p.idpID+"\"]", nil)))
	y.only("taken out of a mirrored group", before)
}

// deletes removes people at both sources: they are leavers, and where the policy is
// to disable their accounts stay.
func (y *year) deletes() {
	n := 0
	for _, p := range y.c.people {
		if p.n%10 == 3 {
			y.must(deletePerson(y.t.Context(), y.hr, y.idp, p))
			n++
		}
	}
	y.w.converge(time.Minute, fmt.Sprint(n, " people deleted at the sources"), y.c)
}

// explains asks for the reasons of everybody's entitlements.
func (y *year) explains() {
	for _, p := range y.c.people {
		var answer struct {
			Items []struct {
				Role, Target, Group, State string
				Because                    []struct {
					Rule, Group, Text string
					Facts             map[string]any
					Version           int
				}
			}
		}
		y.must(getJSON(y.t.Context(), y.w.base+"/api/v1/identities/"+url.PathEscape(p.userName)+"/explain", adminToken, &answer))
		got, want := map[string]bool{}, map[string]bool{}
		for _, e := range answer.Items {
			got[e.Target+":"+e.Group] = true
			if len(e.Because) == 0 || e.State != "in_sync" {
				y.t.Errorf("%s %s:%s is %s because of %v", p.userName, e.Target, e.Group, e.State, e.Because)
			}
			for _, b := range e.Because {
				if b.Text == "" || b.Version != 1 || (b.Rule == "" && b.Group != e.Group && e.Group != "") {
					y.t.Errorf("%s %s:%s because of %+v", p.userName, e.Target, e.Group, b)
				}
				if strings.Contains(b.Rule, "department") && b.Facts["enterprise.department"] != p.department {
					y.t.Errorf("%s %s:%s rests on %v", p.userName, e.Target, e.Group, b.Facts)
				}
			}
		}
		for _, app := range appNames {
			if e := expected(app, p); e != nil {
				want[app+":"] = true
				for _, g := range e.groups {
					want[app+":"+g] = true
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			y.t.Errorf("%s: explained entitlements (-want +got):\n%s", p.userName, diff)
		}
	}
}

// readBack compares what the hub says a source wrote with what it acknowledged.
func readBack(ctx context.Context, s *source, id string, want map[string]any) error {
	a, _, err := s.settled(ctx, http.MethodGet, "/Users/"+id, nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s: acknowledged and not there: %d %s", want["userName"], a.status, a.body)
	}
	var sent map[string]any
	if err := json.Unmarshal(mustJSON(want), &sent); err != nil {
		return err
	}
	for _, key := range []string{"id", "meta", "groups"} {
		delete(a.doc, key)
	}
	if diff := cmp.Diff(sent, a.doc); diff != "" {
		return fmt.Errorf("%s: acknowledged otherwise (-acknowledged +there):\n%s", want["userName"], diff)
	}
	return nil
}
