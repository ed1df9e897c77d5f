package main

import (
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

// everyPage reads a listing from its first page to the last.
func everyPage[T any](ctx context.Context, c *client, path string, pairs ...string) (all listOf[T], err error) {
	all.Items = []T{}
	for cursor := ""; ; {
		var one listOf[T]
		if err := c.call(ctx, "GET", query(path, append(slices.Clone(pairs), "cursor", cursor)...), nil, &one); err != nil {
			return all, err
		}
		all.Items = append(all.Items, one.Items...)
		if cursor = one.Next; cursor == "" {
			return all, nil
		}
	}
}

// listing is a command that lists a page of something of the API.
type listing[T any] struct {
	use, short string
	args       cobra.PositionalArgs // nil: none
	what       string               // what stands on a page
	// path is the address, and its query as names and values, of what is asked for.
	path func(args []string) (string, []string)
	head string
	row  func(T) []string
}

// command makes the command; more flags are the caller's to add.
func (l listing[T]) command(c *client) *cobra.Command {
	var o output
	var cursor string
	var limit int
	args := l.args
	if args == nil {
		args = cobra.NoArgs
	}
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, asked := l.path(args)
			var answer listOf[T]
			if err := c.call(cmd.Context(), "GET", query(path, append(asked, "cursor", cursor, "limit", strconv.Itoa(limit))...), nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, item := range answer.Items {
					rows[i] = l.row(item)
				}
				if err := columns(w, l.head, rows); err != nil || answer.Next == "" {
					return err
				}
				_, err := io.WriteString(w, "more: --cursor "+answer.Next+"\n")
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where the previous page ended")
	cmd.Flags().IntVar(&limit, "limit", 100, l.what+" on a page, at most 500")
	return cmd
}
