package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func targetGroups(c *client) *cobra.Command {
	return listing[admin.GroupView]{
		use: "groups TARGET", short: "List the groups of a target: what grants each, who is in it, what keeps it from being as it should", args: cobra.ExactArgs(1), what: "groups",
		path: func(args []string) (string, []string) { return targetPath(args[0], "groups"), nil },
		head: "GROUP STATE OWNED WANTED MEMBERS REMOTE_ID WHY",
		row: func(g admin.GroupView) []string {
			name := g.Name
			if g.Applied != "" {
				name += " (there: " + g.Applied + ")"
			}
			wanted := "no"
			if g.Wanted {
				wanted = "yes"
			}
			members := strconv.Itoa(g.Members)
			if g.Expected != g.Members {
				members += "/" + strconv.Itoa(g.Expected)
			}
			return []string{name, string(g.State), dash(g.Owned), wanted, members, dash(g.RemoteID), dash(strings.Join(g.Why, "; "))}
		},
	}.command(c)
}
