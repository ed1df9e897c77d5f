package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// statusAnswer is what scimhub status prints as data.
type statusAnswer struct {
	admin.Overview
	Work []admin.Work `json:"work"` // under way
}

// statusCommand prints what needs somebody, and how targets are.
func statusCommand(c *client) *cobra.Command {
	var o output
	var check bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show what needs somebody, how targets are, and what is under way", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v statusAnswer
			if err := c.call(cmd.Context(), "GET", "/overview", nil, &v.Overview); err != nil {
				return err
			}
			var work listOf[admin.Work]
			if err := c.call(cmd.Context(), "GET", "/progress", nil, &work); err != nil {
				return err
			}
			v.Work = work.Items
			if err := o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printStatus(w, v) }); err != nil {
				return err
			}
			for _, n := range v.Needs {
				if check && n.Severity == admin.SeverityCritical {
					return exitCode{code: exitDiffers}
				}
			}
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "exit 2 if something is critical")
	return cmd
}

func printStatus(w io.Writer, v statusAnswer) error {
	if len(v.Needs) == 0 {
		fmt.Fprintln(w, "nothing needs anybody")
	} else {
		rows := make([][]string, len(v.Needs))
		for i, n := range v.Needs {
			rows[i] = []string{n.Severity, n.Kind, moment(n.Oldest), short(n.Text)}
		}
		if err := columns(w, "SEVERITY WHAT SINCE TEXT", rows); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	rows := make([][]string, len(v.Targets))
	for i, t := range v.Targets {
		done, failed := 0, 0
		for _, h := range t.Hours {
			if h.Hour.After(v.At.Add(-25 * time.Hour)) {
				done, failed = done+h.Done, failed+h.Failed
			}
		}
		rows[i] = []string{t.Name, t.State, strconv.Itoa(t.Accounts[model.StateInSync]), strconv.Itoa(t.Pending), dash(t.Lag), strconv.Itoa(t.Accounts[model.StateFailed]), strconv.Itoa(t.Held),
			strconv.Itoa(t.Drifted), moment(t.LastSuccess), fmt.Sprintf("%d/%d", done, failed)}
	}
	if err := columns(w, "TARGET STATE IN_SYNC PENDING LAG FAILED HELD DRIFTED LAST_SUCCESS DONE/FAILED_24H", rows); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d people active, %d left in 7 days and verified (p95 %s), %d open, %d at risk\n", v.People[model.Active], v.Leavers.All.N, dash(v.Leavers.All.P95), v.Leavers.All.Open, v.Leavers.AtRisk)
	for _, k := range v.Work {
		text := k.Text
		if k.ETA != nil {
			text += ", until about " + k.ETA.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "under way: %s\n", text)
	}
	return nil
}
