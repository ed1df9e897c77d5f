package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model/store"
)

func auditCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read, export and verify the audit trail", Args: cobra.NoArgs, RunE: needsSub}
	cmd.AddCommand(auditList(c), auditVerify(c), auditExport(c), auditCheckpoint(c))
	return cmd
}

func auditList(c *client) *cobra.Command {
	var o output
	var identity, cursor, limit string
	cmd := &cobra.Command{
		Use: "list", Short: "List entries, oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer listOf[store.AuditEntry]
			if err := c.call(cmd.Context(), "GET", query("/audit", "identity", identity, "cursor", cursor, "limit", limit), nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, e := range answer.Items {
					rows[i] = []string{moment(&e.At), e.Actor, e.Action, e.Object, string(e.Data)}
				}
				if err := columns(w, "TIME ACTOR ACTION OBJECT DATA", rows); err != nil || answer.Next == "" {
					return err
				}
				_, err := fmt.Fprintln(w, "more: --cursor", answer.Next)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&identity, "identity", "", "only entries about the person with this id")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where the previous page ended")
	cmd.Flags().StringVar(&limit, "limit", "100", "entries on a page, at most 1000")
	return cmd
}
