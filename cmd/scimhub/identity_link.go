package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

func identityCases(c *client) *cobra.Command {
	var all bool
	cmd := listing[admin.CaseView]{
		use: "cases", short: "List resources that could be several people's, which somebody has to decide",
		what: "cases", head: "PERSON ID SOURCE RULE BLOCKED OPENED DECISION CANDIDATES",
		path: func([]string) (string, []string) {
			if all {
				return "/cases", []string{"state", "all"}
			}
			return "/cases", nil
		},
		row: caseRow,
	}.command(c)
	cmd.Flags().BoolVar(&all, "all", false, "also those that are decided")
	return cmd
}

func caseRow(v admin.CaseView) []string {
	people := make([]string, len(v.People))
	for n, p := range v.People {
		people[n] = p.UserName + " (" + p.ID + ")"
	}
	blocks, decision := "no", "open"
	if v.Blocks {
		blocks = "yes"
	}
	if v.DecidedAt != nil {
		decision = v.DecidedBy + ": " + cmp.Or(v.Decision, "somebody of their own")
	}
	return []string{v.UserName, v.Identity, v.Source, v.Rule, blocks, v.OpenedAt.Format(time.RFC3339), decision, strings.Join(people, ", ")}
}

func identityLink(c *client) *cobra.Command {
	var o output
	var in admin.LinkRequest
	cmd := &cobra.Command{
		Use: "link PERSON --to OTHER | --new", Short: "Say that a person is another one, or decide that they are somebody of their own",
		Long: `Say that a person is another one: everything of PERSON becomes OTHER's, the accounts
too where OTHER has none. With --new decide an open case the other way: PERSON is
somebody of their own.`,
		Args: cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if in.New == (in.To != "") {
				return usageError{fmt.Errorf("say whom the person is: --to PERSON, or --new")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var done hub.Linked
			if err := c.call(cmd.Context(), "POST", "/identities/"+url.PathEscape(args[0])+"/link", in, &done); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), done, func(w io.Writer) error {
				if in.New {
					_, err := fmt.Fprintf(w, "%s is somebody of their own\n", done.Person)
					return err
				}
				_, err := fmt.Fprintf(w, "%s is %s: %s\n", done.Person, done.Into, wentWith(done))
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.To, "to", "", "who they are: id or userName")
	cmd.Flags().BoolVar(&in.New, "new", false, "nobody known: decides the open case")
	cmd.Flags().BoolVar(&in.Force, "force", false, "even if one source describes both")
	return cmd
}

func wentWith(done hub.Linked) string {
	text := "resources " + dash(strings.Join(done.Resources, ", "))
	if len(done.Accounts) > 0 {
		text += "; accounts at " + strings.Join(done.Accounts, ", ")
	}
	return text
}

func identityUnlink(c *client) *cobra.Command {
	var o output
	var in admin.UnlinkRequest
	cmd := &cobra.Command{
		Use: "unlink PERSON --source SOURCE [--resource ID]", Short: "Say that a source's resource is not this person's",
		Args: cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if in.Source == "" {
				return usageError{fmt.Errorf("name the source whose resource it is: --source NAME")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var done hub.Linked
			if err := c.call(cmd.Context(), "POST", "/identities/"+url.PathEscape(args[0])+"/unlink", in, &done); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), done, func(w io.Writer) error {
				who := "somebody new"
				if done.Returned {
					who = "who they were before"
				}
				_, err := fmt.Fprintf(w, "%s is %s: %s\n", done.Person, who, wentWith(done))
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Source, "source", "", "the source that wrote the resource")
	cmd.Flags().StringVar(&in.Resource, "resource", "", "its id, where the source describes the person more than once")
	return cmd
}

// printFacts shows what is known of a person: each value, whose word it is, and what
// other sources say instead.
func printFacts(w io.Writer, p admin.IdentityView) error {
	facts := model.Flat(p.User)
	var rows [][]string
	for _, path := range slices.Sorted(maps.Keys(facts)) {
		var others []string
		for _, s := range p.Sources[path] {
			if text := shortValue(s.Value); text != shortValue(facts[path]) {
				others = append(others, s.Source+": "+text)
			}
		}
		rows = append(rows, []string{path, shortValue(facts[path]), dash(originOf(p, path)), dash(strings.Join(others, ", "))})
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return columns(w, "ATTRIBUTE VALUE SOURCE OTHERS", rows)
}

// stageOf is the stage for a list; of who turned out to be somebody else, who that is.
func stageOf(p admin.IdentityView) string {
	if p.MergedInto != "" {
		return "merged into " + p.MergedInto
	}
	return string(p.Stage)
}

// originOf finds the source of the attribute that the path is part of.
func originOf(p admin.IdentityView, path string) string {
	if s, ok := p.Origin[path]; ok {
		return s
	}
	for name, s := range p.Origin {
		if strings.HasPrefix(path, name+".") || strings.HasPrefix(path, name+":") {
			return s
		}
	}
	return ""
}

// shortValue is a value on one line.
func shortValue(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}
