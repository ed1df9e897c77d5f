package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/conformance/app"
)

func appCommand() *cobra.Command {
	var o app.RunOptions
	cmd := &cobra.Command{
		Use:   "app",
		Short: "Run a simulated SCIM application, with faults on demand",
		Long: `Serves SCIM at /scim/v2, kept in memory, with the limits and habits of a real
product. GET /_app/state shows what it really holds; GET /_app/stats counts requests,
what a careful client never does (forbidden) and what nobody can undo (irreversible);
POST /_app/faults replaces the faults; POST /_app/accept {"userName": …} accepts an
invitation, {} all of them; POST /_app/token {"token": …, "owner": …} replaces the token.

Profiles: ` + strings.Join(app.ProfileNames(), ", ") + `

Faults, separated by commas:
  ` + strings.ReplaceAll(app.FaultHelp, "\n", "\n  "),
		Example: `  scimhub app --listen 127.0.0.1:9001 --token secret --fault 429:5%,500:1%,slow:2s
  scimhub app --profile slack --pace 10
  scimhub app --profile notion --owner ada@example.com --domain example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := app.ProfileNamed(o.Profile); err != nil {
				return usageError{err}
			}
			if _, err := app.ParseFaults(o.Faults); err != nil {
				return usageError{fmt.Errorf("--fault: %w", err)}
			}
			if !(o.Pace > 0) {
				return usageError{fmt.Errorf("--pace must be more than 0, not %v", o.Pace)}
			}
			o.Token, _ = cmd.Flags().GetString("token")
			o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return app.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:9000", "address to listen on")
	cmd.Flags().StringVar(&o.Profile, "profile", "generic", "which product it behaves like")
	cmd.Flags().Float64Var(&o.Pace, "pace", 1, "how many times as much it allows in its time; inf: no limits")
	cmd.Flags().StringVar(&o.Owner, "owner", "", "userName of who made the token (notion) or owns the account (launchdarkly)")
	cmd.Flags().StringSliceVar(&o.Domains, "domain", nil, "verified domain (atlassian, notion); may be repeated (default: every domain but unverified.example)")
	cmd.Flags().StringVar(&o.Token, "token", "", "bearer token it accepts (default: any)")
	cmd.Flags().StringVar(&o.Faults, "fault", "", "faults, such as 429:5%,500:1%,slow:2s,garbage:5%,reset:1%; see above")
	return cmd
}
