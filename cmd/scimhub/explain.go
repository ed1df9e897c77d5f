package main

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

type listOf[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func explainCommand(c *client) *cobra.Command {
	var o output
	var at string
	cmd := &cobra.Command{
		Use:   "explain PERSON [TARGET[:GROUP]]",
		Short: "Say who has what, and why; or why not",
		Long: `Lists every entitlement of a person with its reasons: the rule or the request,
the facts it read with their sources, who asked and who approved, whether it is in
the target. With TARGET, and of what the person does not have, it says why not.
PERSON is a userName or an identity's id. --at asks about a past moment: a date is
its first moment in the time zone of the configuration.`,
		Example: `  scimhub explain mira@example.com git:engineers
  scimhub explain mira@example.com --at 2026-11-22
  scimhub explain mira@example.com git --at=-24h`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, group := "", ""
			if len(args) == 2 {
				target, group, _ = strings.Cut(args[1], ":")
			}
			var answer admin.ExplainAnswer
			path := query("/identities/"+url.PathEscape(args[0])+"/explain", "target", target, "group", group, "at", at)
			if err := c.call(cmd.Context(), "GET", path, nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printExplanations(w, args, at != "", answer) })
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&at, "at", "", "a past moment: 2026-11-22, 2026-11-22T10:00:00+01:00 or -24h")
	return cmd
}

func printExplanations(w io.Writer, args []string, past bool, answer admin.ExplainAnswer) error {
	if past {
		fmt.Fprintf(w, "on %s:\n", answer.At.Format(time.RFC3339))
	}
	if answer.Note != "" {
		fmt.Fprintln(w, answer.Note)
	}
	if len(answer.Missing) > 0 {
		fmt.Fprintf(w, "%s has no entitlement to %s:\n", args[0], args[1])
		for _, m := range answer.Missing {
			fmt.Fprintf(w, "    %s\n", m.Message)
		}
	} else if len(answer.Items) == 0 {
		fmt.Fprintf(w, "%s has no entitlement\n", args[0])
	}
	for _, e := range answer.Items {
		printExplanation(w, e)
	}
	return nil
}

func printExplanation(w io.Writer, e admin.Explanation) {
	what := e.Target
	if e.Group != "" {
		what += ":" + e.Group
	}
	fmt.Fprintf(w, "%s  %s", what, dash(string(e.State)))
	if e.Inactive {
		fmt.Fprint(w, " (inactive)")
	}
	if e.Role != "" {
		fmt.Fprintf(w, "  role %s", e.Role)
	}
	if e.From != nil {
		fmt.Fprintf(w, "  since %s", moment(e.From))
	}
	if e.Until != nil {
		fmt.Fprintf(w, "  until %s", moment(e.Until))
	}
	if e.ApprovedBy != "" {
		fmt.Fprintf(w, "  approved by %s", e.ApprovedBy)
	}
	fmt.Fprintln(w)
	line := func(format string, args ...any) { fmt.Fprintf(w, "    "+format+"\n", args...) }
	for _, b := range e.Because {
		line("because %s (configuration version %d)", b.Text, b.Version)
		for _, source := range slices.Sorted(maps.Keys(b.Pushed)) {
			line("    %s wrote last %s", source, b.Pushed[source])
		}
	}
	if e.HandOver {
		line("kept for the hand-over: nothing gives it any more")
	}
	if e.Request != nil {
		printAsked(line, e.Request)
	}
	if x := e.Exception; x != nil {
		line("in spite of a conflict: exception of %s until %s, %s answers for it: %s", strings.Join(x.Roles, " and "), moment(&x.Until), dash(x.Owner), x.Reason)
	}
	if e.Note != "" {
		line("%s", e.Note)
	}
	if e.NextReview != nil {
		line("next review %s", moment(e.NextReview))
	}
	if e.VerifiedAt != nil {
		line("verified %s", moment(e.VerifiedAt))
	}
	if e.LastError != "" {
		line("last error: %s", e.LastError)
	}
}

// printAsked says who asked and who decided.
func printAsked(line func(string, ...any), q *admin.AskedView) {
	text := "asked for by " + q.AskedBy + " " + moment(&q.At)
	if q.Reason != "" {
		text += ": " + q.Reason
	}
	line("%s", text)
	for _, d := range q.Decisions {
		text = "denied by "
		if d.Approve {
			text = "approved by "
		}
		text += d.By
		switch {
		case d.Override:
			text += " (an operator, instead of the approvers)"
		case d.DeputyOf != "":
			text += " (deputy of " + d.DeputyOf + ")"
		case d.For != "":
			text += " (" + d.For + ")"
		}
		if text += " " + moment(&d.At); d.Reason != "" {
			text += ": " + d.Reason
		}
		line("%s", text)
	}
}
