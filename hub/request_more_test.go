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

// TestMoverIsAskedAbout: the new manager is asked, on both databases, and only they.
func TestMoverIsAskedAbout(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		o.hire("carl")
		o.hire("dave", underBoss(o.res["bob"].ID)...)
		held := map[string]model.Request{}
		for _, who := range []string{"alice", "dave"} {
			r := o.ask(as(who), hub.Ask{Role: "prod"})
			o.approve(r.ID, as("bob"), as("sam"))
			held[who] = r
			o.patch(o.user, o.res[who].ID, `[{"op":"replace","path":"`+scim.URNEnterprise+`:manager","value":{"value":"`+o.res["carl"].ID+`"}}]`)
			o.evaluate()
			if !o.holds(who, "prod") || !slices.Contains(o.waiting("carl"), r.ID) || slices.Contains(o.waiting("bob"), r.ID) {
				t.Fatalf("%s: %v, waits for carl %v, bob %v", who, o.roles(who), o.waiting("carl"), o.waiting("bob"))
			}
		}
		if err := o.decide(as("bob"), held["alice"].ID, true); model.CodeOf(err) != model.Forbidden {
			t.Errorf("the old manager: %v", err)
		}
		if err := o.decide(as("carl"), held["alice"].ID, false); err != nil || o.holds("alice", "prod") {
			t.Errorf("ended: %v %v", err, o.roles("alice"))
		}
		o.wait(10 * day)
		if !o.holds("dave", "prod") || o.request(held["dave"].ID).Review != nil || len(o.waiting("carl")) != 0 {
			t.Errorf("nobody answered: %v %+v", o.roles("dave"), o.request(held["dave"].ID).Review)
		}
	})
}

// TestRequestLater: from a day on, to a day, with nobody looking meanwhile.
func TestRequestLater(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		from, until := noon().Add(10*day), noon().Add(12*day)
		r := o.ask(as("alice"), hub.Ask{Role: "prod", From: &from, Until: &until})
		o.approve(r.ID, as("bob"), as("sam"))
		for _, step := range []struct {
			pass time.Duration
			held bool
		}{{0, false}, {10*day - time.Microsecond, false}, {time.Microsecond, true}, {2*day - time.Microsecond, true}, {time.Microsecond, false}, {100 * day, false}} {
			if o.wait(step.pass); o.holds("alice", "prod") != step.held {
				t.Errorf("%s after the start: %v", o.clock.Now().Sub(noon()), o.roles("alice"))
			}
		}
	})
}

// TestApproverComesAndGoes: who holds the approving role is looked up when it matters.
func TestApproverComesAndGoes(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		r := o.ask(as("zoe"), hub.Ask{Role: "prod"}) // of no manager
		if f := o.findings("zoe"); !strings.Contains(f, "nobody can approve prod for zoe: zoe names no manager") {
			t.Errorf("%s", f)
		}
		if err := o.decide(as("sam"), r.ID, true); model.CodeOf(err) != model.Forbidden {
			t.Errorf("out of turn: %v", err)
		}
		o.patch(o.user, o.res["zoe"].ID, `[{"op":"add","path":"`+scim.URNEnterprise+`:manager","value":{"value":"bob"}}]`)
		o.evaluate()
		o.approve(r.ID, as("bob"))
		o.patch(o.user, o.res["sam"].ID, `[{"op":"replace","path":"title","value":"Gardener"}]`)
		o.evaluate()
		if f := o.findings("zoe"); !strings.Contains(f, "nobody can approve prod for zoe: nobody holds the role security") {
			t.Errorf("%s", f)
		}
		if err := o.decide(as("sam"), r.ID, true); model.CodeOf(err) != model.Forbidden || len(o.waiting("sam")) != 0 {
			t.Errorf("who lost the role: %v, %v", err, o.waiting("sam"))
		}
		o.hire("sue", "title", "Security")
		o.evaluate()
		if f := o.findings("zoe"); strings.Contains(f, "nobody can approve") || !slices.Equal(o.waiting("sue"), []string{r.ID}) {
			t.Errorf("%s; waits for sue %v", f, o.waiting("sue"))
		}
		o.approve(r.ID, as("sue"))
		if !o.holds("zoe", "prod") {
			t.Errorf("%v", o.roles("zoe"))
		}
	})
}

// TestRequestsListed: pages, filters, and that a person sees no others'.
func TestRequestsListed(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		o.hire("eve", underBoss(o.res["bob"].ID)...)
		var ids []string
		for _, who := range []string{"alice", "eve"} {
			for _, role := range []string{"prod", "one", "approver"} {
				ids = append([]string{o.ask(as(who), hub.Ask{Role: role}).ID}, ids...)
			}
		}
		list := func(by hub.Who, q hub.RequestQuery) (out []string, next string) {
			t.Helper()
			if q.Limit == 0 {
				q.Limit = 100
			}
			found, next, err := o.Requests(t.Context(), by, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range found {
				out = append(out, v.ID)
			}
			return out, next
		}
		var paged []string
		for after := ""; ; {
			page, next := list(opsToken(), hub.RequestQuery{Limit: 4, After: after, SeeAll: true})
			if paged = append(paged, page...); next == "" {
				break
			}
			after = next
		}
		if !slices.Equal(paged, ids) {
			t.Errorf("pages %v, want %v", paged, ids)
		}
		for name, tt := range map[string]struct {
			by   hub.Who
			q    hub.RequestQuery
			want int
		}{
			"all":             {opsToken(), hub.RequestQuery{SeeAll: true}, 6},
			"of a role":       {opsToken(), hub.RequestQuery{SeeAll: true, Role: "prod"}, 2},
			"for one":         {opsToken(), hub.RequestQuery{SeeAll: true, For: "eve"}, 3},
			"in a state":      {opsToken(), hub.RequestQuery{SeeAll: true, State: "approved"}, 0},
			"all that waits":  {opsToken(), hub.RequestQuery{SeeAll: true, Waiting: true}, 6},
			"mine":            {as("alice"), hub.RequestQuery{Mine: true}, 3},
			"what I may see":  {as("alice"), hub.RequestQuery{}, 3},
			"not another's":   {as("alice"), hub.RequestQuery{For: "eve"}, 0},
			"a manager sees":  {as("bob"), hub.RequestQuery{}, 4},
			"for one of them": {as("bob"), hub.RequestQuery{For: "eve"}, 2},
			"nobody's":        {as("zoe"), hub.RequestQuery{}, 0},
			"security":        {as("sam"), hub.RequestQuery{Waiting: true}, 4},
		} {
			if got, _ := list(tt.by, tt.q); len(got) != tt.want {
				t.Errorf("%s: %v, want %d", name, got, tt.want)
			}
		}
		if n, err := o.Store.PendingApprovals(t.Context()); n != 6 || err != nil {
			t.Errorf("pending: %d %v", n, err)
		}
	})
}
