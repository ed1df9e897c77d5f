package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// drillFlags are those of a drill: run PERSON --drill.
type drillFlags struct {
	drill bool
	wait  time.Duration
}

func (f *drillFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.drill, "drill", false, "treat a test person (identity.drill) as a leaver at every target, see it verified, and give everything back")
	cmd.Flags().DurationVar(&f.wait, "drill-wait", 2*hub.DrillLimit, "how long to watch a drill; it goes on and ends without being watched")
}

// drillPoll is how often a drill is looked at.
const drillPoll = 300 * time.Millisecond

// runDrill starts a drill and watches it to its end. Exit code 0: off everywhere within
// the goals, and back everywhere; 2: not; 3: refused.
func runDrill(cmd *cobra.Command, c *client, o *output, f drillFlags, person string) error {
	ctx := cmd.Context()
	var v admin.LeaverView
	if err := c.call(ctx, "POST", "/identities/"+url.PathEscape(person)+"/drill", nil, &v); err != nil {
		return err
	}
	progress := cmd.ErrOrStderr()
	fmt.Fprintf(progress, "drill %s with %s began; by itself it ends at %s\n", v.ID, v.UserName, moment(v.Until))
	v, err := watchDrill(ctx, c, progress, v, f.wait)
	if err != nil {
		return err
	}
	if err := o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printDrill(w, v) }); err != nil {
		return err
	}
	if v.Outcome != model.OutcomeBack || !v.InGoal {
		return exitCode{code: exitDiffers}
	}
	return nil
}

// watchDrill asks for the drill until it has ended or the time is over.
func watchDrill(ctx context.Context, c *client, progress io.Writer, v admin.LeaverView, wait time.Duration) (admin.LeaverView, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(drillPoll)
	defer tick.Stop()
	shown := ""
	for v.EndedAt == nil {
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-deadline.C:
			return v, nil
		case <-tick.C:
		}
		var now admin.LeaverView
		if err := c.call(ctx, "GET", "/leavers/"+url.PathEscape(v.ID), nil, &now); err != nil {
			return v, err
		}
		v = now
		text := v.Summary
		if v.OffAt != nil {
			text += "; giving back"
		}
		if verified, of := v.LeaverRun.Verified(); text != shown && (verified == of || shown == "") {
			fmt.Fprintln(progress, text)
			shown = text
		}
	}
	return v, nil
}

func printDrill(w io.Writer, v admin.LeaverView) error {
	words := map[string]string{model.OutcomeBack: "everything is back", model.OutcomeLate: "its time was over before everything was off and back",
		model.OutcomeLeft: "the person really left meanwhile", "": "it is still under way"}
	fmt.Fprintf(w, "drill with %s: %s; %s\n", v.UserName, v.Summary, words[v.Outcome])
	rows := make([][]string, len(v.Targets))
	for i, t := range v.Targets {
		off, back := "-", "-"
		if t.VerifiedAt != nil {
			off = model.Span(t.VerifiedAt.Sub(v.ReceivedAt))
		}
		if t.BackAt != nil && v.OffAt != nil {
			back = model.Span(t.BackAt.Sub(*v.OffAt))
		}
		what := t.LastError
		if what == "" {
			what = t.Note
		}
		state := string(t.State)
		if t.State == model.LeaverNotNeeded {
			state = "left_out"
		}
		rows[i] = []string{t.Target, state, off, back, dash(what)}
	}
	return columns(w, "TARGET STATE OFF_IN BACK_IN WHAT", rows)
}
