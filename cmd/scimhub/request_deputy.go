package main

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

func deputyCommand(c *client) *cobra.Command {
	var o output
	var in admin.DeputyAsk
	cmd := &cobra.Command{
		Use: "deputy PERSON --to DEPUTY", Short: "Have somebody answer requests in a person's place; prints an id", Args: cobra.ExactArgs(1),
		Long: `Has DEPUTY answer what PERSON is asked, from --from until --until. PERSON goes on being
asked, too. Deputies of deputies do not count. People name their own deputies, operators
anybody's.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Person = args[0]
			if in.Deputy == "" {
				return usageError{fmt.Errorf("--to is missing: who is to answer (see %s --help)", cmd.CommandPath())}
			}
			var d store.Deputy
			if err := c.call(cmd.Context(), "POST", "/deputies", in, &d); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), d, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, d.ID)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Deputy, "to", "", "who answers: userName or id")
	cmd.Flags().StringVar(&in.From, "from", "", "a date, a time or a duration from now (default now)")
	cmd.Flags().StringVar(&in.Until, "until", "", "a date, a time or a duration from now (default until it is taken back)")
	cmd.AddCommand(deputyList(c), deputyRemove(c))
	return cmd
}

func deputyList(c *client) *cobra.Command {
	var o output
	var person string
	cmd := &cobra.Command{
		Use: "list", Short: "List who answers in whose place", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := everyPage[admin.DeputyView](cmd.Context(), c, "/deputies", "for", person)
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, d := range answer.Items {
					rows[i] = []string{d.ID, d.PersonName, d.DeputyName, moment(&d.From), moment(d.Until), d.By}
				}
				return columns(w, "ID PERSON DEPUTY FROM UNTIL NAMED_BY", rows)
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&person, "for", "", "only what concerns this person, as either side")
	return cmd
}

func deputyRemove(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Take a deputy back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd.Context(), "DELETE", "/deputies/"+url.PathEscape(args[0]), nil, nil)
		},
	}
}
