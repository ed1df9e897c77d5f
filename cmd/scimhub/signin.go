package main

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func signInCommand(c *client) *cobra.Command {
	var o output
	var in admin.SignInLinkRequest
	cmd := &cobra.Command{
		Use: "sign-in", Short: "Print a link that lets somebody in at the console once", Args: cobra.NoArgs,
		Long: `Prints a link that lets whoever opens it in at the console, once and within a quarter of
an hour. On the hub's own machine this needs no token.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v admin.SignInLinkView
			if err := c.call(cmd.Context(), "POST", "/sign-in-links", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, v.URL)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Role, "role", admin.RoleAdmin, "what they may do: admin, operator, approver or auditor")
	return cmd
}

func sessionCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use: "session", Short: "Show who is signed in at the console, and put them out", Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(sessionList(c), sessionEnd(c))
	return cmd
}

func sessionList(c *client) *cobra.Command {
	var o output
	var ended bool
	var person string
	cmd := &cobra.Command{
		Use: "list", Short: "List who is signed in, the last one first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := listOf[admin.SessionView]{Items: []admin.SessionView{}}
			with := ""
			if ended {
				with = "true"
			}
			for cursor := ""; ; {
				var answer listOf[admin.SessionView]
				if err := c.call(cmd.Context(), "GET", query("/sessions", "ended", with, "person", person, "cursor", cursor, "limit", "1000"), nil, &answer); err != nil {
					return err
				}
				all.Items = append(all.Items, answer.Items...)
				if cursor = answer.Next; cursor == "" {
					break
				}
			}
			return o.print(cmd.OutOrStdout(), all, func(w io.Writer) error {
				rows := make([][]string, len(all.Items))
				for i, v := range all.Items {
					rows[i] = []string{v.ID, v.Name, v.Role, dash(v.PersonName), v.Kind, dash(v.Address), moment(&v.Started), moment(&v.Seen), moment(v.Ended)}
				}
				return columns(w, "ID NAME ROLE PERSON BY ADDRESS SINCE SEEN ENDED", rows)
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().BoolVar(&ended, "ended", false, "list those that are over, too")
	cmd.Flags().StringVar(&person, "person", "", "only those of the person with this id")
	return cmd
}

func sessionEnd(c *client) *cobra.Command {
	var o output
	var in admin.SessionEnd
	cmd := &cobra.Command{
		Use: "end ID", Short: "End a session now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.SessionView
			if err := c.call(cmd.Context(), "POST", "/sessions/"+url.PathEscape(args[0])+"/end", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				return columns(w, "FACT VALUE", [][]string{{"id", v.ID}, {"name", v.Name}, {"ended", moment(v.Ended)}, {"because", v.EndedWhy}})
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why, for the audit trail")
	return cmd
}
