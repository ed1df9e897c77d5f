package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// output is the -o flag of a command.
type output struct{ format string }

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "table, json or yaml")
	previous := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		switch o.format {
		case "table", "json", "yaml":
		default:
			return usageError{fmt.Errorf("-o must be table, json or yaml, not %q", o.format)}
		}
		if previous != nil {
			return previous(c, args)
		}
		return nil
	}
}

// print writes v as data, or calls table for people.
func (o *output) print(w io.Writer, v any, table func(io.Writer) error) error {
	if o.format == "table" {
		return table(&visibleWriter{w: w})
	}
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	if o.format == "yaml" {
		if body, err = yaml.JSONToYAML(body); err != nil {
			return err
		}
	}
	_, err = w.Write(body)
	return err
}

// columns writes rows under a head, aligned.
func columns(w io.Writer, head string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, text := range r {
			cells[i] = cell(text)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// shortCell is how much of a long text stands in a listing, in characters; show has all.
const shortCell = 240

func short(s string) string {
	if r := []rune(s); len(r) > shortCell {
		return string(r[:shortCell]) + "…"
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}
