package main

import (
	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model/store"
)

func auditCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read, export and verify the audit trail", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(auditList(c), auditVerify(c), auditExport(c), auditCheckpoint(c))
	return cmd
}

func auditList(c *client) *cobra.Command {
	var identity string
	cmd := listing[store.AuditEntry]{
		use: "list", short: "List entries, oldest first", what: "entries", head: "TIME ACTOR ACTION OBJECT DATA",
		path: func([]string) (string, []string) { return "/audit", []string{"identity", identity} },
		row: func(e store.AuditEntry) []string {
			return []string{moment(&e.At), e.Actor, e.Action, e.Object, string(e.Data)}
		},
	}.command(c)
	cmd.Flags().StringVar(&identity, "identity", "", "only entries about the person with this id")
	return cmd
}
