package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/policy"
)

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
