package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

func targetDrift(c *client) *cobra.Command {
	var o output
	var wait time.Duration
	var kind string
	cmd := &cobra.Command{
		Use: "drift TARGET", Short: "Read a target in full and show what differs", Args: cobra.ExactArgs(1),
		Long: "Asks for a drift sweep, waits for it and lists what differs from what the hub wrote: accounts changed, missing, active again or nobody's, and memberships. SEEN is how often it was seen in a row, of how often it has to be before something follows. Exit code 2 if there is anything, or if the sweep could not be believed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var before, after admin.TargetView
			if err := c.call(cmd.Context(), "GET", targetPath(args[0], ""), nil, &before); err != nil {
				return err
			}
			if err := c.call(cmd.Context(), "POST", targetPath(args[0], "drift"), nil, &after); err != nil {
				return err
			}
			swept := func(t admin.TargetView) bool {
				return t.LastDrift != nil && (before.LastDrift == nil || t.LastDrift.After(*before.LastDrift))
			}
			after, err := watch(cmd.Context(), c, cmd.ErrOrStderr(), args[0], wait, swept, func(admin.TargetView) string { return "is being read" })
			if err != nil {
				return err
			}
			if !swept(after) {
				return model.Fail(model.Unavailable, "the sweep of "+args[0]+" has not finished: "+dash(after.LastError), nil)
			}
			return printDrift(cmd, c, o, args[0], kind)
		},
	}
	o.flag(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "how long to wait for the sweep")
	cmd.Flags().StringVar(&kind, "kind", "", "show this kind alone: changed, membership, missing, resurrected, unknown")
	return cmd
}

func printDrift(cmd *cobra.Command, c *client, o output, target, kind string) error {
	var answer admin.SweepAnswer
	if err := c.call(cmd.Context(), "GET", query(targetPath(target, "drift"), "kind", kind), nil, &answer); err != nil {
		return err
	}
	err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return driftTable(w, answer) })
	if err == nil && (answer.Total > 0 || answer.Refused != "") {
		return exitCode{code: exitDiffers}
	}
	return err
}

func driftTable(w io.Writer, answer admin.SweepAnswer) error {
	rows := make([][]string, len(answer.Items))
	for i, f := range answer.Items {
		fields := make([]string, len(f.Fields))
		for n, d := range f.Fields {
			fields[n] = fmt.Sprintf("%s: %v -> %v", d.Path, d.Before, d.After)
		}
		name := f.UserName
		if name == "" && f.Identity == "" && f.Group != "" && len(f.Fields) == 1 && f.Fields[0].Path != "groups" {
			name = f.Group
		}
		rows[i] = []string{f.Kind, dash(name), f.RemoteID, f.Action, fmt.Sprintf("%d/%d", f.Sightings, f.Needed), moment(&f.Since), dash(strings.Join(fields, "; "))}
	}
	if len(rows) > 0 {
		if err := columns(w, "DRIFT ACCOUNT REMOTE_ID ACTION SEEN SINCE CHANGED", rows); err != nil {
			return err
		}
	}
	if answer.Cursor != "" {
		fmt.Fprintf(w, "… and more: the page /drift and the API show all\n")
	}
	for _, note := range []struct{ what, text string }{
		{"nothing was concluded", answer.Refused}, {"accounts of nobody's", answer.Unknown}, {"memberships", answer.Members},
	} {
		if note.text != "" {
			fmt.Fprintf(w, "%s: %s\n", note.what, note.text)
		}
	}
	_, err := fmt.Fprintf(w, "%d accounts read, %d differ\n", answer.Checked, answer.Total)
	return err
}
