package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
)

func targetCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "target", Short: "Look at target applications and act on them", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(targetList(c), targetShow(c), targetSync(c), targetGroups(c), targetDrift(c), targetRelease(c),
		targetProbe(c), targetAction(c, "pause", "Stop writing to a target, leavers included (leaver list shows who waits)"), targetAction(c, "resume", "Write to a paused or quarantined target again"), targetRotate(c))
	return cmd
}

func targetPath(name, action string) string {
	p := "/targets/" + url.PathEscape(name)
	if action != "" {
		p += "/" + action
	}
	return p
}

func targetList(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "list", Short: "List targets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := everyPage[admin.TargetView](cmd.Context(), c, "/targets")
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, t := range answer.Items {
					held := 0
					if t.Held != nil {
						held = t.Held.Count
					}
					rows[i] = []string{t.Name, t.State, string(t.Mode), countsText(t.Accounts), strconv.Itoa(t.Pending), strconv.Itoa(held), moment(t.LastSuccess), credentialEnd(t.TargetHealth), dash(t.LastError)}
				}
				return columns(w, "TARGET STATE MODE ACCOUNTS PENDING HELD LAST_SUCCESS CREDENTIAL_ENDS ERROR", rows)
			})
		},
	}
	o.flag(cmd)
	return cmd
}

func countsText(counts map[model.AccountState]int) string {
	var parts []string
	for state, n := range counts {
		parts = append(parts, fmt.Sprintf("%s=%d", state, n))
	}
	slices.Sort(parts)
	return dash(strings.Join(parts, ","))
}

func targetShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show TARGET", Short: "Show a target: accounts by state, backlog, what is held", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t admin.TargetView
			if err := c.call(cmd.Context(), "GET", targetPath(args[0], ""), nil, &t); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), t, func(w io.Writer) error { return printTarget(w, t) })
		},
	}
	o.flag(cmd)
	return cmd
}

// pendingText counts what waits, and for whom.
func pendingText(t admin.TargetView) string {
	text := strconv.Itoa(t.Pending)
	if t.AwaitPerson > 0 {
		text += fmt.Sprintf(", %d of them for people: scimhub task list --target %s", t.AwaitPerson, t.Name)
	}
	if t.Scheduled > 0 {
		text += fmt.Sprintf("; %d more are switched off and to be deleted later", t.Scheduled)
	}
	return text
}

func printTarget(w io.Writer, t admin.TargetView) error {
	rows := [][]string{{"target", t.Name}, {"url", dash(t.URL)}, {"profile", t.Profile}, {"mode", string(t.Mode)}, {"state", t.State}, {"accounts", countsText(t.Accounts)},
		{"pending", pendingText(t)}, {"last attempt", moment(t.LastAttempt)}, {"last success", moment(t.LastSuccess)}, {"last drift sweep", moment(t.LastDrift)}}
	if t.Refused != "" {
		rows = append(rows, []string{"drift sweep", "nothing was concluded: " + t.Refused})
	}
	for _, words := range t.Doubts {
		rows = append(rows, []string{"not believed", words})
	}
	if t.LastError != "" {
		rows = append(rows, []string{"error", t.ErrorClass + ": " + t.LastError}, []string{"next attempt", moment(t.RetryAt)})
	}
	for _, class := range slices.Sorted(maps.Keys(t.Errors)) {
		rows = append(rows, []string{"failed", fmt.Sprintf("%d accounts: %s", t.Errors[class], class)})
	}
	rows = append(rows, healthRows(t.TargetHealth)...)
	if err := columns(w, "FACT VALUE", rows); err != nil || t.Held == nil {
		return err
	}
	fmt.Fprintf(w, "\n%d accounts are held: %s\n", t.Held.Count, t.Held.Reason)
	_, err := io.WriteString(w, fanout.Render(model.Plan{Target: t.Name, Changes: t.Held.Changes}))
	return err
}

func targetAction(c *client, action, short string) *cobra.Command {
	return &cobra.Command{
		Use: action + " TARGET", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t admin.TargetView
			if err := c.call(cmd.Context(), "POST", targetPath(args[0], action), nil, &t); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", t.Name, t.State)
			return err
		},
	}
}

func targetSync(c *client) *cobra.Command {
	var o output
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "sync TARGET", Short: "Do what waits at a target now, and watch it", Args: cobra.ExactArgs(1),
		Long: `Ends the target's back-off, takes up again what had failed, and watches until nothing
is left to do. What waits for people (task list), for the end of a grace period or for
a release (target show) is not waited for. Exit code 1 if anything is left when --wait
is over.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var t admin.TargetView
			if err := c.call(cmd.Context(), "POST", targetPath(args[0], "sync"), nil, &t); err != nil {
				return err
			}
			t, err := watch(cmd.Context(), c, cmd.ErrOrStderr(), args[0], wait, allDone, waitWords)
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), t, func(w io.Writer) error { return printTarget(w, t) }); err != nil {
				return err
			}
			if !allDone(t) {
				return exitCode{exitFailed, model.Fail(model.Unavailable, fmt.Sprintf("%d accounts still wait at %s", t.Pending-t.AwaitPerson, t.Name), nil)}
			}
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "how long to watch")
	return cmd
}

// allDone reports whether nothing is left that the hub could do by itself.
func allDone(t admin.TargetView) bool { return t.Pending == t.AwaitPerson && t.Backlog == 0 }

// waitWords is how far a target is.
func waitWords(t admin.TargetView) string {
	words := fmt.Sprintf("%d accounts wait", t.Pending-t.AwaitPerson)
	if t.AwaitPerson > 0 {
		words += fmt.Sprintf(", %d more for people", t.AwaitPerson)
	}
	return words + progressWords(t.Progress)
}

// watch asks for the target until it is as wanted or the time is over, and says how far
// it is, in words of its own where that changes.
func watch(ctx context.Context, c *client, progress io.Writer, name string, wait time.Duration, done func(admin.TargetView) bool, words func(admin.TargetView) string) (admin.TargetView, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	shown := ""
	for {
		var t admin.TargetView
		if err := c.call(ctx, "GET", targetPath(name, ""), nil, &t); err != nil || done(t) {
			return t, err
		}
		if text := words(t); text != shown {
			fmt.Fprintf(progress, "%s: %s\n", name, text)
			shown = text
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-deadline.C:
			return t, nil
		case <-tick.C:
		}
	}
}

func targetRelease(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "release TARGET DIGEST", Short: "Carry out exactly the held plan of this digest", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var done admin.ReleaseAnswer
			if err := c.call(cmd.Context(), "POST", targetPath(args[0], "release"), admin.ReleaseRequest{Digest: args[1]}, &done); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d accounts released\n", done.Target, done.Accounts)
			return err
		},
	}
}
