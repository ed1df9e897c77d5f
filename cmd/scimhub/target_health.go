package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
)

// healthRows say what is known of a target's standing, pace and credentials.
func healthRows(h admin.TargetHealth) (rows [][]string) {
	if q := h.Quarantine; q != nil {
		rows = append(rows, []string{"quarantine", fmt.Sprintf("since %s: %s", moment(&q.Since), q.Reason)},
			[]string{"next probe", fmt.Sprintf("%s (%d in vain)", moment(q.NextProbe), q.Probes)})
	}
	rows = append(rows, []string{"backlog", strconv.Itoa(h.Backlog) + progressWords(h.Progress)},
		[]string{"at once", fmt.Sprintf("%d of at most %d requests", h.Concurrency.Now, h.Concurrency.Most)})
	for _, r := range h.Rate {
		words := fmt.Sprintf("%s: %g a second, %d at once", strings.Join(r.Kinds, ", "), r.PerSecond, r.Burst)
		if r.PausedUntil != nil {
			words += ", paused until " + moment(r.PausedUntil)
		}
		rows = append(rows, []string{"rate", words})
	}
	for _, c := range h.Credentials {
		rows = append(rows, []string{"credential", credentialWords(c)})
	}
	for _, w := range h.Warnings {
		rows = append(rows, []string{"warning", w})
	}
	return rows
}

func credentialWords(c fanout.CredentialView) string {
	words := c.Slot + ", " + c.Reference
	if c.InUse {
		words += ", in use"
	}
	if c.Expires != nil {
		words += ", expires " + c.Expires.UTC().Format(time.DateOnly)
	}
	if c.Owner != "" {
		words += ", owned by " + c.Owner
	}
	if c.Refused != "" {
		words += ", refused: " + c.Refused
	}
	return words
}

// progressWords are appended to a number of accounts; empty where nothing large waits.
func progressWords(p *fanout.ProgressView) string {
	if p == nil {
		return ""
	}
	words := fmt.Sprintf(" (%d of %d done, %g a second", p.Done, p.Total, p.PerSecond)
	if p.ETA != nil {
		words += ", until " + moment(p.ETA)
	}
	return words + ")"
}

// credentialEnd is when the credential in use ends, for listings.
func credentialEnd(h admin.TargetHealth) string {
	for _, c := range h.Credentials {
		if c.InUse && c.Expires != nil {
			return c.Expires.UTC().Format(time.DateOnly)
		}
	}
	return "-"
}

func targetRotate(c *client) *cobra.Command {
	var o output
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "rotate TARGET", Short: "Use a target's next credential (auth.next) from now on, if it works", Args: cobra.ExactArgs(1),
		Long: "Tries the credential that the configuration names as auth.next with a harmless call. If it works it is\nused from then on, after a restart, too; if the target refuses it, the present one stays in use and the exit code is 1.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var before, t admin.TargetView
			if err := c.call(cmd.Context(), "GET", targetPath(args[0], ""), nil, &before); err != nil {
				return err
			}
			if err := c.call(cmd.Context(), "POST", targetPath(args[0], "rotate"), nil, &t); err != nil {
				return err
			}
			was := nextSlot(before)
			t, err := watch(cmd.Context(), c, io.Discard, args[0], wait, func(t admin.TargetView) bool {
				next := nextSlot(t)
				return next.InUse || (next.Refused != "" && next.TestedAt != nil && (was.TestedAt == nil || next.TestedAt.After(*was.TestedAt)))
			}, waitWords)
			if err != nil {
				return err
			}
			next := nextSlot(t)
			if err := o.print(cmd.OutOrStdout(), t.Credentials, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n", t.Name, credentialWords(next))
				return err
			}); err != nil {
				return err
			}
			switch {
			case next.InUse:
				return nil
			case next.Refused != "":
				return exitCode{exitFailed, model.Fail(model.Invalid, "the target refuses the next credential; the present one stays in use", nil)}
			}
			return exitCode{exitFailed, model.Fail(model.Unavailable, "the next credential has not been tried yet; it will be taken into use when it works", nil)}
		},
	}
	o.flag(cmd)
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for the call")
	return cmd
}

func nextSlot(t admin.TargetView) fanout.CredentialView {
	for _, c := range t.Credentials {
		if c.Slot == model.SlotNext {
			return c
		}
	}
	return fanout.CredentialView{}
}
