package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

// version is set by the release build (-ldflags "-X main.version=…").
var version = "dev"

func thisVersion() admin.Version {
	v := admin.Version{Version: version, Commit: "unknown", Schema: store.SchemaVersion}
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
