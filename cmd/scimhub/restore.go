package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func restoreCommand() *cobra.Command {
	var path, database string
	var replace, yes, quiet bool
	cmd := &cobra.Command{
		Use:   "restore FILE|- --config hub.yaml",
		Short: "Put a backup into the database that a configuration names, with the hub stopped",
		Long: `Reads a backup of either database into the database of hub.yaml: SQLite or
PostgreSQL. The file is checked from end to end first, with the chain of the audit
trail; then everything is there at once, or, where it is interrupted, nothing. A
database that holds anything is refused without --replace, and one that a hub runs
on always. A backup of an earlier version of scimhub is brought up to date.

Targets may have changed since the backup was taken. Each is read in full before
anything is written there. One that is as the hub knows it goes on by itself; where
something differs, everything but leavers waits: have the sources push again, then run
"scimhub rebuild". Modes of targets stay as the configuration says.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dsn, err := databaseOf(path, database)
			if err != nil {
				return err
			}
			if replace && !yes && !confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "Everything that the database holds is replaced.") {
				return model.Fail(model.Refused, "nothing was changed", nil)
			}
			open, done, err := backupSource(args[0], cmd.InOrStdin(), replace && !yes)
			if err != nil {
				return err
			}
			defer done()
			report, err := store.Restore(cmd.Context(), dsn, open, store.RestoreOptions{Replace: replace, Actor: operator(), Progress: tellRows(cmd.ErrOrStderr(), quiet)})
			if err != nil {
				return err
			}
			return printRestored(cmd.OutOrStdout(), report)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file that names the database")
	cmd.Flags().StringVar(&database, "database", "", "URL of the database instead, or a reference ${env:NAME} to it")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace what the database holds")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not say how far it is")
	return cmd
}

// operator is who works on this machine, for the audit trail.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "operator " + u.Username
	}
	return "operator"
}

// backupSource opens a backup as often as it is needed. What comes from standard input is
// kept in a file of its own until done; asked says that an answer was read from there.
func backupSource(name string, in io.Reader, asked bool) (open func() (io.ReadCloser, error), done func(), err error) {
	file, done := name, func() {}
	if name == "-" {
		if asked {
			return nil, nil, usageError{errors.New("--replace with a backup from standard input needs --yes")}
		}
		f, err := os.CreateTemp("", "scimhub-restore-*") // mode 0600
		if err != nil {
			return nil, nil, model.Fail(model.Invalid, "the backup cannot be kept while it is checked", err)
		}
		file, done = f.Name(), func() { _ = os.Remove(f.Name()) }
		_, err = io.Copy(f, in)
		if err = errors.Join(err, f.Close()); err != nil {
			done()
			return nil, nil, model.Fail(model.Invalid, "the backup cannot be kept while it is checked", err)
		}
	}
	return func() (io.ReadCloser, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, model.Fail(model.Invalid, "the backup cannot be read", err)
		}
		return f, nil
	}, done, nil
}

// tellRows says every now and then how far a restore has come.
func tellRows(w io.Writer, quiet bool) func(table string, rows, of int64) {
	const step = 200_000
	return func(table string, rows, of int64) {
		if !quiet && rows%step == 0 {
			fmt.Fprintf(w, "%s: %d of %d rows\n", table, rows, of)
		}
	}
}

func printRestored(w io.Writer, r store.RestoreReport) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Restored %d rows of %d tables as of %s, written by scimhub %s from %s", r.Rows, len(r.Tables), r.At.Format(time.RFC3339), r.Program, r.From)
	if r.BackupSummary.Schema != r.Schema {
		fmt.Fprintf(&b, " with schema %d, now %d", r.BackupSummary.Schema, r.Schema)
	}
	fmt.Fprintf(&b, "; the chain of %d audit entries holds.\n", r.Entries)
	if len(r.Targets) > 0 {
		fmt.Fprintf(&b, "Before anything is written there these targets are read in full: %s.\n", strings.Join(r.Targets, ", "))
		fmt.Fprintln(&b, "Next: start the hub, have the sources push again what changed since, look with \"scimhub rebuild\".")
	}
	if len(r.Erased) > 0 {
		fmt.Fprintf(&b, "%d people who were erased after the backup are back. Erase them again:\n", len(r.Erased))
		for _, p := range slices.Compact(r.Erased) {
			fmt.Fprintf(&b, "  scimhub identity erase %s    # was erased %s\n", p.ID, p.At.Format(time.RFC3339))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func moveCommand() *cobra.Command {
	var path, from, database string
	var replace, yes, quiet bool
	cmd := &cobra.Command{
		Use:   "move --from sqlite:scimhub.db --config hub.yaml",
		Short: "Move the hub to another database, with the hub stopped",
		Long: `Copies everything from one database into the one that hub.yaml names: from SQLite to
PostgreSQL when one machine is not enough, or back. Stop the hub, write the new
database into hub.yaml, run this, start the hub. The old database stays as it is: keep
it until the hub runs well, and start no hub on it any more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usageError{errors.New("--from names the database to move away from: sqlite:PATH or postgres://…")}
			}
			dsn, err := databaseOf(path, database)
			if err != nil {
				return err
			}
			if from, err = model.NewSecret(from).Reveal(); err != nil {
				return err
			}
			if dsn == from {
				return usageError{errors.New("--from and the configuration name the same database: write the new one into the configuration first")}
			}
			if replace && !yes && !confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "Everything that the database holds is replaced.") {
				return model.Fail(model.Refused, "nothing was changed", nil)
			}
			report, err := move(cmd.Context(), from, dsn, store.RestoreOptions{Replace: replace, Moved: true, Actor: operator(), Progress: tellRows(cmd.ErrOrStderr(), quiet)})
			if err != nil {
				return err
			}
			return printRestored(cmd.OutOrStdout(), report)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file that names the database to move to")
	cmd.Flags().StringVar(&from, "from", "", "database to move away from: sqlite:PATH or postgres://…")
	cmd.Flags().StringVar(&database, "database", "", "URL of the database instead, or a reference ${env:NAME} to it")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace what the database holds")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not say how far it is")
	return cmd
}

// move copies a database through a file of its own, so that the new one is checked as
// any backup is.
func move(ctx context.Context, from, to string, o store.RestoreOptions) (report store.RestoreReport, err error) {
	source, err := store.OpenSource(ctx, from)
	if err != nil {
		return report, err
	}
	defer source.Close()
	f, err := os.CreateTemp("", "scimhub-move-*") // mode 0600
	if err != nil {
		return report, model.Fail(model.Invalid, "there is no room for the copy: set TMPDIR", err)
	}
	defer os.Remove(f.Name())
	_, err = source.Backup(ctx, f, version, nil)
	if err = errors.Join(err, f.Close()); err != nil {
		return report, err
	}
	return store.Restore(ctx, to, func() (io.ReadCloser, error) { return os.Open(f.Name()) }, o)
}

// awaitRebuild has every target that can be read wait for "scimhub rebuild", and says so.
func (i *instance) awaitRebuild(ctx context.Context, w io.Writer) error {
	names := []string{}
	for _, t := range i.hub.Snapshot().Doc.Targets {
		if t.Manual == nil {
			names = append(names, t.Name)
		}
	}
	entry := store.AuditEntry{Actor: operator(), Action: "rebuild.await", Object: "hub"}
	if _, err := i.store.BeginRecovery(ctx, store.RecoveryRebuild, operator(), names, entry); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "Nothing is written to any target, but for leavers, before \"scimhub rebuild\": run it when the sources have pushed again")
	return err
}
