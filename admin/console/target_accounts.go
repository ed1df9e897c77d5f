package console

import (
	"strconv"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// listRows is how many rows a page of a list has.
const listRows = 50

// listing is a page of the API.
type listing[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// accountsView is the page of a target's accounts.
type accountsView struct {
	Target   string
	State    model.AccountState // shown alone; empty: all
	Class    string             // of errors, shown alone; empty: all
	Means    string             // what is shown alone
	Do       string             // what to do about it; empty: nothing
	Tabs     []tab
	Accounts []admin.AccountView
	Next     string // cursor
	First    bool
}

// tab is one of several views of the same thing.
type tab struct {
	Text, Link string
	Here       bool
}

func showAccounts(v *Visit) (any, error) {
	out := accountsView{Target: v.Var("target"), State: model.AccountState(v.Query("state")), Class: v.Query("class"), First: v.Query("cursor") == ""}
	path := Query(pathOf("/targets/%s/accounts", out.Target), "state", string(out.State), "class", out.Class, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))
	var found listing[admin.AccountView]
	if err := v.Get(&found, path); err != nil {
		return nil, err
	}
	out.Accounts, out.Next = found.Items, found.Next
	here := pathOf("/targets/%s/accounts", out.Target)
	out.Tabs = append(out.Tabs, tab{"All", here, out.State == "" && out.Class == ""})
	for _, s := range accountStates {
		out.Tabs = append(out.Tabs, tab{capital(words(string(s.State))), Query(here, "state", string(s.State)), out.State == s.State})
		if s.State == out.State {
			out.Means = capital(s.Means)
		}
	}
	if out.Class != "" {
		what, do := errorWords(out.Class)
		out.Tabs = append(out.Tabs, tab{capital(words(out.Class)), Query(here, "class", out.Class), true})
		out.Means, out.Do = capital(what), do
	}
	return out, nil
}

// groupsView is the page of groups, of one target or of all.
type groupsView struct {
	Target  string // empty: all
	Text    string // the beginning of the names that are shown
	State   string
	States  []string
	Groups  []groupLine
	Next    string
	First   bool
	Narrow  bool // only some are shown
	Heading string
}

// groupLine is a group and what grants it.
type groupLine struct {
	admin.GroupAt
	Roles   []string
	Mirrors []admin.GroupOriginView
}

func showGroups(v *Visit) (any, error) {
	out := groupsView{Target: v.Var("target"), Text: v.Query("q"), State: v.Query("state"), First: v.Query("cursor") == "", States: []string{"in_sync", "pending", "held", "failed"}}
	if out.Target == "" {
		out.Target = v.Query("target")
	} else if err := v.Get(&admin.TargetView{}, "/targets/%s?changes=false", out.Target); err != nil { // whether there is one
		return nil, err
	}
	out.Narrow = out.Text != "" || out.State != ""
	path := Query("/groups", "target", out.Target, "q", out.Text, "state", out.State, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))
	var found listing[admin.GroupAt]
	if err := v.Get(&found, path); err != nil {
		return nil, err
	}
	out.Next = found.Next
	for _, g := range found.Items {
		line := groupLine{GroupAt: g}
		for _, o := range g.Origins {
			if o.Role != "" {
				line.Roles = append(line.Roles, o.Role)
			} else {
				line.Mirrors = append(line.Mirrors, o)
			}
		}
		out.Groups = append(out.Groups, line)
	}
	return out, nil
}
