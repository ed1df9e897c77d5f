package main

import (
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
)

func sourceCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "source", Short: "Look at sources, and at what they send that is not standard", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(sourceList(c), sourceShow(c), sourceRelease(c))
	return cmd
}

func sourceList(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "list", Short: "List sources", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := everyPage[admin.SourceView](cmd.Context(), c, "/sources")
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, s := range answer.Items {
					rows[i] = []string{s.Name, s.Dialect, counted(s.Resources), strconv.Itoa(len(s.Deviations))}
				}
				return columns(w, "SOURCE DIALECT RESOURCES DEVIATIONS", rows)
			})
		},
	}
	o.flag(cmd)
	return cmd
}

func sourceShow(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show SOURCE", Short: "Show a source: what it has, and the deviations its dialect tolerated", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s admin.SourceView
			if err := c.call(cmd.Context(), "GET", "/sources/"+url.PathEscape(args[0]), nil, &s); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), s, func(w io.Writer) error { return printSource(w, s) })
		},
	}
	o.flag(cmd)
	return cmd
}

func printSource(w io.Writer, s admin.SourceView) error {
	if _, err := fmt.Fprintf(w, "%s: dialect %s, %s\n", s.Name, s.Dialect, counted(s.Resources)); err != nil {
		return err
	}
	if s.LastSeen != nil {
		if _, err := fmt.Fprintln(w, "heard of last at "+moment(s.LastSeen)); err != nil {
			return err
		}
	}
	if s.SilentSince != nil {
		if _, err := fmt.Fprintln(w, "silent since "+moment(s.SilentSince)); err != nil {
			return err
		}
	}
	if s.Held != nil {
		if err := printHeld(w, s.Name, *s.Held); err != nil {
			return err
		}
	}
	if len(s.Deviations) == 0 {
		_, err := fmt.Fprintln(w, "no deviations seen")
		return err
	}
	rows := make([][]string, len(s.Deviations))
	for i, d := range s.Deviations {
		rows[i] = []string{d.Name, strconv.FormatInt(d.Count, 10), d.Last.Format(time.RFC3339), d.Meaning}
	}
	return columns(w, "DEVIATION COUNT LAST MEANING", rows)
}

// counted lists how many resources there are of each type.
func counted(resources map[string]int) string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(resources)) {
		out = append(out, fmt.Sprintf("%s=%d", kind, resources[kind]))
	}
	return dash(strings.Join(out, " "))
}
