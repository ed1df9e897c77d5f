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
	cmd := &cobra.Command{
		Use: "drift TARGET", Short: "Read a target in full and show what differs", Args: cobra.ExactArgs(1),
		Long: "Asks for a drift sweep, waits for it and lists accounts that differ from what the hub wrote. Exit code 2 if there are any.",
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
			after, err := watch(cmd.Context(), c, cmd.ErrOrStderr(), args[0], wait, swept)
			if err != nil {
				return err
			}
			if !swept(after) {
				return model.Fail(model.Unavailable, "the sweep of "+args[0]+" has not finished: "+dash(after.LastError), nil)
			}
			return printDrift(cmd, c, o, args[0])
		},
	}
	o.flag(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "how long to wait for the sweep")
	return cmd
}

func printDrift(cmd *cobra.Command, c *client, o output, target string) error {
	var answer admin.SweepAnswer
	if err := c.call(cmd.Context(), "GET", targetPath(target, "drift"), nil, &answer); err != nil {
		return err
	}
	err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
		rows := make([][]string, len(answer.Items))
		for i, f := range answer.Items {
			fields := make([]string, len(f.Fields))
			for n, d := range f.Fields {
				fields[n] = fmt.Sprintf("%s: %v -> %v", d.Path, d.Before, d.After)
			}
			rows[i] = []string{f.Kind, f.UserName, f.RemoteID, f.Action, dash(strings.Join(fields, "; "))}
		}
		if len(rows) > 0 {
			if err := columns(w, "DRIFT ACCOUNT REMOTE_ID ACTION CHANGED", rows); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "%d accounts read, %d differ\n", answer.Checked, answer.Total)
		return err
	})
	if err == nil && answer.Total > 0 {
		return exitCode{code: exitDiffers}
	}
	return err
}
