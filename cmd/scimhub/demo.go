package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// How small and how large the demo's company may be. A smaller one has too few
// people in a department for a guard to hold anything; a larger one takes longer
// than anybody wants to watch.
const (
	demoMinPeople = 20
	demoMaxPeople = 1000
	demoListen    = "127.0.0.1:8080"
)

type demoOptions struct {
	listen      string
	listenGiven bool
	people      int
	stopAfter   time.Duration // since the start; 0: run until interrupted
	patience    time.Duration // how long any one thing may take
}

func demoCommand() *cobra.Command {
	o := demoOptions{patience: demoPatience}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a hub at work: four simulated applications and a small company",
		Long: `Starts a hub and four simulated applications on this machine, and plays a company
whose people join, move and leave: HR pushes over SCIM, the hub works out who needs
what, and the demo looks at the applications to see that it arrived. Needs no file,
no server and no network but loopback; leaves nothing behind.

Exit code 0: everything that was announced happened. 1: something did not in its time.`,
		Example: "  scimhub demo --for 30s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.listenGiven = cmd.Flags().Changed("listen")
			if o.people < demoMinPeople || o.people > demoMaxPeople {
				return usageError{fmt.Errorf("--people must be from %d to %d", demoMinPeople, demoMaxPeople)}
			}
			if _, _, err := net.SplitHostPort(o.listen); err != nil {
				return usageError{fmt.Errorf("--listen must be host:port, not %q", o.listen)}
			}
			if o.stopAfter < 0 {
				return usageError{errors.New("--for must not be negative")}
			}
			return runDemo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", demoListen, "address of the hub; if it is taken and was not asked for, a free port")
	cmd.Flags().IntVar(&o.people, "people", 60, "size of the company")
	cmd.Flags().DurationVar(&o.stopAfter, "for", 0, "stop after this time, once the story is told (default: when interrupted)")
	return cmd
}

// demo is everything that runs, and what was seen so far.
type demo struct {
	out     io.Writer
	began   time.Time
	dir     string // secrets and the database
	apps    []*demoApp
	hub     *instance
	hr      *scimClient
	api     *client
	company *company

	patience time.Duration
	seen     demoResult
}

// demoResult is what the summary tells; every figure was read from an application
// or from the hub's API.
type demoResult struct {
	leaver   time.Duration // until the leaver was off at every application
	held     int           // removals that the guard kept back
	released int           // of these, carried out after the release
	drift    int           // changes by hand that were found and put right
	told     bool          // the whole story happened
}

// runDemo starts everything, tells the story and ends everything.
func runDemo(ctx context.Context, o demoOptions, out, errOut io.Writer) (err error) {
	d := &demo{out: out, began: time.Now(), company: newCompany(o.people), patience: o.patience}
	if d.dir, err = os.MkdirTemp("", "scimhub-demo-"); err != nil {
		return fmt.Errorf("a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	failed := make(chan error, len(demoApps())+1)
	if err := d.startApps(running, &parts, failed); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelError}))
	if err := d.startHub(running, o, log, &parts, failed); err != nil {
		return err
	}
	d.welcome(ctx)
	err = d.play(running, o, failed)
	stop()
	parts.Wait()
	d.summary()
	return err
}

// play tells the story and then keeps everything running, as long as was asked
// for. An interrupt is no failure; a part of the demo that ends by itself is.
func (d *demo) play(ctx context.Context, o demoOptions, failed <-chan error) error {
	told := make(chan error, 1)
	story, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { told <- d.story(story) }()
	var timer <-chan time.Time
	for {
		select {
		case err := <-failed:
			if ctx.Err() == nil {
				return fmt.Errorf("the demo stopped: %w", err)
			}
			return nil
		case <-ctx.Done():
			cancel()
			if told != nil {
				<-told //nolint:errcheck // an interrupt is no failure
			}
			d.say("", "interrupted")
			return nil
		case err := <-told:
			told = nil
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				d.say("FAILED", err.Error())
				return fmt.Errorf("the demo did not go as it should: %w", err)
			case o.stopAfter == 0:
				d.say("", "that was the story. Everything keeps running until Ctrl-C: try the three things above.")
			default:
				left := time.NewTimer(time.Until(d.began.Add(o.stopAfter)))
				defer left.Stop()
				timer = left.C
				d.say("", "that was the story.")
			}
			d.seen.told = true
		case <-timer:
			return nil
		}
	}
}

func (d *demo) startHub(ctx context.Context, o demoOptions, log *slog.Logger, parts *sync.WaitGroup, failed chan<- error) error {
	hrToken, err := d.secret("hr.token")
	if err != nil {
		return err
	}
	adminToken, err := d.secret("admin.token")
	if err != nil {
		return err
	}
	ln, err := demoListener(ctx, o)
	if err != nil {
		return err
	}
	d.hub, err = start(ctx, instanceOptions{Name: "demo.yaml", Config: []byte(d.config(ln.Addr().String())), Log: log, Announce: true, Listener: ln})
	if err != nil {
		return errors.Join(err, closed(ln.Close()))
	}
	parts.Go(func() { failed <- d.hub.run(ctx) })
	d.hr = newSCIMClient(d.hub.URL+scimPath, hrToken)
	d.api = &client{server: d.hub.URL, token: adminToken}
	return nil
}

// closed is the error of a second Close, which is none.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// demoListener is where the hub listens: where it was told to, or where it usually
// does, or on a free port if something else is there. It stays open from here on, so
// that nobody else takes the port before the hub does.
func demoListener(ctx context.Context, o demoOptions) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil && !o.listenGiven {
		ln, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	return ln, nil
}

// secret makes a random token and keeps it in a file, which the configuration
// refers to: nothing secret stands in the configuration itself.
func (d *demo) secret(name string) (string, error) {
	token := strings.ToLower(rand.Text())
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	return token, nil
}

// commandName is how this program was called, so that what is printed can be typed.
func commandName() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/scimhub"
	}
	return os.Args[0]
}
