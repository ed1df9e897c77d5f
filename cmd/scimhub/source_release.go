package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

func sourceRelease(c *client) *cobra.Command {
	var o output
	var people []string
	cmd := &cobra.Command{
		Use: "release SOURCE [DIGEST]", Short: "Let leavers go whom the source's guard holds", Args: cobra.RangeArgs(1, 2),
		Long: `More people left at a source than its guard allows: the accounts of the rest stay
until somebody has looked. With a digest exactly those held under it are let go, and
nobody if others are held by now; with --person those alone, while the others stay
held. With neither the held leavers are listed with their digest, and the exit code
is 2 if there are any.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/sources/" + url.PathEscape(args[0])
			switch {
			case len(args) == 2 && len(people) > 0:
				return usageError{fmt.Errorf("either DIGEST or --person, not both")}
			case len(args) == 1 && len(people) == 0:
				return listHeld(cmd, c, o, path)
			}
			req := admin.ReleaseLeavers{People: people}
			if len(args) == 2 {
				req.Digest = args[1]
			}
			var done hub.Released
			if err := c.call(cmd.Context(), "POST", path+"/release", req, &done); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), done, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %d leavers released\n", done.Source, len(done.People))
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringArrayVar(&people, "person", nil, "release this person alone, by user name or id; may be repeated")
	return cmd
}

// listHeld shows who is held at a source.
func listHeld(cmd *cobra.Command, c *client, o output, path string) error {
	var s admin.SourceView
	if err := c.call(cmd.Context(), "GET", path, nil, &s); err != nil {
		return err
	}
	held := admin.HeldLeavers{People: []store.HeldLeaver{}}
	if s.Held != nil {
		held = *s.Held
	}
	if err := o.print(cmd.OutOrStdout(), held, func(w io.Writer) error { return printHeld(w, s.Name, held) }); err != nil || held.Count == 0 {
		return err
	}
	return exitCode{code: exitDiffers}
}

func printHeld(w io.Writer, source string, held admin.HeldLeavers) error {
	if held.Count == 0 {
		_, err := fmt.Fprintf(w, "%s: nobody is held\n", source)
		return err
	}
	rows := make([][]string, len(held.People))
	for i, p := range held.People {
		rows[i] = []string{p.Name, p.LeftAt.Format(time.RFC3339), p.ID}
	}
	if err := columns(w, "HELD_LEAVER LEFT ID", rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d leavers are held; to let all of them go: scimhub source release %s %s\n", held.Count, source, held.Digest)
	return err
}
