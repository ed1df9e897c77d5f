package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

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
		Use:     "explain PERSON [TARGET[:GROUP]]",
		Short:   "Say who has what, and why",
		Long:    "Lists every entitlement of a person with its reasons. PERSON is a userName or an identity's id.",
		Example: "  scimhub explain mira@example.com git:engineers",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, group := "", ""
			if len(args) == 2 {
				target, group, _ = strings.Cut(args[1], ":")
			}
			var answer listOf[admin.Explanation]
			path := query("/identities/"+url.PathEscape(args[0])+"/explain", "target", target, "group", group, "at", at)
			if err := c.call(cmd.Context(), "GET", path, nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printExplanations(w, args[0], answer.Items) })
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&at, "at", "", "a past moment: 2026-11-22 or an RFC 3339 time")
	return cmd
}

func printExplanations(w io.Writer, person string, list []admin.Explanation) error {
	if len(list) == 0 {
		_, err := fmt.Fprintf(w, "%s has no entitlement\n", person)
		return err
	}
	for _, e := range list {
		what := e.Target
		if e.Group != "" {
			what += ":" + e.Group
		}
		fmt.Fprintf(w, "%s  %s", what, dash(string(e.State)))
		if e.Role != "" {
			fmt.Fprintf(w, "  role %s", e.Role)
		}
		if e.From != nil {
			fmt.Fprintf(w, "  since %s", moment(e.From))
		}
		if e.ApprovedBy != "" {
			fmt.Fprintf(w, "  approved by %s", e.ApprovedBy)
		}
		fmt.Fprintln(w)
		for _, b := range e.Because {
			fmt.Fprintf(w, "    because %s (configuration version %d)\n", b.Text, b.Version)
		}
		if e.VerifiedAt != nil {
			fmt.Fprintf(w, "    verified %s\n", moment(e.VerifiedAt))
		}
		if e.LastError != "" {
			fmt.Fprintf(w, "    last error: %s\n", e.LastError)
		}
	}
	return nil
}
