package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model/store"
)

func identityTimeline(c *client) *cobra.Command {
	var o output
	var cursor string
	var limit int
	cmd := &cobra.Command{
		Use: "timeline PERSON", Short: "Show what happened to a person, in order", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var answer listOf[store.TimelineEvent]
			path := query("/identities/"+url.PathEscape(args[0])+"/timeline", "cursor", cursor, "limit", strconv.Itoa(limit))
			if err := c.call(cmd.Context(), "GET", path, nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, e := range answer.Items {
					rows[i] = []string{moment(&e.At), e.Type, dash(e.Source), eventText(e.Data)}
				}
				if err := columns(w, "TIME EVENT SOURCE DETAILS", rows); err != nil || answer.Next == "" {
					return err
				}
				_, err := io.WriteString(w, "more: --cursor "+answer.Next+"\n")
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where the previous page ended")
	cmd.Flags().IntVar(&limit, "limit", 100, "events on a page, at most 1000")
	return cmd
}

// eventText is what is known of an event, on one line.
func eventText(data json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return ""
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		text := fmt.Sprint(fields[key])
		if _, plain := fields[key].(string); !plain {
			if b, err := json.Marshal(fields[key]); err == nil {
				text = string(b)
			}
		}
		parts = append(parts, key+" "+text)
	}
	return strings.Join(parts, ", ")
}
