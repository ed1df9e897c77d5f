package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

func leaverCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use: "leaver", Short: "See who left, and where their access is verified gone", Args: cobra.NoArgs, RunE: needsSub,
		Long: `A run for each leaver: when the fact was received, and for each target whether the
request was sent, accepted, and shown by the target itself. Only what a target shows
counts as verified.`,
	}
	cmd.AddCommand(leaverList(c), leaverShow(c), leaverNumbers(c))
	return cmd
}

// ago is a moment so long before now as a text says; empty: none.
func ago(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return "", usageError{fmt.Errorf("--since: %w", err)}
	}
	return time.Now().Add(-d).UTC().Format(time.RFC3339), nil
}

func leaverList(c *client) *cobra.Command {
	var since, kind, from string
	var open bool
	cmd := listing[admin.LeaverView]{
		use: "list", short: "List leavers, the newest first", what: "leavers", head: "PERSON KIND SINCE VERIFIED OUTCOME HOW_FAR",
		path: func([]string) (string, []string) {
			q := []string{"since", from, "kind", kind}
			if open {
				q = append(q, "open", "true")
			}
			return "/leavers", q
		},
		row: func(v admin.LeaverView) []string {
			verified, of := v.LeaverRun.Verified()
			return []string{dash(v.UserName), v.Kind, moment(&v.ReceivedAt), fmt.Sprintf("%d/%d", verified, of), dash(v.Outcome), v.Summary}
		},
	}.command(c)
	cmd.Flags().StringVar(&since, "since", "30d", "only those whose fact came within this time")
	cmd.Flags().StringVar(&kind, "kind", "", "only leaver, or only drill")
	cmd.Flags().BoolVar(&open, "open", false, "only those that are not verified everywhere yet")
	previous := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if from, err = ago(since); err != nil {
			return err
		}
		return previous(cmd, args)
	}
	return cmd
}

func leaverShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show PERSON", Short: "Show how far the end of somebody's access is; exit 2 while it is not verified everywhere", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.LeaverView
			if err := c.call(cmd.Context(), "GET", "/leavers/"+url.PathEscape(args[0]), nil, &v); err != nil {
				return err
			}
			err := o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printLeaver(w, v) })
			if err == nil && !v.Verified {
				err = exitCode{code: exitDiffers}
			}
			return err
		},
	}
	o.flag(cmd)
	return cmd
}

func printLeaver(w io.Writer, v admin.LeaverView) error {
	fmt.Fprintf(w, "%s (%s since %s): %s\n", v.UserName, v.Kind, v.ReceivedAt.Format(time.RFC3339), v.Summary)
	if v.Risk != model.RiskNone {
		fmt.Fprintf(w, "the goal is %s\n", map[model.Risk]string{model.RiskRisk: "at risk", model.RiskLate: "missed"}[v.Risk])
	}
	rows := make([][]string, len(v.Targets))
	for i, t := range v.Targets {
		why := t.LastError
		if why == "" {
			why = t.Note
		}
		rows[i] = []string{t.Target, string(t.State), since(v.ReceivedAt, t.SentAt), since(v.ReceivedAt, t.AcceptedAt), since(v.ReceivedAt, t.VerifiedAt),
			strconv.Itoa(t.Attempts), moment(t.NextAt), dash(why)}
	}
	return columns(w, "TARGET STATE SENT ACCEPTED VERIFIED ATTEMPTS NEXT WHAT", rows)
}

// since is how long after the fact something happened.
func since(fact time.Time, at *time.Time) string {
	if at == nil {
		return "-"
	}
	return "+" + model.Span(at.Sub(fact))
}

func leaverNumbers(c *client) *cobra.Command {
	var o output
	var period string
	cmd := &cobra.Command{
		Use: "summary", Short: "Show how long it took from the fact to access verified gone: half, 95 and 99 of a hundred", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := ago(period)
			if err != nil {
				return err
			}
			var s admin.LeaverSummary
			if err := c.call(cmd.Context(), "GET", query("/leavers/summary", "since", from), nil, &s); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), s, func(w io.Writer) error {
				rows := make([][]string, 0, len(s.Targets)+1)
				for _, n := range append([]admin.LeaverNumbers{s.All}, s.Targets...) {
					name := n.Target
					if name == "" {
						name = "(everywhere)"
					}
					rows = append(rows, []string{name, strconv.Itoa(n.N), strconv.Itoa(n.Open), dash(n.P50), dash(n.P95), dash(n.P99)})
				}
				if err := columns(w, "TARGET VERIFIED OPEN P50 P95 P99", rows); err != nil || s.AtRisk == 0 {
					return err
				}
				_, err := fmt.Fprintf(w, "%d people: a goal is at risk or missed\n", s.AtRisk)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&period, "since", "30d", "of those whose fact came within this time")
	return cmd
}
