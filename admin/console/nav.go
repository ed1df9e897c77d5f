package console

import (
	"strings"

	"github.com/scimhub/scimhub/admin"
)

// navGroup is a heading of the navigation with its pages.
type navGroup struct {
	Title string
	Items []navItem
}

type navItem struct {
	Path, Text string
	Here       bool // this page, or one below it, is shown
}

// navigation is what somebody may open.
func navigation(c admin.Caller, path string) (out []navGroup) {
	everything := c.May("read") == nil
	asks := c.May("see-own") == nil
	for _, g := range []struct {
		title string
		shown bool
		items []navItem
	}{
		{"", true, []navItem{{Path: "/", Text: "Overview"}}},
		{"Who has what", everything, []navItem{{Path: "/people", Text: "People"}, {Path: "/roles", Text: "Roles and policy"}, {Path: "/targets", Text: "Targets"}, {Path: "/groups", Text: "Groups"}}},
		{"To decide", asks, []navItem{{Path: "/requests", Text: "Requests"}, {Path: "/approvals", Text: "Approvals"}, {Path: "/reviews", Text: "Reviews"}, {Path: "/tasks", Text: "Tasks"}}},
		{"To watch", everything, []navItem{{Path: "/leavers", Text: "Leavers"}, {Path: "/drift", Text: "Drift"}, {Path: "/findings", Text: "Findings"}}},
		{"To prove", everything, []navItem{{Path: "/audit", Text: "Audit"}, {Path: "/evidence", Text: "Evidence"}, {Path: "/settings", Text: "Settings"}}},
	} {
		if !g.shown {
			continue
		}
		group := navGroup{Title: g.title}
		for _, i := range g.items {
			i.Here = path == i.Path || i.Path != "/" && strings.HasPrefix(path, i.Path+"/")
			group.Items = append(group.Items, i)
		}
		out = append(out, group)
	}
	return out
}
