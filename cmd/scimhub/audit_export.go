package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func auditExport(c *client) *cobra.Command {
	var since, until, identity, format, file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the audit trail out, as JSON lines or CSV",
		Long: `Writes entries as JSON lines, which "scimhub audit verify FILE" checks without the
hub, or as CSV for a spreadsheet. Without --since, --until and --identity all of them
are written, with the newest signed checkpoint.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if format != "jsonl" && format != "csv" {
				return usageError{fmt.Errorf("-o must be jsonl or csv, not %q", format)}
			}
			out := cmd.OutOrStdout()
			if file != "" {
				f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err != nil {
					return model.Fail(model.Invalid, "the export cannot be written", err)
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out = f
			}
			return c.download(cmd.Context(), query("/audit/export", "format", format, "since", since, "until", until, "identity", identity), out)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "jsonl", "jsonl or csv")
	cmd.Flags().StringVar(&since, "since", "", "the first moment: 2026-11-22, 2026-11-22T10:00:00Z or -720h")
	cmd.Flags().StringVar(&until, "until", "", "the first moment that is left out")
	cmd.Flags().StringVar(&identity, "identity", "", "only entries about this person: a userName or an identity's id")
	cmd.Flags().StringVar(&file, "file", "", "write to a new file instead of the output")
	return cmd
}

// download copies an answer of any length. One that breaks off is an error.
func (c *client) download(ctx context.Context, path string, out io.Writer) error {
	if err := c.resolve(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/api/v1"+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	patient := c.http
	patient.Timeout = 0 // it takes as long as it is long
	res, err := patient.Do(req)
	if err != nil {
		return model.Fail(model.Unavailable, "the hub at "+c.server+" does not answer", errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return problemOf(res)
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		return model.Fail(model.Unavailable, "the answer broke off: what was written is a part of it", err)
	}
	return nil
}

func auditCheckpoint(c *client) *cobra.Command {
	o := output{}
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the newest signed checkpoint, to be kept elsewhere",
		Long: `Prints where every lane of the audit trail stood, signed, as JSON. Keep it where
whoever runs the hub's database cannot change it: "scimhub audit verify --checkpoint
FILE" then shows whether the trail is still the one that was signed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer store.Checkpoint
			if err := c.call(cmd.Context(), "GET", "/audit/checkpoint", nil, &answer); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, nil)
		},
	}
	cmd.Flags().StringVarP(&o.format, "output", "o", "json", "json or yaml")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.format != "json" && o.format != "yaml" {
			return usageError{fmt.Errorf("-o must be json or yaml, not %q", o.format)}
		}
		return nil
	}
	return cmd
}
