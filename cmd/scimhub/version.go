package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

// version and commit are set by the release build (-ldflags "-X main.version=…"); without
// it the commit is the one that Go noted.
var (
	version = "dev"
	commit  string
)

func thisVersion() admin.Version {
	v := admin.Version{Version: version, Commit: cmp.Or(commit, "unknown"), Schema: store.SchemaVersion}
	if commit != "" {
		return v
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	return v
}

func versionCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version of this program", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := thisVersion()
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "scimhub %s (commit %s, database schema %d)\n", v.Version, v.Commit, v.Schema)
				return err
			})
		},
	}
	o.flag(cmd)
	return cmd
}
