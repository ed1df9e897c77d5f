package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
)

// readyCommand asks a hub whether it is ready, for whatever starts one and has no tool
// of its own for it: a container's health check, a unit that others wait for, a script.
func readyCommand(c *client) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Say whether the hub is ready to serve",
		Long: `Asks the hub's /readyz: the database answers and the hub is not stopping. Exit 0
if it is ready, 1 if it is not or does not answer. No token is needed.`,
		Example: `  scimhub ready --wait 30s && ./push-everybody
  scimhub ready --server https://hub.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), max(wait, 0)+5*time.Second)
			defer cancel()
			if err := awaitReady(ctx, c, wait); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			return nil
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for it")
	return cmd
}

// awaitReady asks until the hub is ready, for as long as wait says, once at least.
func awaitReady(ctx context.Context, c *client, wait time.Duration) error {
	given := c.server
	if given == "" {
		given = os.Getenv("SCIMHUB_SERVER")
	}
	if given != "" {
		c.token = "none needed" // so that the one that was named is asked, and no other
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		c.server = given // it may be another one that has started meanwhile
		err := c.ready(ctx)
		if err == nil || isUsage(err) {
			return err
		}
		select {
		case <-over.C:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ready asks once.
func (c *client) ready(ctx context.Context) error {
	if err := c.locate(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return model.Fail(model.Unavailable, "the hub at "+c.server+" does not answer", err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if res.StatusCode != http.StatusOK {
		return model.Fail(model.Unavailable, fmt.Sprintf("the hub at %s is not ready: %s: %.200s", c.server, res.Status, strings.TrimSpace(string(text))), nil)
	}
	return nil
}
