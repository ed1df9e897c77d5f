package main

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func findingCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use: "finding", Short: "Look at facts that are missing, impossible or contradictory", Args: cobra.NoArgs, RunE: needsSub,
		Long: `What is wrong with the facts about people, with the source that can put it right and
the owner of that source. A finding takes nobody's access away, and is gone once the
facts are right.`,
	}
	cmd.AddCommand(findingList(c), findingSummary(c))
	return cmd
}

func findingList(c *client) *cobra.Command {
	var kind, source, person string
	cmd := listing[admin.FindingView]{
		use: "list", short: "List findings", what: "findings", head: "PERSON KIND SOURCE OWNER SINCE WHAT",
		path: func([]string) (string, []string) {
			return "/findings", []string{"kind", kind, "source", source, "for", person}
		},
		row: func(f admin.FindingView) []string {
			return []string{dash(f.UserName), f.Kind, dash(f.Source), dash(f.Owner), moment(&f.Since), f.Message}
		},
	}.command(c)
	cmd.Flags().StringVar(&kind, "kind", "", "only of this kind: missing, manager, number, date, match, conflict, rule, mapping, approval, source")
	cmd.Flags().StringVar(&source, "source", "", "only those that this source can put right")
	cmd.Flags().StringVar(&person, "for", "", "only those of this person")
	return cmd
}

func findingSummary(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "summary", Short: "Count findings by source and kind; exit 2 where there are any", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer listOf[admin.FindingTotal]
			if err := c.call(cmd.Context(), "GET", "/findings/summary", nil, &answer); err != nil {
				return err
			}
			err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				if len(answer.Items) == 0 {
					_, err := io.WriteString(w, "no findings\n")
					return err
				}
				rows := make([][]string, len(answer.Items))
				for i, f := range answer.Items {
					rows[i] = []string{dash(f.Source), f.Kind, strconv.Itoa(f.Count), dash(f.Owner)}
				}
				return columns(w, "SOURCE KIND COUNT OWNER", rows)
			})
			if err == nil && len(answer.Items) > 0 {
				err = exitCode{code: exitDiffers}
			}
			return err
		},
	}
	o.flag(cmd)
	return cmd
}
