package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/config"
)

func replayCommand(c *client) *cobra.Command {
	var o output
	var path, since string
	var limit int
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "What a configuration would have decided in the past",
		Long: `Puts everything that the hub knew of people since a moment to a configuration, and
says where it would have decided otherwise than was decided then: who would have
gained or lost which role and which access, and when. Nothing is written. Exit code
0: it would have decided the same; 2: there are differences.`,
		Example: "  scimhub replay --config new.yaml --since 720h\n  scimhub replay --config new.yaml --since 2026-10-01",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usageError{errors.New("--config is missing: the configuration to try")}
			}
			from, err := replaySince(since, time.Now())
			if err != nil {
				return usageError{err}
			}
			text, err := readConfig(path)
			if err != nil {
				return err
			}
			var answer admin.ReplayAnswer
			if err := c.call(cmd.Context(), "POST", "/replay", admin.ReplayRequest{Config: string(text), Name: path, Since: from, Limit: limit}, &answer); err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printReplay(w, answer) }); err != nil {
				return err
			}
			if answer.Affected > 0 {
				return exitCode{code: exitDiffers}
			}
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVarP(&path, "config", "c", "", "the configuration to try")
	cmd.Flags().StringVar(&since, "since", "720h", "how long ago (720h, 30d), or a moment (2026-10-01, 2026-10-01T08:00:00Z)")
	cmd.Flags().IntVar(&limit, "limit", 1000, "differences to list, at most 100000")
	return cmd
}

// replaySince reads how long ago, or a moment; a date is its first moment in UTC.
func replaySince(text string, now time.Time) (time.Time, error) {
	if d, err := config.ParseDuration(strings.TrimPrefix(text, "-")); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since must be how long ago (720h, 30d) or a moment (2026-10-01, 2026-10-01T08:00:00Z), not %q", text)
}

func printReplay(w io.Writer, a admin.ReplayAnswer) error {
	for _, warning := range a.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	for _, list := range []struct {
		head   string
		counts []admin.ReplayCount
	}{{"ROLE GAINED LOST", a.Roles}, {"ACCESS GAINED LOST", a.Access}} {
		if len(list.counts) == 0 {
			continue
		}
		rows := make([][]string, len(list.counts))
		for i, c := range list.counts {
			rows[i] = []string{c.Name, fmt.Sprintf("+%d", c.Gained), fmt.Sprintf("-%d", c.Lost)}
		}
		if err := columns(w, list.head, rows); err != nil {
			return err
		}
	}
	for _, d := range a.Differences {
		until := "today"
		if d.Until != nil {
			until = d.Until.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s  %s to %s ", printable(d.Person), d.From.Format(time.RFC3339), until)
		for _, part := range []struct {
			sign  string
			names []string
		}{{"+", d.Gained}, {"-", d.Lost}, {"+at ", d.AccessGained}, {"-at ", d.AccessLost}} {
			for _, name := range part.names {
				fmt.Fprint(w, " ", part.sign, printable(name))
			}
		}
		fmt.Fprintln(w)
	}
	if a.More > 0 {
		fmt.Fprintf(w, "… and %d more (--limit)\n", a.More)
	}
	_, err := fmt.Fprintf(w, "%d moments of %d people since %s: it would have decided otherwise about %d people\n", a.Moments, a.People, a.Since.Format(time.RFC3339), a.Affected)
	return err
}
