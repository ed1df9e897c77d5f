package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

func requestCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "request",
		Short: "Ask for roles, answer requests, name deputies",
		Long: `Roles that have a request section in the configuration can be asked for. A request
goes through the steps that are configured there; who is asked answers with approve or
deny. The API token says who you are: one with a person in admin.tokens acts for that
person; one of an operator asks for anybody, and one of an admin decides anything,
which the audit trail notes.`,
		Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(requestCreate(c), requestList(c), requestShow(c),
		requestAnswer(c, "approve", "Say yes to a request", "reason, for the record"),
		requestAnswer(c, "deny", "Say no to a request", "why (needed)"),
		requestAnswer(c, "withdraw", "Take back a request that nobody has decided", "reason, for the record"),
		requestAnswer(c, "revoke", "End an approved request: take the role away, or give it up", "why (needed)"),
		deputyCommand(c))
	return cmd
}

func requestCreate(c *client) *cobra.Command {
	var o output
	var in admin.RequestAsk
	cmd := &cobra.Command{
		Use: "create ROLE", Short: "Ask for a role; prints the request's id", Args: cobra.ExactArgs(1),
		Example: `  scimhub request create prod-admin --for mira@example.com --reason "incident 4711" --until 2027-04-30`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Role = args[0]
			var v hub.RequestView
			if err := c.call(cmd.Context(), "POST", "/requests", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", requestState(v))
				_, err := fmt.Fprintln(w, v.ID)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.For, "for", "", "who is to hold the role: userName or id (default whoever the token acts for)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why it is needed")
	cmd.Flags().StringVar(&in.From, "from", "", "when it begins: a date, a time or a duration from now (default as soon as it is approved)")
	cmd.Flags().StringVar(&in.Until, "until", "", "when it ends: a date, a time or a duration from now (default as late as the role allows)")
	cmd.Flags().BoolVar(&in.Emergency, "emergency", false, "have it at once; it is reviewed afterwards")
	return cmd
}

// requestState is where a request stands, in a line.
func requestState(v hub.RequestView) string {
	text := fmt.Sprintf("%s for %s: %s", v.Role, v.For, v.State)
	if v.Why != "" {
		text += ", " + v.Why
	}
	if len(v.WaitsFor) > 0 {
		text += ", waits for " + strings.Join(v.WaitsFor, ", ")
	}
	if v.Until != nil && v.State.Open() {
		text += ", until " + moment(v.Until)
	}
	return text
}

func requestList(c *client) *cobra.Command {
	var mine, waiting bool
	var person, state, role string
	cmd := listing[hub.RequestView]{
		use: "list", short: "List requests, the newest first", what: "requests", head: "ID ROLE FOR STATE ASKED_BY ASKED UNTIL WAITS_FOR",
		path: func([]string) (string, []string) {
			return "/requests", []string{"mine", flagged(mine), "waiting", flagged(waiting), "for", person, "state", state, "role", role}
		},
		row: func(v hub.RequestView) []string {
			return []string{v.ID, v.Role, v.For, string(v.State), v.Asker, moment(&v.Created), moment(v.Until), dash(strings.Join(v.WaitsFor, ","))}
		},
	}.command(c)
	cmd.Flags().BoolVar(&mine, "mine", false, "only what you asked for, or was asked for you")
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only what waits for your answer (without a person: for anybody's)")
	cmd.Flags().StringVar(&person, "for", "", "only roles for this person")
	cmd.Flags().StringVar(&state, "state", "", "only pending, approved, denied, withdrawn, expired, lapsed, revoked or ended ones")
	cmd.Flags().StringVar(&role, "role", "", "only of this role")
	return cmd
}

func flagged(on bool) string {
	if on {
		return "true"
	}
	return ""
}

func requestShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a request: steps, answers, what it waits for", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v hub.RequestView
			if err := c.call(cmd.Context(), "GET", "/requests/"+url.PathEscape(args[0]), nil, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printRequest(w, v) })
		},
	}
	o.flag(cmd)
	return cmd
}

// requestAnswer is one of the commands that answer a request or take it back.
func requestAnswer(c *client, verb, short, reason string) *cobra.Command {
	var o output
	var in admin.RequestAnswer
	cmd := &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v hub.RequestView
			if err := c.call(cmd.Context(), "POST", "/requests/"+url.PathEscape(args[0])+"/"+verb, in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, requestState(v))
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", reason)
	return cmd
}
