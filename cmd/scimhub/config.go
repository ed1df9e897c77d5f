package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

func configCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Versions of the configuration: list, compare, roll back", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(configList(c), configShow(c), configDiff(c), configRollback(c))
	return cmd
}

func configList(c *client) *cobra.Command {
	return listing[admin.ConfigVersionView]{
		use: "list", short: "List versions, the newest first", what: "versions", head: "VERSION STATE APPLIED BY DIGEST",
		path: func([]string) (string, []string) { return "/config/versions", nil },
		row: func(v admin.ConfigVersionView) []string {
			state := "-"
			if v.Active {
				state = "active"
			}
			return []string{strconv.FormatInt(v.Version, 10), state, v.At.Format(time.RFC3339), v.By, v.Digest[:min(12, len(v.Digest))]}
		},
	}.command(c)
}

func configShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show VERSION", Short: "Print the text of a version, without secrets", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := versionArg(args[0]); err != nil {
				return err
			}
			var v admin.ConfigVersionView
			if err := c.call(cmd.Context(), "GET", "/config/versions/"+args[0], nil, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := io.WriteString(w, strings.TrimRight(v.Text, "\n")+"\n")
				return err
			})
		},
	}
	o.flag(cmd)
	return cmd
}

func versionArg(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, usageError{fmt.Errorf("a version is a number from 1, not %q", s)}
	}
	return n, nil
}

func configDiff(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "How two versions differ: the text, and what it means for the people of today",
		Long:  "Shows what version B says otherwise than version A: the lines, and who would\nhold which role under one and not under the other. Exit code 2 where they differ.",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, v := range args {
				if _, err := versionArg(v); err != nil {
					return err
				}
			}
			var d admin.ConfigDiff
			if err := c.call(cmd.Context(), "GET", query("/config/diff", "from", args[0], "to", args[1]), nil, &d); err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), d, func(w io.Writer) error { return printConfigDiff(w, d) }); err != nil {
				return err
			}
			if d.Text != "" || len(d.People) > 0 {
				return exitCode{code: exitDiffers}
			}
			return nil
		},
	}
	o.flag(cmd)
	return cmd
}

func printConfigDiff(w io.Writer, d admin.ConfigDiff) error {
	if d.Text == "" {
		_, err := fmt.Fprintln(w, "the texts are the same")
		return err
	}
	if _, err := io.WriteString(w, d.Text); err != nil {
		return err
	}
	if d.Undecided != "" {
		_, err := fmt.Fprintln(w, "what it means for people cannot be said:", d.Undecided)
		return err
	}
	if err := printRoles(w, admin.PlanAnswer{Roles: d.Roles, People: d.People}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d people in all; %d roles gained, %d lost\n", len(d.People), d.Gained, d.Lost)
	return err
}

func configRollback(c *client) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Put the text of an earlier version in force again, as a new version",
		Long: `Shows what would change, asks, and makes the text of an earlier version (by
default the one before the active one) the next version. A restart with the file
that was rolled back does not put it in force again; apply does.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := admin.RollBackRequest{DryRun: true}
			if len(args) == 1 {
				var err error
				if req.Version, err = versionArg(args[0]); err != nil {
					return err
				}
			}
			var shown, done admin.RollBackAnswer
			if err := c.call(cmd.Context(), "POST", "/config/rollback", req, &shown); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if err := printPlan(out, *shown.Plan); err != nil {
				return err
			}
			if !yes && !confirm(cmd.InOrStdin(), out, fmt.Sprintf("put the text of version %d in force again, instead of version %d?", shown.TextOf, shown.Base)) {
				return exitCode{exitFailed, model.Fail(model.Invalid, "not rolled back (--yes does so without asking)", nil)}
			}
			if err := c.call(cmd.Context(), "POST", "/config/rollback", admin.RollBackRequest{Version: shown.TextOf, Base: shown.Base}, &done); err != nil {
				return err
			}
			fmt.Fprintf(out, "configuration version %d is in force, with the text of version %d\n", done.Version, done.TextOf)
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
