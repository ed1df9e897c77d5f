package main

import (
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func identityCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "identity", Short: "Look at people", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(identityList(c), identityShow(c), identityTimeline(c), identityExport(c), identityErase(c), identityCases(c), identityLink(c), identityUnlink(c))
	return cmd
}

// needsSub answers a command that is only a family of others.
func needsSub(cmd *cobra.Command, _ []string) error {
	_ = cmd.Help()
	return exitCode{code: exitUsage}
}

func identityList(c *client) *cobra.Command {
	var prefix string
	cmd := listing[admin.IdentityView]{
		use: "list", short: "List people", what: "people", head: "PERSON STAGE ID FINDINGS",
		path: func([]string) (string, []string) { return "/identities", []string{"q", prefix} },
		row: func(p admin.IdentityView) []string {
			return []string{p.UserName, stageOf(p), p.ID, strconv.Itoa(len(p.Findings))}
		},
	}.command(c)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only user names that begin with this")
	return cmd
}

func identityShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show PERSON", Short: "Show a person: facts, roles, accounts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p admin.IdentityView
			if err := c.call(cmd.Context(), "GET", "/identities/"+url.PathEscape(args[0]), nil, &p); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), p, func(w io.Writer) error { return printIdentity(w, p) })
		},
	}
	o.flag(cmd)
	return cmd
}

func printIdentity(w io.Writer, p admin.IdentityView) error {
	groups := make([]string, len(p.Groups))
	for i, g := range p.Groups {
		groups[i] = g.Display
	}
	sources := make([]string, len(p.Links))
	for i, l := range p.Links {
		sources[i] = l.Source + "/" + l.ResourceID
	}
	rows := [][]string{{"person", p.UserName}, {"id", p.ID}, {"stage", string(p.Stage)}, {"resources", dash(strings.Join(sources, ", "))},
		{"groups", dash(strings.Join(groups, ", "))}, {"roles", dash(strings.Join(p.Roles, ", "))}}
	for _, moment := range []struct {
		name string
		at   *time.Time
	}{{"ends", p.EndsAt}, {"left", p.LeftAt}, {"erased", p.ErasedAt}} {
		if moment.at != nil {
			rows = append(rows, []string{moment.name, moment.at.Format(time.RFC3339)})
		}
	}
	if p.Held {
		rows = append(rows, []string{"held", "more leavers at the source than its guard allows"})
	}
	for _, f := range p.Findings {
		rows = append(rows, []string{"finding", f})
	}
	for _, a := range p.Accounts {
		line := string(a.State)
		if a.LastError != "" {
			line += ": " + a.LastError
		}
		rows = append(rows, []string{"at " + a.Target, line})
	}
	if err := columns(w, "FACT VALUE", rows); err != nil {
		return err
	}
	return printFacts(w, p)
}
