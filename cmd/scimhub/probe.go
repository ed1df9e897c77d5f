package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/outbound"
)

// probeFlags are the flags of target probe.
type probeFlags struct {
	o       output
	ask     admin.ProbeRequest
	write   string
	timeout time.Duration
}

func targetProbe(c *client) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use: "probe TARGET|URL", Short: "Find out what an application can do, and write a profile of it", Args: cobra.ExactArgs(1),
		Long: `Probe asks an application what it says of itself, and then tries: look-ups that
should find and that should not, pages, PATCH in its several forms, PUT, members,
renaming, switching off, deleting. It works on an account and a group that it makes
and removes, or with --read-only makes nothing and learns less. What it learnt, from
what, and what it could not learn is printed; the profile goes below a target in the
configuration, or into the file named by --write.

A target of the hub is probed with its own credential. For a URL give --token; the
hub refuses addresses that its configuration's outbound does not allow. Where no hub
is running the URL is probed by this command itself.`,
		Example: `  scimhub target probe git --read-only
  scimhub target probe https://app.example.com/scim/v2 --token "$TOKEN" --write acme.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, c, args[0]) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.ask.ReadOnly, "read-only", false, "only read: make, change and remove nothing")
	flags.StringVar(&f.ask.Domain, "domain", "", "domain of the user name of the account that is made (default: that of an account there)")
	flags.StringVar(&f.write, "write", "", "write the profile into this file; it must not exist")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "give up after this time")
	f.o.flag(cmd)
	return cmd
}

func (f *probeFlags) run(cmd *cobra.Command, c *client, what string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	report, err := f.probe(ctx, c, what)
	if err != nil && report.Requests == 0 {
		return err
	}
	if f.write != "" {
		if err := f.save(report); err != nil {
			return err
		}
	}
	o := f.o
	if e := o.print(cmd.OutOrStdout(), report, func(w io.Writer) error { return f.table(w, report) }); e != nil {
		return e
	}
	return err
}

// probe goes through the hub, or does without one where a URL is asked for and no hub
// is to be found.
func (f *probeFlags) probe(ctx context.Context, c *client, what string) (report fanout.ProbeReport, err error) {
	if !strings.Contains(what, "://") {
		return report, c.call(ctx, "POST", targetPath(what, "probe"), f.ask, &report)
	}
	f.ask.URL, f.ask.Token = what, c.token // --token is the application's here
	c.token = ""
	if err := c.resolve(); err != nil && c.server == "" {
		return probeHere(ctx, model.Target{Name: "probe", URL: what, Auth: model.Auth{Bearer: literalSecret(f.ask.Token)}}, f.ask, nil, time.Now)
	}
	return report, c.call(ctx, "POST", "/probe", f.ask, &report)
}

// literalSecret is a token as it was typed; no reference in it is followed.
func literalSecret(token string) model.Secret {
	if strings.HasPrefix(token, "${") {
		return model.Secret{}
	}
	return model.NewSecret(token)
}

// probeHere carries a probe out in this process.
func probeHere(ctx context.Context, t model.Target, ask admin.ProbeRequest, transport http.RoundTripper, now func() time.Time) (fanout.ProbeReport, error) {
	mark := make([]byte, 6)
	if _, err := rand.Read(mark); err != nil {
		return fanout.ProbeReport{}, err
	}
	return fanout.Probe(ctx, t, fanout.ProbeOptions{ReadOnly: ask.ReadOnly, Domain: ask.Domain, Mark: hex.EncodeToString(mark), Now: now},
		fanout.ClientOptions{Transport: transport, Version: version, Now: now})
}

// probe is the API's way to a probe.
func (i *instance) probe(ctx context.Context, t model.Target, ask admin.ProbeRequest, guarded bool) (fanout.ProbeReport, error) {
	if !guarded {
		return probeHere(ctx, t, ask, nil, i.store.Now)
	}
	transport := outbound.Transport(i.hub.Snapshot().Doc.Outbound.AllowPrivate)
	defer transport.CloseIdleConnections()
	return probeHere(ctx, t, ask, transport, i.store.Now)
}

func (f *probeFlags) save(report fanout.ProbeReport) error {
	text, err := report.YAML()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a profile is no secret
	if err != nil {
		return model.Fail(model.Invalid, "the profile cannot be written to "+f.write+"; name a file that does not exist", err)
	}
	if _, err := file.WriteString(text); err != nil {
		return fmt.Errorf("write %s: %w", f.write, err)
	}
	return file.Close()
}

func (f *probeFlags) table(w io.Writer, report fanout.ProbeReport) error {
	rows := make([][]string, 0, len(report.Findings))
	for _, x := range report.Findings {
		mark := ""
		if x.Differs {
			mark = "*"
		}
		rows = append(rows, []string{x.Field, fmt.Sprint(x.Value), mark, x.Because})
	}
	if err := columns(w, "FIELD VALUE DIFFERS BECAUSE", rows); err != nil {
		return err
	}
	text, err := report.YAML()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s", text)
	return err
}
