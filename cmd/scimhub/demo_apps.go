package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
)

// demoApp is one simulated application and how its true state is read.
type demoApp struct {
	name    string
	habits  string // in words
	profile string
	options string // of the target in the hub's configuration

	url   string // http://host:port
	token string
	http  http.Client
	last  appState // as read last
}

// demoApps are the four applications. Each hub profile matches the application's, but
// for the pace: the real one of 180 a minute would make the demo wait.
func demoApps() []*demoApp {
	return []*demoApp{
		{name: "chat", profile: "slack", habits: "like Slack: names of 20 characters, DELETE only deactivates", options: `
    match: [userName]
    rate: {buckets: []}
    user:
      userName: user.nickName
      displayName: user.displayName
      'emails[type eq "work"].value': user.emails[0].value
    groups: {mirror: ['displayName sw "team-"']}`},
		{name: "git", profile: "github", habits: "like GitHub: wants externalId, hides e-mail addresses of leavers, deletion is for ever", options: `
    rate: {buckets: []}`},
		{name: "cloud", profile: "aws", habits: "like AWS IAM Identity Center: 50 a page, 100 members a PATCH and shows none"},
		{name: "crm", profile: "generic", habits: "plain SCIM 2.0"},
	}
}

// startApps serves every application on a free port until ctx ends.
func (d *demo) startApps(ctx context.Context, parts *sync.WaitGroup, failed chan<- error) error {
	d.apps = demoApps()
	for _, a := range d.apps {
		var err error
		if a.token, err = d.secret(a.name + ".token"); err != nil {
			return err
		}
		served, err := app.New(app.Options{Profile: a.profile, Token: a.token, Pace: math.Inf(1)})
		if err != nil {
			return err
		}
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("application %s: %w", a.name, err)
		}
		a.url = "http://" + ln.Addr().String()
		a.http.Timeout = 10 * time.Second
		parts.Go(func() {
			if err := served.Serve(ctx, ln); err != nil {
				failed <- fmt.Errorf("application %s: %w", a.name, err)
			}
		})
	}
	return nil
}

// config is the hub's configuration: what a person would write into hub.yaml.
func (d *demo) config(listen string) string {
	file := func(name string) string { return `"${file:` + filepath.Join(d.dir, name) + `}"` }
	var b strings.Builder
	fmt.Fprintf(&b, `listen: %s
database: "sqlite:%s"
admin:
  tokens: [{name: demo, role: admin, secret: %s}]
sources:
  hr:
    tokens: [{name: main, secret: %s}]
roles:
  employee:
    when: user.active
    grants: [{target: chat}]
  engineer:
    when: user.enterprise.department == "Engineering"
    grants: [{target: git, group: engineers}, {target: cloud, group: developers}]
  seller:
    when: user.enterprise.department == "Sales"
    grants: [{target: crm, group: sellers}]
  support-agent:
    when: user.enterprise.department == "Support"
    grants: [{target: crm, group: agents}]
  manager:
    when: '"Managers" in user.groups'
    grants: [{target: chat, group: leads}, {target: git, group: reviewers}, {target: cloud, group: viewers}, {target: crm, group: reports}]
targets:
`, listen, filepath.Join(d.dir, "hub.db"), file("admin.token"), file("hr.token"))
	for _, a := range d.apps {
		fmt.Fprintf(&b, `  %s:
    url: %s%s
    auth: {bearer: %s}
    profile: %s
    leaver: {first: disable, memberships: remove}
    guard: {removals: 10%%, floor: 3, window: 1h}
    drift: {every: %s, changed: revert, missing: recreate, unknown: report}%s
`, a.name, a.url, app.Prefix, file(a.name+".token"), a.profile, demoSweep, a.options)
	}
	return b.String()
}

// demoSweep is how often the hub looks for drift: far oftener than in earnest, so
// that a change by hand is put right while one watches.
const demoSweep = 5 * time.Second

// appState is what an application really holds, by the name it knows a user by.
type appState map[string]appAccount

type appAccount struct {
	ID     string
	Active bool
	Groups []string // sorted
}

// state reads GET /_app/state, which shows what the application's profile hides.
func (a *demoApp) state(ctx context.Context) (appState, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/_app/state", nil)
	if err != nil {
		return nil, err
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("application %s: %w", a.name, err)
	}
	defer res.Body.Close()
	var raw struct {
		Users []struct {
			ID, UserName string
			Active       bool
		}
		Groups []struct {
			DisplayName string
			Members     []struct{ Value string }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		return nil, fmt.Errorf("application %s: its state cannot be read: %w", a.name, err)
	}
	groups := map[string][]string{}
	for _, g := range raw.Groups {
		for _, m := range g.Members {
			groups[m.Value] = append(groups[m.Value], g.DisplayName)
		}
	}
	out := appState{}
	for _, u := range raw.Users {
		slices.Sort(groups[u.ID])
		out[u.UserName] = appAccount{u.ID, u.Active, groups[u.ID]}
	}
	a.last = out
	return out, nil
}

// key is the name that the application knows a person by.
func (a *demoApp) key(p *person) string {
	if a.name == "chat" {
		return p.Nick
	}
	return p.UserName
}

// wrong says how the application differs from what people should have there;
// empty: it does not. Accounts that are not due must be inactive and in no group.
func (a *demoApp) wrong(state appState, people []*person) string {
	for _, p := range people {
		have, exists := state[a.key(p)]
		due, groups := p.due(a.name)
		switch {
		case due && !exists:
			return fmt.Sprintf("%s: %s has no account", a.name, p.Name())
		case due && !have.Active:
			return fmt.Sprintf("%s: the account of %s is inactive", a.name, p.Name())
		case !due && have.Active:
			return fmt.Sprintf("%s: the account of %s is still active", a.name, p.Name())
		case !slices.Equal(have.Groups, groups):
			return fmt.Sprintf("%s: %s is in %v instead of %v", a.name, p.Name(), have.Groups, groups)
		}
	}
	return ""
}

// active counts the accounts that can be used.
func (s appState) active() int {
	n := 0
	for _, a := range s {
		if a.Active {
			n++
		}
	}
	return n
}
