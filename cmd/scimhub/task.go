package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

func taskCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task",
		Short: "What people have to do because the hub cannot",
		Long: `Some changes only a person can make: at applications without an API (manual), where
an application's API does not switch accounts off, and before an account is deleted,
when what its owner has there is to be handed on (transfer: required). The hub opens a
task, waits, and goes on as soon as somebody says that it was done.`,
		Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(taskList(c), taskShow(c), taskDone(c), taskRefuse(c))
	return cmd
}

func taskList(c *client) *cobra.Command {
	var mine, overdue bool
	var target, person, state string
	cmd := listing[hub.TaskView]{
		use: "list", short: "List tasks, those that are due first in front", what: "tasks", head: "ID KIND TARGET FOR DUE ASSIGNED STATE WHAT",
		path: func([]string) (string, []string) {
			return "/tasks", []string{"mine", flagged(mine), "overdue", flagged(overdue), "target", target, "for", person, "state", state}
		},
		row: func(v hub.TaskView) []string {
			return []string{v.ID, string(v.Kind), v.Target, dash(v.For), v.Due.Format(time.RFC3339), v.Assigned, taskState(v), short(v.What)}
		},
	}.command(c)
	cmd.Flags().BoolVar(&mine, "mine", false, "only what is yours to do")
	cmd.Flags().BoolVar(&overdue, "overdue", false, "only what should have been done by now")
	cmd.Flags().StringVar(&target, "target", "", "only at this target")
	cmd.Flags().StringVar(&person, "for", "", "only about this person")
	cmd.Flags().StringVar(&state, "state", "", "open (default), closed or all")
	return cmd
}

// taskState is where a task stands, in a word.
func taskState(v hub.TaskView) string {
	switch {
	case !v.Open():
		return string(v.Outcome)
	case v.Overdue:
		return "overdue"
	case v.Auto:
		return "by-hub"
	}
	return "open"
}

func taskShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a task: what, by when, for whom, how it ended", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v hub.TaskView
			if err := c.call(cmd.Context(), "GET", "/tasks/"+url.PathEscape(args[0]), nil, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printTask(w, v) })
		},
	}
	o.flag(cmd)
	return cmd
}

func printTask(w io.Writer, v hub.TaskView) error {
	rows := [][]string{{"id", v.ID}, {"kind", string(v.Kind)}, {"state", taskState(v)}, {"target", v.Target}, {"for", dash(v.For)},
		{"what", v.What}, {"assigned", v.Assigned}, {"created", moment(&v.Created)}, {"due", moment(&v.Due)}}
	if v.Gets != "" {
		rows = append(rows, []string{"gets", v.Gets})
	}
	if v.NeedsProof && v.Open() {
		rows = append(rows, []string{"proof", "needed"})
	}
	if v.LastError != "" {
		rows = append(rows, []string{"error", v.LastError})
	}
	if !v.Open() {
		rows = append(rows, []string{"closed", moment(v.DoneAt) + " by " + v.DoneBy})
		if v.Proof != "" {
			rows = append(rows, []string{"words", v.Proof})
		}
	}
	return columns(w, "FACT VALUE", rows)
}

func taskDone(c *client) *cobra.Command {
	var o output
	var in admin.TaskDone
	cmd := &cobra.Command{
		Use: "done ID", Short: "Say that a task was done", Args: cobra.ExactArgs(1),
		Example: `  scimhub task done 0197… --proof "ticket OPS-4711, account is suspended"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return closeTask(c, cmd, &o, args[0], "done", in)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Proof, "proof", "", "how it can be checked")
	return cmd
}

func taskRefuse(c *client) *cobra.Command {
	var o output
	var in admin.TaskRefusal
	cmd := &cobra.Command{
		Use: "refuse ID", Short: "Say that a task will not be done, and why", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return closeTask(c, cmd, &o, args[0], "refuse", in)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why (needed)")
	return cmd
}

func closeTask(c *client, cmd *cobra.Command, o *output, id, verb string, in any) error {
	var v hub.TaskView
	if err := c.call(cmd.Context(), "POST", "/tasks/"+url.PathEscape(id)+"/"+verb, in, &v); err != nil {
		return err
	}
	return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n", v.Outcome, v.What)
		return err
	})
}
