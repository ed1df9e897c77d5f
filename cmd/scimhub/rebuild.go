package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// rebuildPoll is how often it is looked how far targets are.
const rebuildPoll = 500 * time.Millisecond

func rebuildCommand(c *client) *cobra.Command {
	var targets []string
	var yes, noWait bool
	o := output{}
	cmd := &cobra.Command{
		Use:   "rebuild [--target T]... [--yes]",
		Short: "Make the state of targets anew from what they show, after a loss or a restore",
		Long: `After the database was lost, or came from an older backup: start the hub, have all
sources push again, then run this. Every target is read in full; accounts are
recognised by the target's match rules and taken as they are, memberships too. What
was found is shown; when you agree, what truly differs is written. Until then nothing
is, but for leavers. Nothing is deleted or taken away: such changes wait under
"scimhub target show T", each for "scimhub target release", because what granted the
access, a request for example, may have been lost. Accounts of which it is not clear
whose they are wait as well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			in := admin.RebuildRequest{Targets: targets}
			if err := c.call(ctx, "POST", "/rebuild", in, nil); err != nil {
				return err
			}
			views, err := c.rebuilt(ctx, cmd.ErrOrStderr(), targets, read)
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), map[string]any{"items": views}, func(w io.Writer) error { return printRebuild(w, views) }); err != nil {
				return err
			}
			if !yes && !confirmed(cmd, "Write what differs? Nothing is taken away. [y/N] ") {
				return model.Fail(model.Refused, "nothing was written; the targets wait. Run it again when you have decided", nil)
			}
			if err := c.call(ctx, "POST", "/rebuild/settle", in, nil); err != nil || noWait {
				return err
			}
			if views, err = c.rebuilt(ctx, cmd.ErrOrStderr(), targets, settled); err != nil {
				return err
			}
			printSettled(cmd.ErrOrStderr(), views)
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().StringSliceVar(&targets, "target", nil, "only this target; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until what differs is written")
	return cmd
}

// read says that a target was read, or cannot be.
func read(v admin.RebuildView) (done bool, why string) {
	switch {
	case v.Recovery == nil || v.Recovery.Phase != store.RecoveryReading:
		return !v.Due || v.Recovery == nil, ""
	case v.Refused != "":
		return true, v.Refused
	}
	return false, fmt.Sprintf("%d accounts read", v.Checked)
}

// settled says that nothing is left to be written at a target by itself.
func settled(v admin.RebuildView) (done bool, why string) {
	return v.Recovery == nil || !v.Due, "what differs is being written"
}

// rebuilt waits until all targets have come as far as asked, and says what it waits for.
func (c *client) rebuilt(ctx context.Context, w io.Writer, targets []string, enough func(admin.RebuildView) (bool, string)) ([]admin.RebuildView, error) {
	tick := time.NewTicker(rebuildPoll)
	defer tick.Stop()
	said := map[string]string{}
	for {
		views, err := c.rebuildViews(ctx, targets)
		if err != nil {
			return nil, err
		}
		open := false
		for _, v := range views {
			done, why := enough(v)
			open = open || !done
			if v.Error != "" && !done {
				why += "; " + v.Error
			}
			if why != "" && said[v.Target] != why {
				said[v.Target] = why
				fmt.Fprintf(w, "%s: %s\n", v.Target, visible(why))
			}
		}
		if !open {
			return views, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(model.Fail(model.Unavailable, "stopped waiting; the hub goes on: run it again to see", nil), ctx.Err())
		case <-tick.C:
		}
	}
}

// rebuildViews are those of some targets; none: of all that are being recovered or can be.
func (c *client) rebuildViews(ctx context.Context, targets []string) (out []admin.RebuildView, err error) {
	wanted := map[string]bool{}
	for _, t := range targets {
		wanted[t] = true
	}
	for cursor := ""; ; {
		var answer struct {
			Items []admin.RebuildView `json:"items"`
			Next  string              `json:"next"`
		}
		if err := c.call(ctx, "GET", query("/rebuild", "cursor", cursor), nil, &answer); err != nil {
			return nil, err
		}
		for _, v := range answer.Items {
			if len(targets) == 0 || wanted[v.Target] {
				out = append(out, v)
			}
		}
		if cursor = answer.Next; cursor == "" {
			return out, nil
		}
	}
}

func printRebuild(w io.Writer, views []admin.RebuildView) error {
	var rows [][]string
	for _, v := range views {
		if v.Recovery == nil {
			rows = append(rows, []string{v.Target, "whole", "", "", "", "", "", "", ""})
			continue
		}
		f := v.Recovery.Found
		row := []string{v.Target, v.Recovery.Phase}
		for _, n := range []int{f.Accounts, f.Recognised, f.Same, f.Differ, f.Missing, f.Unknown, f.Ambiguous} {
			row = append(row, strconv.Itoa(n))
		}
		if v.Refused != "" {
			row[1] = "refused: " + v.Refused
		}
		rows = append(rows, row)
	}
	return columns(w, "TARGET STATE ACCOUNTS RECOGNISED SAME DIFFER MISSING UNKNOWN UNCLEAR", rows)
}

func printSettled(w io.Writer, views []admin.RebuildView) {
	for _, v := range views {
		if v.Recovery == nil {
			fmt.Fprintf(w, "%s: recovered\n", v.Target)
			continue
		}
		fmt.Fprintf(w, "%s: what differs is written; what waits for you: scimhub target show %s\n", v.Target, v.Target)
	}
}
