package main

import (
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
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
