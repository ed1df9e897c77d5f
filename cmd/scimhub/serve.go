package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

func serveCommand() *cobra.Command {
	var path, level, format, address string
	var rebuild bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the hub",
		Long: `Runs the hub with a configuration file. If the file differs from the version
that is active in the database, it becomes the next version, provided that no
guard would hold what it removes; otherwise the reason is said and the active
version served: look at it with "scimhub plan --config FILE" and put it in force
with "scimhub apply --config FILE".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return usageError{fmt.Errorf("--log-level must be debug, info, warn or error, not %q", level)}
			}
			text, err := readConfig(path)
			if err != nil {
				return err
			}
			collectSeldom()
			log, err := newLog(cmd.ErrOrStderr(), format, l)
			if err != nil {
				return err
			}
			i, err := start(cmd.Context(), instanceOptions{Name: path, Config: text, Log: log, Announce: true, Listen: address})
			if err != nil {
				return unlessStopped(cmd.Context(), err)
			}
			if rebuild {
				if err := i.awaitRebuild(cmd.Context(), cmd.OutOrStdout()); err != nil {
					return errors.Join(unlessStopped(cmd.Context(), err), i.close())
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "scimhub serves %s (SCIM at %s/scim/v2, configuration version %d)\n", i.URL, i.URL, i.hub.Snapshot().Version)
			link, _, err := i.signIn.FirstLink(cmd.Context())
			if err != nil {
				return errors.Join(unlessStopped(cmd.Context(), err), i.close())
			}
			if link != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "Nobody can sign in at the console yet: open %s within 15 minutes (it works once; scimhub sign-in prints another)\n", link)
			}
			return i.run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file")
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "after a loss of the database: write nothing to targets, but for leavers, before \"scimhub rebuild\" was run")
	cmd.Flags().StringVar(&address, "listen", "", "address to listen at instead of the configuration's, for replicas that share one")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	return cmd
}

// newLog writes the log in a format.
func newLog(w io.Writer, format string, level slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usageError{fmt.Errorf("--log-format must be text or json, not %q", format)}
}

// unlessStopped is the error with which a start failed; none if it was told to stop
// while it started, which is no failure.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// collectSeldom trades memory for time: what is in use is small beside what requests
// leave behind, and at Go's own setting a tenth of a busy hub's work was collecting
// that. The nearer the process comes to memoryMeant, the more often it collects. GOGC and
// GOMEMLIMIT, where they are set, decide.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryMeant)
	}
}

// memoryMeant is how much memory a hub takes before it collects more often than
// collectSeldom wants, in bytes. What is in use at a time is a quarter of it, whatever the
// population; 512 MiB are enough for a replica with it.
const memoryMeant = 400 << 20

// readConfig reads a configuration with the files it names, which are looked for
// beside it.
func readConfig(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, model.Fail(model.Invalid, "the configuration cannot be read", err)
	}
	folder := filepath.Dir(path)
	return config.Bundle(text, func(file string) ([]byte, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(folder, file)
		}
		content, err := os.ReadFile(file)
		if cause, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, cause.Err // the name is said already
		}
		return content, err
	}), nil
}
