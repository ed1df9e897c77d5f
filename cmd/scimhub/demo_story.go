package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const (
	demoPatience = 30 * time.Second      // for any one thing to happen, unless said otherwise
	demoLook     = 25 * time.Millisecond // between two looks at it
)

// say writes a line of the story: when, what kind of thing, and what happened.
func (d *demo) say(kind, text string) {
	fmt.Fprintf(d.out, "%6.1fs  %-7s %s\n", time.Since(d.began).Seconds(), kind, text)
}

// story plays everything in order. Each part says first what is done, then what is
// seen; what is not seen in its time ends the story with an error that says so.
func (d *demo) story(ctx context.Context) error {
	for _, part := range []func(context.Context) error{d.everybody, d.joiner, d.mover, d.leaver, d.drift, d.massRemoval, d.settled} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await looks until ok answers with no complaint; the last complaint is the error.
func (d *demo) await(ctx context.Context, ok func() (complaint string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	tick := time.NewTicker(demoLook)
	defer tick.Stop()
	for {
		complaint, err := ok()
		if err != nil || complaint == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s", d.patience, complaint)
		case <-tick.C:
		}
	}
}

// arrived waits until every application has exactly what these people should have
// there, and says how long after a moment each was right.
func (d *demo) arrived(ctx context.Context, since time.Time, people ...*person) (map[string]time.Duration, error) {
	at := map[string]time.Duration{}
	err := d.await(ctx, func() (string, error) {
		complaint := ""
		for _, a := range d.apps {
			if _, done := at[a.name]; done {
				continue
			}
			state, err := a.state(ctx)
			if err != nil {
				return "", err
			}
			if c := a.wrong(state, people); c != "" {
				complaint = c
				continue
			}
			at[a.name] = time.Since(since)
		}
		return complaint, nil
	})
	return at, err
}

// everybody is the first push: all people, their managers and the groups.
func (d *demo) everybody(ctx context.Context) error {
	c := d.company
	d.say("hr", fmt.Sprintf("HR pushes %d people and %d groups over SCIM", len(c.people), len(c.groups())))
	boss := ""
	for _, p := range c.people {
		id, err := d.hr.create(ctx, "/Users", p.document(boss))
		if err != nil {
			return fmt.Errorf("push %s: %w", p.UserName, err)
		}
		p.ID = id
		if boss == "" {
			boss = id
		}
	}
	groups := c.groups()
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		members := []any{}
		for _, p := range groups[name] {
			members = append(members, map[string]any{"value": p.ID})
		}
		id, err := d.hr.create(ctx, "/Groups", map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name, "members": members})
		if err != nil {
			return fmt.Errorf("push group %s: %w", name, err)
		}
		c.groupIDs[name] = id
	}
	if _, err := d.arrived(ctx, time.Now(), c.people...); err != nil {
		return err
	}
	for _, a := range d.apps {
		if err := d.sayHolds(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// sayHolds says what an application holds now.
func (d *demo) sayHolds(ctx context.Context, a *demoApp) error {
	state, err := a.state(ctx)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	for _, account := range state {
		for _, g := range account.Groups {
			sizes[g]++
		}
	}
	var groups []string
	for _, g := range slices.Sorted(maps.Keys(sizes)) {
		groups = append(groups, fmt.Sprintf("%s %d", g, sizes[g]))
	}
	d.say("", fmt.Sprintf("%-5s has %d active accounts; groups: %s", a.name, state.active(), strings.Join(groups, ", ")))
	return nil
}

func (d *demo) joiner(ctx context.Context) error {
	p := d.company.hire("Engineering")
	d.say("joiner", p.Name()+" starts in Engineering")
	since := time.Now()
	id, err := d.hr.create(ctx, "/Users", p.document(d.company.people[0].ID))
	if err != nil {
		return err
	}
	p.ID = id
	if err := d.regroup(ctx, p, "", p.Team); err != nil {
		return err
	}
	at, err := d.arrived(ctx, since, p)
	if err != nil {
		return err
	}
	return d.sayHas(ctx, p, at)
}

// regroup is HR moving somebody from one team's group to another's.
func (d *demo) regroup(ctx context.Context, p *person, from, to string) error {
	if from != "" {
		path := fmt.Sprintf("members[value eq %q]", p.ID)
		if err := d.hr.patch(ctx, "/Groups/"+d.company.groupIDs[from], operation{Op: "remove", Path: path}); err != nil {
			return err
		}
	}
	return d.hr.patch(ctx, "/Groups/"+d.company.groupIDs[to],
		operation{Op: "add", Path: "members", Value: []any{map[string]any{"value": p.ID}}})
}

// sayHas says what each application shows of one person.
func (d *demo) sayHas(ctx context.Context, p *person, at map[string]time.Duration) error {
	for _, a := range d.apps {
		state, err := a.state(ctx)
		if err != nil {
			return err
		}
		account, exists := state[a.key(p)]
		what := "no account"
		switch {
		case exists && account.Active:
			what = "active, in " + strings.Join(account.Groups, ", ")
		case exists:
			what = "disabled, in no group"
		}
		if exists {
			what += fmt.Sprintf("   (right after %.2f s)", at[a.name].Seconds())
		}
		d.say("", fmt.Sprintf("%-5s %s", a.name, what))
	}
	return nil
}

func (d *demo) mover(ctx context.Context) error {
	p, err := d.company.find(func(p *person) bool { return p.Department == "Engineering" && !p.Manager })
	if err != nil {
		return err
	}
	d.say("mover", p.Name()+" goes from Engineering to Sales: git and cloud must go, crm must come")
	from := p.Team
	p.Department, p.Team = "Sales", teamOf("Sales")
	since := time.Now()
	if err := d.hr.patch(ctx, "/Users/"+p.ID, operation{Op: "replace", Path: demoEnterprise + ":department", Value: p.Department}); err != nil {
		return err
	}
	if err := d.regroup(ctx, p, from, p.Team); err != nil {
		return err
	}
	at, err := d.arrived(ctx, since, p)
	if err != nil {
		return err
	}
	return d.sayHas(ctx, p, at)
}

func (d *demo) leaver(ctx context.Context) error {
	p, err := d.company.find(func(p *person) bool { return p.Department == "Sales" && p.Manager })
	if err != nil {
		return err
	}
	d.say("leaver", p.Name()+", who has an account everywhere, leaves: HR sends active: false")
	p.Active = false
	since := time.Now()
	if err := d.hr.patch(ctx, "/Users/"+p.ID, operation{Op: "replace", Path: "active", Value: false}); err != nil {
		return err
	}
	at, err := d.arrived(ctx, since, p)
	if err != nil {
		return err
	}
	for _, t := range at {
		d.seen.leaver = max(d.seen.leaver, t)
	}
	if err := d.sayHas(ctx, p, at); err != nil {
		return err
	}
	d.say("", fmt.Sprintf("off at all %d applications after %.2f s", len(d.apps), d.seen.leaver.Seconds()))
	d.company.left = p
	return nil
}

// drift is somebody who opens the leaver's account again at the application itself.
func (d *demo) drift(ctx context.Context) error {
	p, a := d.company.left, d.apps[1]
	state, err := a.state(ctx)
	if err != nil {
		return err
	}
	since := time.Now()
	d.say("drift", fmt.Sprintf("somebody switches %s's account on again, by hand, at %s itself", p.Name(), a.name))
	byHand := newSCIMClient(a.url+scimPath, a.token)
	if err := byHand.patch(ctx, "/Users/"+state[a.key(p)].ID, operation{Op: "replace", Path: "active", Value: true}); err != nil {
		return err
	}
	if state, err = a.state(ctx); err != nil {
		return err
	}
	if state[a.key(p)].Active {
		d.say("", a.name+"   shows it active; the hub looks for such things every "+demoSweep.String())
	}
	if _, err := d.arrived(ctx, since, p); err != nil {
		return err
	}
	said, err := d.reported(ctx, p, a)
	if err != nil {
		return err
	}
	d.seen.drift++
	d.say("", fmt.Sprintf("%-5s shows it disabled again after %.1f s. The audit trail: %s", a.name, time.Since(since).Seconds(), said))
	return nil
}

// reported is what the audit trail says of a person's drift at an application.
func (d *demo) reported(ctx context.Context, p *person, a *demoApp) (said string, err error) {
	var who admin.IdentityView
	if err := d.api.call(ctx, "GET", "/identities/"+url.PathEscape(p.UserName), nil, &who); err != nil {
		return "", err
	}
	err = d.await(ctx, func() (string, error) {
		var entries listOf[store.AuditEntry]
		if err := d.api.call(ctx, "GET", query("/audit", "identity", who.ID, "limit", "1000"), nil, &entries); err != nil {
			return "", err
		}
		for _, e := range entries.Items {
			if strings.Contains(e.Object, a.name) && strings.HasSuffix(e.Action, string(model.Report)) {
				var c model.Change
				if err := json.Unmarshal(e.Data, &c); err != nil {
					return "", err
				}
				words := c.Because
				for _, f := range c.Fields {
					words = append(words, fmt.Sprintf("%s: %v -> %v", f.Path, f.Before, f.After))
				}
				said = strings.Join(words, ", ")
				return "", nil
			}
		}
		return "the audit trail does not mention the drift of " + p.Name(), nil
	})
	return said, err
}
