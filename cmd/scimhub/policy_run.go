package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

func policyTest() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "test DIR",
		Short: "Try the rules on people written down, without a hub",
		Long: `Reads every *.yaml file below DIR: people, and what access they should have. Each
is decided as the hub would; what differs is said with file:line, the difference and the
reasons. Exit code 0: nothing differs; 2: something does; 1: a file is faulty.`,
		Example: "  scimhub policy test tests/ --config hub.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return testPolicy(cmd.OutOrStdout(), args[0], path, time.Now())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file (default: the one that a file of cases names)")
	return cmd
}

func testPolicy(w io.Writer, root, configPath string, now time.Time) error {
	files, err := caseFiles(root)
	if err != nil {
		return err
	}
	compiled := map[string]*hub.Snapshot{}
	cases, differ := 0, 0
	var faulty []config.Fault
	for _, path := range files {
		file, faults, err := readCases(path)
		if err != nil {
			faulty = append(faulty, faults.faults...)
			continue
		}
		snap, err := configOfCases(compiled, faults, file, configPath)
		if err != nil {
			return err
		}
		for n := range file.Cases {
			if snap == nil {
				break
			}
			cases++
			if runCase(w, snap, faults, file, n, now) {
				differ++
			}
		}
		faulty = append(faulty, config.SortFaults(faults.faults)...)
	}
	if len(faulty) > 0 {
		return &hub.FaultsError{Faults: faulty}
	}
	fmt.Fprintf(w, "%d cases in %d files, %d differ\n", cases, len(files), differ)
	if differ > 0 {
		return exitCode{code: exitDiffers}
	}
	return nil
}

// configOfCases compiles the configuration of a file of cases, each once.
func configOfCases(compiled map[string]*hub.Snapshot, faults *caseFaults, file caseFile, given string) (*hub.Snapshot, error) {
	path := given
	if path == "" && file.Config != "" {
		if path = filepath.FromSlash(file.Config); !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(faults.file), path)
		}
	}
	if path == "" {
		faults.add("$", "names no configuration: write config: FILE, or give --config")
		return nil, nil
	}
	if compiled[path] == nil {
		snap, err := compileFile(path)
		if err != nil {
			return nil, err
		}
		compiled[path] = snap
	}
	return compiled[path], nil
}

// runCase decides a case and prints what differs.
func runCase(w io.Writer, snap *hub.Snapshot, faults *caseFaults, file caseFile, n int, now time.Time) bool {
	c, path := file.Cases[n], fmt.Sprintf("$.cases[%d]", n)
	before := len(faults.faults)
	now = faults.moment(path, snap.Doc.Identity.Zone, now, c.At, file.At)
	people := faults.people(path, snap.Doc, c)
	faults.names(path, snap, c)
	if len(faults.faults) > before {
		return false
	}
	d := hub.Decide(snap, knownOf(c, people, now), now)
	diff := &difference{engine: snap.Policy, decision: d}
	diff.compare(c.Expect)
	if len(diff.lines) == 0 {
		return false
	}
	line, _ := faults.place(path)
	name := c.Name
	if name == "" {
		name = fmt.Sprintf("case %d", n+1)
	}
	fmt.Fprintf(w, "%s:%d: %s\n", faults.file, line, name)
	for _, l := range diff.lines {
		fmt.Fprintln(w, "    "+l)
	}
	return true
}

// names checks the roles, targets and stages that a case names.
func (f *caseFaults) names(path string, snap *hub.Snapshot, c policyCase) {
	roles := snap.Policy.Roles()
	lists := map[string][]string{"requests": c.Requests, "held": c.Held, "expect.has": c.Expect.Has, "expect.lacks": c.Expect.Lacks, "expect.denied": c.Expect.Denied}
	if c.Expect.Roles != nil {
		lists["expect.roles"] = *c.Expect.Roles
	}
	if c.Expect.Asks != nil {
		lists["expect.asks"] = *c.Expect.Asks
	}
	for key, list := range lists {
		for n, role := range list {
			f.known(fmt.Sprintf("%s.%s[%d]", path, key, n), "role", role, roles)
		}
	}
	targets := make([]string, 0, len(snap.Doc.Targets))
	for _, t := range snap.Doc.Targets {
		targets = append(targets, t.Name)
	}
	for name := range c.Expect.Targets {
		f.known(path+".expect.targets."+name, "target", name, targets)
	}
	if c.Expect.Access != nil {
		for n, access := range *c.Expect.Access {
			name, _, _ := strings.Cut(access, ":")
			f.known(fmt.Sprintf("%s.expect.access[%d]", path, n), "target", name, targets)
		}
	}
	for key, stage := range map[string]string{"before": c.Before, "expect.stage": c.Expect.Stage} {
		if stage != "" {
			f.known(path+"."+key, "stage", stage, stages)
		}
	}
	if reflect.ValueOf(c.Expect).IsZero() {
		f.add(path, "expects nothing: write expect with stage, roles, has, lacks, denied, asks, access or targets")
	}
}

var stages = []string{string(model.Prehire), string(model.Active), string(model.Leave), string(model.Leaver), string(model.Purged)}

// knownOf is what the hub would know of the person.
func knownOf(c policyCase, people []scimPerson, now time.Time) hub.Known {
	const id = "case"
	k := hub.Known{Row: store.IdentityRow{ID: id, Stage: model.Stage(c.Before), CreatedAt: now}}
	if k.Row.Stage == "" && len(c.Held) > 0 {
		k.Row.Stage = model.Active
	}
	for _, p := range people {
		k.Users = append(k.Users, store.SourceUser{Source: p.source, ID: id, Attrs: p.attrs, Modified: now})
	}
	for _, g := range c.Groups {
		k.Groups = append(k.Groups, model.Membership{Source: people[0].source, GroupID: g, Display: g})
	}
	for n, role := range c.Requests {
		k.Requests = append(k.Requests, model.Request{ID: fmt.Sprintf("request-%d", n+1), Identity: id, Role: role,
			Origin: model.OriginAsked, State: model.RequestApproved, Actor: "policy test", Created: now, Approved: &now})
	}
	for _, role := range c.Held {
		k.Held = append(k.Held, model.Grant{Identity: id, Role: role, From: now, Because: []model.Reason{{Role: role}}})
	}
	return k
}

// difference is what a decision has that a case did not expect, and the other way round.
type difference struct {
	engine   *policy.Engine
	decision hub.Decision
	lines    []string
}

func (d *difference) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *difference) compare(want policyExpect) {
	if want.Stage != "" && want.Stage != string(d.decision.Stage) {
		d.add("stage is %s, want %s", d.decision.Stage, want.Stage)
	}
	d.roles(want)
	denied := map[string]bool{}
	for _, n := range d.decision.Denied {
		denied[n.Role] = true
	}
	for _, role := range want.Denied {
		if !denied[role] {
			d.add("role %s is not denied", role)
		}
	}
	d.asks(want.Asks)
	d.access(want.Access)
	for _, target := range slices.Sorted(maps.Keys(want.Targets)) {
		d.account(target, want.Targets[target])
	}
	if len(d.lines) > 0 {
		for _, f := range d.decision.Findings {
			d.add("finding: %s", f.Message)
		}
	}
}

func (d *difference) roles(want policyExpect) {
	held := map[string]model.Grant{}
	for _, g := range d.decision.Grants {
		held[g.Role] = g
	}
	has, lacks := want.Has, want.Lacks
	if want.Roles != nil {
		has = append(slices.Clone(has), *want.Roles...)
		for role := range held {
			if !slices.Contains(*want.Roles, role) {
				lacks = append(slices.Clone(lacks), role)
			}
		}
	}
	for _, role := range distinctSorted(lacks) {
		if g, ok := held[role]; ok {
			d.add("has role %s, which is not expected", role)
			d.because(g.Because)
		}
	}
	for _, role := range distinctSorted(has) {
		if _, ok := held[role]; !ok {
			d.add("lacks role %s", role)
			d.whyNot(role)
		}
	}
}

// asked are the roles that a rule asks approval for.
func (d *difference) asked() (roles []string) {
	for _, r := range d.decision.Requests {
		if r.Origin == model.OriginRule && r.State == model.RequestPending {
			roles = append(roles, r.Role)
		}
	}
	return distinctSorted(roles)
}

func (d *difference) asks(want *[]string) {
	if want == nil {
		return
	}
	has, due := d.asked(), distinctSorted(*want)
	for _, role := range has {
		if !slices.Contains(due, role) {
			d.add("asks approval for role %s, which is not expected", role)
		}
	}
	for _, role := range due {
		if !slices.Contains(has, role) {
			d.add("asks no approval for role %s", role)
			d.whyNot(role)
		}
	}
}

func distinctSorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func (d *difference) because(reasons []model.Reason) {
	for _, r := range reasons {
		d.add("    because %s", policy.ReasonText(r))
	}
}

// whyNot says what stands in the way of a role.
func (d *difference) whyNot(role string) {
	for _, denied := range d.decision.Denied {
		if denied.Role == role {
			for _, r := range denied.Because {
				d.add("    denied: %s", policy.ReasonText(r))
			}
			return
		}
	}
	if slices.Contains(d.asked(), role) {
		d.add("    its rule matches, and approval is asked for")
		return
	}
	when, _ := d.engine.Conditions(role, d.decision.Identity)
	switch {
	case d.decision.Stage != model.Active && d.decision.Stage != model.Leave:
		d.add("    the stage is %s", d.decision.Stage)
	case when == nil:
		d.add("    no rule gives it")
	default:
		d.add("    its rule does not give it: %s", policy.ReasonText(*when))
	}
}

// access compares the whole of it: an account alone, or the groups of one.
func (d *difference) access(want *accessList) {
	if want == nil {
		return
	}
	var has []string
	accounts := map[string]bool{}
	for target, desired := range d.decision.Desired {
		if desired.Account == nil {
			continue
		}
		accounts[target] = true
		for _, group := range desired.Account.Groups {
			has = append(has, target+":"+group)
		}
		if len(desired.Account.Groups) == 0 {
			has = append(has, target)
		}
	}
	slices.Sort(has)
	for _, access := range has {
		if !slices.Contains(*want, access) {
			target, group, _ := strings.Cut(access, ":")
			d.add("has access %s, which is not expected", access)
			d.because(d.decision.Desired[target].Because[group])
		}
	}
	for _, access := range distinctSorted(*want) {
		if !slices.Contains(has, access) && !accounts[access] {
			d.add("lacks access %s", access)
		}
	}
}

// account compares one account; want is nil where there should be none.
func (d *difference) account(target string, want map[string]any) {
	desired, decided := d.decision.Desired[target]
	account := desired.Account
	switch {
	case !decided:
		d.add("%s: could not be decided", target)
		return
	case account == nil && want == nil:
		return
	case account == nil:
		d.add("%s: no account", target)
		return
	case want == nil:
		d.add("%s: an account, which is not expected", target)
		d.because(desired.Because[""])
		return
	}
	groups := account.Groups
	if groups == nil {
		groups = []string{}
	}
	own := map[string]any{"userName": account.UserName, "active": account.Active, "groups": groups}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		has, ok := own[name]
		if !ok {
			has = account.Attrs[name]
		}
		if a, b := asJSON(has, name), asJSON(want[name], name); a != b {
			d.add("%s: %s is %s, want %s", target, name, a, b)
		}
	}
}

// asJSON is a value for comparing and for people; the order of groups says nothing.
func asJSON(v any, name string) string {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	var list []string
	if name == "groups" && json.Unmarshal(body, &list) == nil && list != nil {
		slices.Sort(list)
		body, err = json.Marshal(list)
	}
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(body)
}
