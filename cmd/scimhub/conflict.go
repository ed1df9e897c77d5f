package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func conflictCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use: "conflict", Short: "Look at roles that nobody should hold together, and make exceptions", Args: cobra.NoArgs, RunE: needsSub,
		Long: `Roles that nobody should hold together are conflicts of the configuration. Of those
that somebody would hold the one that stands first stays; the others go, unless an
exception is in force. An exception has an owner, a reason and an end.`,
	}
	cmd.AddCommand(conflictList(c), conflictExempt(c), conflictExemptions(c), conflictRevoke(c))
	return cmd
}

func conflictList(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "list", Short: "List conflicts, and whom they concern now", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := everyPage[admin.ConflictView](cmd.Context(), c, "/conflicts")
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printConflicts(w, answer.Items) })
		},
	}
	o.flag(cmd)
	return cmd
}

func printConflicts(w io.Writer, list []admin.ConflictView) error {
	rows := make([][]string, len(list))
	var people [][]string
	for i, v := range list {
		n := strconv.Itoa(len(v.People))
		if v.More {
			n += "+"
		}
		rows[i] = []string{v.Name, strings.Join(v.Roles, ","), v.Action, n}
		for _, p := range v.People {
			people = append(people, []string{p.UserName, v.Name, moment(&p.Since), p.Message})
		}
	}
	if err := columns(w, "CONFLICT ROLES ACTION PEOPLE", rows); err != nil || len(people) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return columns(w, "PERSON CONFLICT SINCE WHAT", people)
}

func conflictExempt(c *client) *cobra.Command {
	var o output
	var in admin.ExceptionRequest
	cmd := &cobra.Command{
		Use: "exempt PERSON ROLE ROLE...", Short: "Let a person hold conflicting roles together, for a time", Args: cobra.MinimumNArgs(3),
		Long: `Makes an exception to conflicts: the person may hold the roles together until it
ends. Somebody else answers for it and is named with --owner. Prints the exception's
id.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.For, in.Roles = args[0], args[1:]
			if in.Owner == "" || in.Until == "" || in.Reason == "" {
				return usageError{errors.New("an exception needs --owner, --until and --reason")}
			}
			var v admin.ExceptionView
			if err := c.call(cmd.Context(), "POST", "/exceptions", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				if err := printException(cmd.ErrOrStderr(), v); err != nil {
					return err
				}
				_, err := fmt.Fprintln(w, v.ID)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Owner, "owner", "", "the person who answers for it")
	cmd.Flags().StringVar(&in.Until, "until", "", "its end: a date, a time or a duration from now, such as 30d")
	cmd.Flags().StringVar(&in.From, "from", "", "its beginning (default now)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why the roles have to be held together")
	return cmd
}

func printException(w io.Writer, v admin.ExceptionView) error {
	rows := [][]string{{"id", v.ID}, {"person", v.UserName}, {"roles", strings.Join(v.Roles, ", ")}, {"state", v.State},
		{"from", v.From.Format(time.RFC3339)}, {"until", v.Until.Format(time.RFC3339)}, {"owner", v.OwnerName}, {"made by", v.By}, {"reason", v.Reason}}
	if v.EndedAt != nil {
		rows = append(rows, []string{"ended", moment(v.EndedAt)})
	}
	if v.Request != "" {
		rows = append(rows, []string{"request", v.Request})
	}
	return columns(w, "FACT VALUE", rows)
}

func conflictExemptions(c *client) *cobra.Command {
	var person string
	var ended bool
	cmd := listing[admin.ExceptionView]{
		use: "exemptions", short: "List exceptions to conflicts", what: "exceptions", head: "ID PERSON ROLES STATE UNTIL OWNER REASON",
		path: func([]string) (string, []string) {
			return "/exceptions", []string{"for", person, "ended", flagged(ended)}
		},
		row: func(v admin.ExceptionView) []string {
			return []string{v.ID, v.UserName, strings.Join(v.Roles, ","), v.State, moment(&v.Until), v.OwnerName, v.Reason}
		},
	}.command(c)
	cmd.Flags().StringVar(&person, "for", "", "only those of this person")
	cmd.Flags().BoolVar(&ended, "ended", false, "those that have ended, too")
	return cmd
}

func conflictRevoke(c *client) *cobra.Command {
	var o output
	var in admin.Revocation
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End an exception now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.ExceptionView
			if err := c.call(cmd.Context(), "POST", "/exceptions/"+url.PathEscape(args[0])+"/revoke", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printException(w, v) })
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why, for the audit trail")
	return cmd
}
