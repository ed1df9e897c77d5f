package main

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

func identityErase(c *client) *cobra.Command {
	var o output
	var yes, force bool
	cmd := &cobra.Command{
		Use: "erase PERSON", Short: "Erase the personal data of somebody who has left", Args: cobra.ExactArgs(1),
		Long: `Erases what the hub knows of somebody who has left: the merged record, its
history, the words in requests, events and the audit trail. It cannot be undone. What
stays is that there was somebody, under an id. Refused while they may still get in
anywhere, and while a source describes them unless --force removes the hub's copies
of that, too. Accounts that are still at targets, disabled, are listed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/identities/" + url.PathEscape(args[0])
			if !yes {
				var p admin.IdentityView
				if err := c.call(cmd.Context(), "GET", path, nil, &p); err != nil {
					return err
				}
				if !confirmed(cmd, fmt.Sprintf("Erase %s (%s, %s)? This cannot be undone. [y/N] ", p.UserName, p.ID, p.Stage)) {
					return model.Fail(model.Refused, "nothing was erased", nil)
				}
			}
			var done hub.Erased
			if err := c.call(cmd.Context(), "POST", path+"/erase", admin.EraseRequest{Force: force}, &done); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), done, func(w io.Writer) error { return printErased(w, done) })
		},
	}
	o.flag(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "remove the hub's copies of what sources still say of the person, too")
	return cmd
}

// confirmed asks, and takes anything but yes for no.
func confirmed(cmd *cobra.Command, question string) bool {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

func printErased(w io.Writer, done hub.Erased) error {
	if _, err := fmt.Fprintf(w, "%s erased; %d resources removed, %d audit entries emptied\n", done.ID, done.Resources, done.Entries); err != nil || len(done.Remaining) == 0 {
		return err
	}
	rows := make([][]string, len(done.Remaining))
	for i, a := range done.Remaining {
		when := "never by the hub"
		if a.DeletesAt != nil {
			when = a.DeletesAt.Format(time.RFC3339)
		}
		if a.Active {
			when = "active, at a target that is not configured"
		}
		rows[i] = []string{a.Target, a.RemoteID, when}
	}
	return columns(w, "STILL_AT REMOTE_ID DELETED", rows)
}
