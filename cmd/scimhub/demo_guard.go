package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
)

// massRemoval is a change at HR that would take an application from a whole
// department: the guard lets a few through and holds the rest, until somebody
// approves exactly what is held.
func (d *demo) massRemoval(ctx context.Context) error {
	crm := d.apps[3]
	before, err := crm.state(ctx)
	if err != nil {
		return err
	}
	var moved []*person
	for _, p := range d.company.people {
		if p.Active && !p.Manager && p.Department == "Support" {
			moved = append(moved, p)
		}
	}
	d.say("guard", fmt.Sprintf("HR renames the department of %d people from Support to Helpdesk; no rule knows Helpdesk, so they would all lose crm", len(moved)))
	for _, p := range moved {
		p.Department = "Helpdesk"
		if err := d.hr.patch(ctx, "/Users/"+p.ID, operation{Op: "replace", Path: demoEnterprise + ":department", Value: p.Department}); err != nil {
			return err
		}
	}
	held, err := d.heldAt(ctx, crm, len(moved))
	if err != nil {
		return err
	}
	after, err := crm.state(ctx)
	if err != nil {
		return err
	}
	if gone := before.active() - after.active(); gone+held.Count != len(moved) || held.Count == 0 {
		return fmt.Errorf("of %d people %d lost crm and %d are held", len(moved), gone, held.Count)
	}
	d.seen.held = held.Count
	d.say("", fmt.Sprintf("crm   shows %d of %d accounts disabled; held: %d, %s", before.active()-after.active(), len(moved), held.Count, held.Reason))
	d.say("", fmt.Sprintf("a person who agrees runs: %s target release crm %s", commandName(), held.Digest))
	var done admin.ReleaseAnswer
	if err := d.api.call(ctx, "POST", targetPath(crm.name, "release"), admin.ReleaseRequest{Digest: held.Digest}, &done); err != nil {
		return err
	}
	if _, err := d.arrived(ctx, time.Now(), moved...); err != nil {
		return err
	}
	d.seen.released = done.Accounts
	if after, err = crm.state(ctx); err != nil {
		return err
	}
	d.say("", fmt.Sprintf("released with that digest: crm shows all %d disabled, %d accounts stay active", len(moved), after.active()))
	return nil
}

// heldAt waits until a target has worked on everything that it may, and something
// is held; at most n accounts can be.
func (d *demo) heldAt(ctx context.Context, a *demoApp, n int) (admin.HeldView, error) {
	var held admin.HeldView
	err := d.await(ctx, func() (string, error) {
		var t admin.TargetView
		if err := d.api.call(ctx, "GET", targetPath(a.name, ""), nil, &t); err != nil {
			return "", err
		}
		state, err := a.state(ctx)
		if err != nil {
			return "", err
		}
		left := 0
		for _, p := range d.company.people {
			if p.Department == "Helpdesk" && state[a.key(p)].Active {
				left++
			}
		}
		switch {
		case t.Held == nil:
			return fmt.Sprintf("nothing is held at %s, %d of %d are still active", a.name, left, n), nil
		case t.Pending > 0 || t.Held.Count != left:
			return fmt.Sprintf("%s has %d accounts waiting and %d held, %d are still active", a.name, t.Pending, t.Held.Count, left), nil
		}
		held = *t.Held
		return "", nil
	})
	return held, err
}

// settled asks the hub for a plan over everybody, which must be empty by now, and
// compares every application with everybody once more.
func (d *demo) settled(ctx context.Context) error {
	err := d.await(ctx, func() (string, error) {
		plan, err := askPlan(ctx, d.api, "", "")
		if err != nil || plan.Unchanged {
			return "", err
		}
		return fmt.Sprintf("the plan is not empty: %d targets would change", len(plan.Plans)), nil
	})
	if err != nil {
		return err
	}
	if _, err := d.arrived(ctx, time.Now(), d.company.people...); err != nil {
		return err
	}
	d.say("plan", "nothing is left to do: all four applications hold exactly what they should")
	return nil
}

// welcome prints where everything is and what can be tried.
func (d *demo) welcome(ctx context.Context) {
	var b strings.Builder
	cmd := commandName()
	fmt.Fprintf(&b, "scimhub demo: a hub, four simulated applications and a company of %d, all on this machine.\n\n", len(d.company.people))
	fmt.Fprintf(&b, "  %-6s %s/scim/v2   HR pushes here with token %s\n", "hub", d.hub.URL, d.hr.token)
	fmt.Fprintf(&b, "  %-6s %s/api/v1    token %s; metrics at %s/metrics\n", "api", d.hub.URL, d.api.token, d.hub.URL)
	var link admin.SignInLinkView
	if err := d.api.call(ctx, "POST", "/sign-in-links", admin.SignInLinkRequest{Role: admin.RoleAdmin}, &link); err != nil {
		link.URL = d.hub.URL + "/sign-in (with the token of the api)"
	}
	fmt.Fprintf(&b, "  %-6s %s   lets you in once, for a quarter of an hour\n", "look", link.URL)
	for _, a := range d.apps {
		fmt.Fprintf(&b, "  %-6s %s/_app/state   %s; SCIM at %s with token %s\n", a.name, a.url, a.habits, scimPath, a.token)
	}
	engineer := d.company.people[0]
	fmt.Fprintf(&b, `
Three things to try in another terminal:
  1. Who has what, and why:      %[1]s --server %[2]s target list
                                 %[1]s --server %[2]s explain %[3]s
  2. Hire somebody, as HR would: curl -s -H 'Authorization: Bearer %[4]s' -H 'Content-Type: application/scim+json' %[2]s/scim/v2/Users \
       -d '{"schemas":["%[5]s"],"userName":"you@example.com","nickName":"you","displayName":"You","name":{"givenName":"Y","familyName":"Ou"},"emails":[{"value":"you@example.com","type":"work"}],"active":true}'
     and see the account at chat: %[6]s/_app/state
  3. Break an application:       curl -d down %[7]s/_app/faults      then look at 1. again; heal it with
                                 curl -d none %[7]s/_app/faults

`, cmd, d.hub.URL, engineer.UserName, d.hr.token, "urn:ietf:params:scim:schemas:core:2.0:User", d.apps[0].url, d.apps[1].url)
	_, _ = io.WriteString(d.out, b.String())
}

// summary is the last that the demo says.
func (d *demo) summary() {
	if !d.seen.told {
		fmt.Fprintln(d.out, "\nThe story was not told to its end.")
		return
	}
	fmt.Fprintln(d.out, "\nSummary")
	for _, a := range d.apps {
		fmt.Fprintf(d.out, "  %-8s %d active accounts, %d disabled\n", a.name, a.last.active(), len(a.last)-a.last.active())
	}
	fmt.Fprintf(d.out, "  leaver   off everywhere after %.2f s\n", d.seen.leaver.Seconds())
	fmt.Fprintf(d.out, "  held     %d removals, %d released by digest\n", d.seen.held, d.seen.released)
	fmt.Fprintf(d.out, "  drift    %d found and put right\n", d.seen.drift)
}
