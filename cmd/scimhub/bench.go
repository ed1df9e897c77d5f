package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/bench"
	"github.com/scimhub/scimhub/model"
)

// benchToken is what the source of a bench pushes with.
const benchToken = "bench-source-token-bench-source-token" //nolint:gosec // of a hub on loopback that ends with the bench

func benchCommand() *cobra.Command {
	var o output
	var b bench.Options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a hub on this machine beside its floor",
		Long: `Starts hubs on loopback, each with a database of its own, and measures what they do
beside a floor in the same run: what a canned HTTP answer and the bare statements through
a raw driver leave together, a plain client, the program doing nothing. What counts is
the ratio: 1 costs nothing beyond the floor.

  inbound    create, read, filters, PUT, PATCH and pages, eight connections
  groups     adding to and reading a small and a large group
  pipeline   evaluation, fan-out to simulated applications, a drift sweep
  start      from the call to ready, and memory

--database may be repeated. sqlite: is a new file in a temporary folder, postgres://… a
new schema in that database, dropped at the end.`,
		Example: `  scimhub bench
  scimhub bench --database sqlite: --database 'postgres://bench@127.0.0.1/bench' --people 10000 -o json
  scimhub bench --only pipeline --people 20000 --targets 5`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBench(cmd, b, &o)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringArrayVar(&b.Databases, "database", []string{"sqlite:"}, "sqlite: or postgres://user@host/db; may be repeated")
	cmd.Flags().IntVar(&b.People, "people", 5000, "how many people there are")
	cmd.Flags().IntVar(&b.Targets, "targets", 3, "how many applications the pipeline has")
	cmd.Flags().DurationVar(&b.Each, "for", 500*time.Millisecond, "how long one thing is measured in one round")
	cmd.Flags().IntVar(&b.Rounds, "rounds", 5, "how often hub and floor take turns")
	cmd.Flags().StringSliceVar(&b.Only, "only", nil, "parts to measure: "+strings.Join(bench.Parts(), ", ")+" (default all)")
	return cmd
}

func runBench(cmd *cobra.Command, b bench.Options, o *output) (err error) {
	if b.Folder, err = os.MkdirTemp("", "scimhub-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.Folder)
	if b.Program, err = os.Executable(); err != nil {
		return err
	}
	collectSeldom() // as serve does
	b.Now = time.Now
	b.Start = benchHub
	b.Say = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
	rows, err := bench.Run(cmd.Context(), b)
	if err != nil {
		return benchFault(err)
	}
	return o.print(cmd.OutOrStdout(), map[string]any{"items": rows}, func(w io.Writer) error {
		lines := make([][]string, len(rows))
		for i, r := range rows {
			lines[i] = []string{r.Database, r.What, benchFigure(r.Hub, r.Unit), benchFigure(r.Floor, r.Unit), fmt.Sprintf("%.2f", r.Ratio), r.Beside}
		}
		return columns(w, "DATABASE WHAT SCIMHUB FLOOR RATIO FLOOR-IS", lines)
	})
}

// benchFault makes a wrong flag of what the bench refuses.
func benchFault(err error) error {
	if model.CodeOf(err) == model.Invalid {
		return usageError{err}
	}
	return err
}

func benchFigure(f float64, unit string) string {
	if unit == "/s" {
		return fmt.Sprintf("%.0f/s", f)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// benchHub starts a hub that evaluates and provisions only when it is told to.
func benchHub(ctx context.Context, database string, targets []bench.Target) (*bench.Hub, error) {
	i, err := start(ctx, instanceOptions{Name: "bench", Config: benchConfig(database, targets), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() { served <- i.server.Serve(i.listener) }()
	return &bench.Hub{URL: i.URL + scimPath, Token: benchToken,
		Evaluate: func(ctx context.Context) error { return while(ctx, i.hub.Run, i.evaluated) },
		Provision: func(ctx context.Context) error {
			return while(ctx, func(ctx context.Context) { _ = i.worker.Run(ctx) }, i.provisioned)
		},
		Sweep: func(ctx context.Context, target string) (int, error) {
			report, err := i.worker.Sweep(ctx, target)
			return report.Checked, cmp.Or(err, refusedSweep(report.Refused))
		},
		Stop: func() error {
			err := i.server.Close()
			if e := <-served; !errors.Is(e, http.ErrServerClosed) {
				err = errors.Join(err, e)
			}
			return errors.Join(err, i.close())
		}}, nil
}

func refusedSweep(why string) error {
	if why == "" {
		return nil
	}
	return model.Fail(model.Refused, "the sweep concluded nothing: "+why, nil)
}

// benchConfig gives everybody an account at each target, and one in ten a group at each.
func benchConfig(database string, targets []bench.Target) []byte {
	var s strings.Builder
	fmt.Fprintf(&s, "listen: 127.0.0.1:0\ndatabase: %q\nsources: {hr: {tokens: [{name: main, secret: %s}]}}\n", database, benchToken)
	if len(targets) == 0 {
		return []byte(s.String())
	}
	var accounts, groups []string
	for _, t := range targets {
		accounts = append(accounts, "{target: "+t.Name+"}")
		groups = append(groups, "{target: "+t.Name+", group: chosen}")
	}
	fmt.Fprintf(&s, "roles:\n  employee: {when: user.active, grants: [%s]}\n", strings.Join(accounts, ", "))
	fmt.Fprintf(&s, "  chosen: {when: 'user.enterprise.department == \"Department 3\"', grants: [%s]}\ntargets:\n", strings.Join(groups, ", "))
	for _, t := range targets {
		fmt.Fprintf(&s, "  %s: {url: %q, auth: {bearer: %s}, match: [externalId], rate: {concurrency: 8}}\n", t.Name, t.URL, t.Token)
	}
	return []byte(s.String())
}

// while runs something until a condition is true.
func while(ctx context.Context, run func(context.Context), until func(context.Context) (bool, error)) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	defer running.Wait()
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		is, err := until(ctx)
		if is || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// evaluated reports whether nobody waits to be evaluated.
func (i *instance) evaluated(ctx context.Context) (bool, error) {
	n, _, err := i.store.Marks(ctx)
	return n == 0, err
}

// provisioned reports whether every account is in sync.
func (i *instance) provisioned(ctx context.Context) (bool, error) {
	counts, err := i.store.StateCounts(ctx)
	if err != nil {
		return false, err
	}
	for target, states := range counts {
		for state, n := range states {
			switch {
			case n > 0 && state == model.StateFailed:
				return false, fmt.Errorf("%d accounts at %s failed", n, target)
			case n > 0 && state != model.StateInSync:
				return false, nil
			}
		}
	}
	return true, nil
}
