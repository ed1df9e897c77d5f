package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/hub"
)

func policyCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Check, test and export the rules", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(policyCheck(), policyTest(), policyExport(c))
	return cmd
}

func policyCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with a configuration, without a hub",
		Long: `Reads a configuration and type-checks every rule and mapping in it, as the hub
does before it puts one in force. Every fault is a line file:line:column; exit code 1
where there is one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := compileFile(path)
			if err != nil {
				return err
			}
			return printChecked(cmd.OutOrStdout(), path, snap)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file")
	return cmd
}

// compileFile compiles a configuration file as version 1; the error lists every fault.
func compileFile(path string) (*hub.Snapshot, error) {
	text, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	return hub.Compile(1, path, text, checkProfiles)
}

func printChecked(w io.Writer, path string, snap *hub.Snapshot) error {
	for _, f := range snap.Doc.Warnings {
		if _, err := fmt.Fprintln(w, "warning:", f); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: no fault: %d roles, %d targets\n", path, len(snap.Doc.Roles), len(snap.Doc.Targets))
	return err
}
