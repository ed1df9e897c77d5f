package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model/store"
)

func identityTimeline(c *client) *cobra.Command {
	return listing[store.TimelineEvent]{
		use: "timeline PERSON", short: "Show what happened to a person, in order", args: cobra.ExactArgs(1),
		what: "events", head: "TIME EVENT SOURCE DETAILS",
		path: func(args []string) (string, []string) {
			return "/identities/" + url.PathEscape(args[0]) + "/timeline", nil
		},
		row: func(e store.TimelineEvent) []string {
			return []string{moment(&e.At), e.Type, dash(e.Source), eventText(e.Data)}
		},
	}.command(c)
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
