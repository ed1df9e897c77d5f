package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func backupCommand(c *client) *cobra.Command {
	var force, quiet bool
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Copy everything the hub's database holds into a file, while the hub runs",
		Long: `Writes everything the database holds, as it is at one moment, into a file that
"scimhub restore" reads: into SQLite or PostgreSQL, whichever it was taken of. The
hub goes on working meanwhile. The file appears when it is whole and was checked.

It holds personal data, hashes of tokens and the hub's own keys: it is readable by
you alone (mode 0600), is not encrypted, and belongs where secrets are kept. To
encrypt it: scimhub backup - | age -r KEY > hub.backup.age. Secrets that the
configuration refers to (${env:…}, ${file:…}) are not in it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			progress := tellBytes(cmd.ErrOrStderr(), quiet)
			if args[0] == "-" {
				_, err := c.takeBackup(cmd.Context(), cmd.OutOrStdout(), progress)
				return err
			}
			sum, err := c.backupFile(cmd.Context(), args[0], force, progress)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rows of %d tables, schema %d, as of %s, sha256 %s\n", args[0], sum.Rows, len(sum.Tables), sum.Schema, sum.At.Format(time.RFC3339), sum.Digest)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file of this name")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not say how far it is")
	return cmd
}

// backupFile writes a backup beside its place and puts it there when it is whole.
func (c *client) backupFile(ctx context.Context, path string, force bool, progress func(int)) (sum store.BackupSummary, err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return sum, model.Fail(model.Refused, path+" is there already: name another file, or give --force", nil)
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return sum, model.Fail(model.Invalid, "the backup cannot be written", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	err = os.Chmod(part, 0o600) // of a file that was left behind, too
	if err == nil {
		sum, err = c.takeBackup(ctx, f, progress)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	return sum, err
}

// takeBackup asks the hub for a backup and checks it as it arrives.
func (c *client) takeBackup(ctx context.Context, out io.Writer, progress func(int)) (sum store.BackupSummary, err error) {
	read, write := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		var e error
		sum, e = store.CheckBackup(read)
		read.CloseWithError(e) // nobody reads on: who writes is told why
		checked <- e
	}()
	err = c.download(ctx, "/backup", io.MultiWriter(out, counter(progress), write))
	write.CloseWithError(err)
	if e := <-checked; err == nil && e != nil {
		err = model.Fail(model.Unavailable, "what the hub sent is no whole backup", e)
	}
	return sum, err
}

// counter is a writer that tells how many bytes came.
type counter func(int)

// Write counts.
func (c counter) Write(b []byte) (int, error) {
	c(len(b))
	return len(b), nil
}

// tellBytes says every few megabytes how far a backup has come.
func tellBytes(w io.Writer, quiet bool) func(int) {
	const step = 16 << 20
	total, said := 0, 0
	return func(n int) {
		total += n
		if !quiet && total-said >= step {
			said = total
			fmt.Fprintf(w, "%d MB written\n", total>>20)
		}
	}
}
