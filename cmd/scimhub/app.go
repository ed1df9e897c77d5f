package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/conformance/app"
)

func appCommand() *cobra.Command {
	var o app.RunOptions
	cmd := &cobra.Command{
		Use:   "app",
		Short: "Run a simulated SCIM application, with faults on demand",
		Long: `Serves SCIM at /scim/v2, kept in memory. GET /_app/state shows what it really
holds; POST /_app/faults replaces the faults; GET /_app/stats counts requests.`,
		Example: "  scimhub app --listen 127.0.0.1:9001 --token secret --fault 429:5%,500:1%,slow:2s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := app.ProfileNamed(o.Profile); err != nil {
				return usageError{err}
			}
			if _, err := app.ParseFaults(o.Faults); err != nil {
				return usageError{fmt.Errorf("--fault: %w", err)}
			}
			o.Token, _ = cmd.Flags().GetString("token")
			o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return app.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:9000", "address to listen on")
	cmd.Flags().StringVar(&o.Profile, "profile", "generic", "how the application behaves")
	cmd.Flags().StringVar(&o.Token, "token", "", "bearer token it accepts (default: any)")
	cmd.Flags().StringVar(&o.Faults, "fault", "", "faults, such as 429:5%,500:1%,slow:2s,garbage:5%,reset:1%")
	return cmd
}
