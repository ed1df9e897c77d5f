package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// targetPages are those of targets and of the groups there.
func (c *Console) targetPages() []page {
	return []page{
		{"/targets", "targets", showTargets},
		{"/targets/{target}", "target", showTarget},
		{"/targets/{target}/accounts", "accounts", showAccounts},
		{"/targets/{target}/groups", "groups", showGroups},
		{"/targets/{target}/probe", "probe", showProbe},
		{"/groups", "groups", showGroups},
	}
}

// targetActions are what forms do there.
func (c *Console) targetActions() []action {
	return []action{
		{"/targets/{target}/sync", atTarget("sync", "Everything that waits at %s is due now.")},
		{"/targets/{target}/drift", atTarget("drift", "A sweep of %s is asked for; it begins within seconds.")},
		{"/targets/{target}/pause", atTarget("pause", "%s is paused: nothing is changed there, leavers' access included, until you resume it.")},
		{"/targets/{target}/resume", atTarget("resume", "Work at %s goes on.")},
		{"/targets/{target}/rotate", atTarget("rotate", "The next credential of %s is tried, and taken into use as soon as it works.")},
		{"/targets/{target}/release", releaseHeld},
		{"/targets/{target}/probe", doProbe},
	}
}

// targetsView is the page of all targets.
type targetsView struct {
	Targets  []targetLine // those that need somebody first
	Wrong    int          // of them
	Overview admin.Overview
}

// targetLine is a target in a list.
type targetLine struct {
	admin.TargetCard
	Counts   map[string]int // accounts by state, as pictures take them
	Troubles []trouble
	Done     []int // changes by hour, the newest last
	Failed   []int
}

// trouble is one thing that is wrong, and what to do about it.
type trouble struct {
	Severity string // bad, warn, info
	Text     string
	Do       string // what to do about it
	Link     string // page of it; empty: none
	LinkText string
	Count    int // accounts that it concerns; 0: the target as a whole
}

// Short is the first sentence.
func (t trouble) Short() string {
	first, _, more := strings.Cut(t.Text, ". ")
	if more {
		first += "."
	}
	return shorten(first, 160)
}

func showTargets(v *Visit) (any, error) {
	var o admin.Overview
	if err := v.Get(&o, "/overview"); err != nil {
		return nil, err
	}
	out := targetsView{Overview: o, Targets: targetLines(o)}
	for _, t := range out.Targets {
		if len(t.Troubles) > 0 {
			out.Wrong++
		}
	}
	return out, nil
}

// targetLines are the targets of an overview, those with the most urgent trouble first.
func targetLines(o admin.Overview) []targetLine {
	var out []targetLine
	for _, card := range o.Targets {
		line := targetLine{TargetCard: card, Counts: countsOf(card.Accounts), Troubles: cardTroubles(card)}
		line.Done, line.Failed = lastHours(o.At, card.Hours)
		out = append(out, line)
	}
	slices.SortStableFunc(out, func(a, b targetLine) int {
		return cmp.Or(cmp.Compare(b.rank(), a.rank()), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// rank is how urgent a target is.
func (t targetLine) rank() (most int) {
	for _, x := range t.Troubles {
		most = max(most, map[string]int{"bad": 3, "warn": 2, "info": 1}[x.Severity])
	}
	return most
}

func countsOf(accounts map[model.AccountState]int) map[string]int {
	out := make(map[string]int, len(accounts))
	for state, n := range accounts {
		out[string(state)] = n
	}
	return out
}
