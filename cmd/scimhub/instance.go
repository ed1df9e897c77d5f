package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/signin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/notify"
	"github.com/scimhub/scimhub/proxy"
	"github.com/scimhub/scimhub/telemetry"
)

// Limits of a stop: how long requests under way and work at targets may take to end.
const (
	stopHTTP   = 10 * time.Second
	stopWorker = 10 * time.Second
)

// instance is one running hub: everything wired together.
type instance struct {
	URL string // where it listens, http://host:port

	log      *slog.Logger
	tracing  *telemetry.Tracing
	store    *store.Store
	hub      *hub.Hub
	worker   *fanout.Worker
	api      *admin.API
	sources  *sourceAccess
	tls      *tlsFiles // nil: plain HTTP
	refusals *hub.Refusals
	keeper   *hub.Keeper // of the audit trail
	kept     *hub.Retention
	admins   *admin.Tokens
	metrics  *metrics
	proxied  *proxy.Metrics
	sender   *notify.Sender
	signIn   *signin.SignIn
	local    local
	forget   func() // takes the announcement away
	presence *store.Presence
	listener net.Listener
	server   *http.Server
	aside    aside                        // metrics at an address of their own
	scim     atomic.Pointer[http.Handler] // of the configuration in force

	cursorKey []byte // seals cursors; all replicas share it
	stopping  atomic.Bool
	pulse     pulse
	toldAbout chan struct{} // another replica has stored a configuration, or credentials
	weighing  *weighing     // of the file that the start did not wait for; nil: none

	deviations hub.Deviations // of sources, for whoever set them up
}

type instanceOptions struct {
	Name     string // of the configuration, in messages
	Config   []byte
	Log      *slog.Logger
	Announce bool // tell commands on this machine how to come in

	Listener net.Listener // open already; nil: where the configuration says
	Listen   string       // instead of there; empty: there

	Now   func() time.Time // nil: time.Now
	Weigh time.Duration    // how long a changed file is waited for; 0: weighAtMost
}

// start opens the database, puts a configuration in force and listens. Nothing is
// served before run.
func start(ctx context.Context, o instanceOptions) (*instance, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	file, fileErr := hub.Compile(0, o.Name, o.Config, checkProfiles)
	doc := configOf(o.Name, o.Config)
	dsn, err := doc.DatabaseURL()
	if err != nil {
		return nil, err
	}
	if fileErr != nil && !databaseExists(dsn) {
		return nil, fileErr // nothing to fall back on; make no empty database either
	}
	o.Log = logTo(o.Log.Handler())
	i := &instance{log: o.Log, tracing: &telemetry.Tracing{Log: o.Log}, admins: &admin.Tokens{Now: o.Now}, forget: func() {}, toldAbout: make(chan struct{}, 1)}
	if i.store, err = store.Open(ctx, dsn, store.Options{Now: o.Now}); err != nil {
		return nil, err
	}
	if i.presence, err = i.store.Attend(ctx); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.wire(ctx, o, doc); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.store.Reclaim(ctx); err != nil { // after listening: the address keeps a second hub out
		return nil, errors.Join(err, i.close())
	}
	if err := i.configure(ctx, o, file, fileErr); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.sources.reload(ctx); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.mount(); err != nil {
		return nil, errors.Join(err, i.close())
	}
	return i, nil
}

func (i *instance) wire(ctx context.Context, o instanceOptions, doc *config.Document) error {
	var err error
	if i.cursorKey, err = i.store.ProcessKey(ctx, "scim cursors"); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	i.hub = hub.New(i.store, o.Log)
	i.hub.Metrics = hub.NewMetrics(registry)
	i.hub.Check = checkProfiles
	i.hub.Usable = i.usable
	i.hub.DrillExempt = fanout.DrillExempt
	i.hub.Tracing = i.tracing
	i.deviations.Store, i.deviations.Log = i.store, o.Log
	fanoutMetrics, err := fanout.NewMetrics(registry)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if i.proxied, err = proxy.NewMetrics(registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err := i.wireSender(registry); err != nil {
		return err
	}
	i.metrics = newMetrics(registry, i.store)
	i.metrics.forget = append(i.metrics.forget, i.proxied.Forget, i.sender.Metrics.Forget)
	i.sources = newSourceAccess(i.store, i.metrics)
	i.admins.Slowly, i.admins.Used = i.sources.Slowly, i.sources.note
	i.sources.made = func(list []store.Token) { i.admins.ReplaceStored(admin.StoredTokens(list)) }
	i.refusals = hub.NewRefusals(i.store, o.Log)
	i.keeper = &hub.Keeper{Hub: i.hub}
	i.kept = hub.NewRetention(i.hub, holder(), registry)
	i.worker = &fanout.Worker{Store: i.store, Current: i.current, Holder: holder(), Log: o.Log, Metrics: fanoutMetrics,
		Now: i.store.Now, Version: version, Grace: stopWorker, Expires: i.metrics.targetCredential}
	i.metrics.holder, i.metrics.snapshot = func() string { return i.worker.Holder }, i.hub.Snapshot
	i.worker.Freed = func(t string) { i.store.Tell(store.News{Targets: []string{t}}) }
	i.worker.Tracing, i.sender.Tracing = i.tracing, i.tracing
	i.hub.Nudge = i.bringWork
	i.hub.Busy = func() { i.store.Tell(store.News{Marks: true}) }
	i.api = &admin.API{Hub: i.hub, Tokens: i.admins, Log: o.Log, Version: thisVersion(), Activate: i.applied,
		Nudge: i.askedFor, Probe: i.probe, Run: i.worker.RunPerson, Reserve: i.worker.Reserve, TokensChanged: i.tokensChanged, BaseURL: i.publicURL, Refused: i.refusals.AddAPI}
	var lc net.ListenConfig
	if i.listener = o.Listener; i.listener == nil {
		i.listener, err = lc.Listen(ctx, "tcp", cmp.Or(o.Listen, doc.Listen))
	}
	if err != nil {
		return model.Fail(model.Invalid, "listen: "+cmp.Or(o.Listen, doc.Listen)+" cannot be opened", err)
	}
	if i.aside, err = openAside(ctx, doc.Metrics.Listen); err != nil {
		return err
	}
	i.URL = "http://" + i.listener.Addr().String()
	if doc.TLS != nil {
		i.URL = "https://" + i.listener.Addr().String()
		if i.tls, err = openTLS(*doc.TLS, o.Log, time.Now); err != nil {
			return err
		}
		i.sources.tls, i.tls.fresh = i.tls, i.renewed
	}
	if o.Announce {
		i.announce()
	}
	return nil
}

// announce tells the commands on this machine how to come in.
func (i *instance) announce() {
	pin := ""
	if i.tls != nil {
		pin, _ = i.tls.pin()
	}
	var err error
	if i.local, i.forget, err = announce(i.listener.Addr(), pin); err != nil {
		i.log.Warn("commands on this machine need --server and --token", "error", err)
		i.forget = func() {}
	}
}

// current is the part of the configuration in force that the fan-out needs.
func (i *instance) current() *fanout.Snapshot {
	s := i.hub.Snapshot()
	if s == nil {
		return nil
	}
	return &fanout.Snapshot{Version: s.Version, Targets: s.Doc.Targets}
}

// holder names this process in leases; a restarted process is another one.
func holder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8])
}

// run serves until ctx ends, then stops in order: no new requests, requests under
// way finish, evaluation and workers end where nothing is lost, the database closes.
func (i *instance) run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var workers sync.WaitGroup
	listen, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	var listening sync.WaitGroup
	listening.Go(func() { i.store.Listen(listen, i.hear, i.databaseState) })
	workers.Go(func() { i.hub.Run(work) })
	workers.Go(func() {
		if err := i.worker.Run(ctx); err != nil { // told to stop, it leaves its targets to others at once
			i.log.ErrorContext(ctx, "fan-out stopped", "error", err)
		}
	})
	workers.Go(func() { i.followConfig(work) })
	workers.Go(func() { i.weighed(ctx) }) // told to stop, it leaves the file to the next start
	workers.Go(func() { i.pulse.run(work) })
	workers.Go(func() { i.refusals.Run(work) }) // ends after the last request
	workers.Go(func() { i.keeper.Run(work) })
	workers.Go(func() { i.kept.Run(work) })
	workers.Go(func() { i.presence.Keep(work) })
	workers.Go(func() { (&hub.AuditWatch{Hub: i.hub}).Run(work) })
	workers.Go(func() { i.hub.KeepIndexed(work) })
	workers.Go(func() { i.hub.KeepFindable(work) })
	workers.Go(func() { i.deviations.Run(work) })
	workers.Go(func() { i.hub.WatchSources(work) })
	workers.Go(func() { i.hub.WatchLeavers(work) })
	workers.Go(func() { i.hub.RunReviews(work) })
	workers.Go(func() { i.hub.WatchNotices(work) })
	workers.Go(func() { i.sender.Run(work) })
	workers.Go(func() { i.aside.serve(i.log) })
	failed := make(chan error, 1)
	go func() { failed <- i.serve() }()
	var err error
	select {
	case <-ctx.Done():
		i.stopping.Store(true)
		err = i.linger(failed)
	case err = <-failed:
	}
	i.stopping.Store(true)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopHTTP)
	defer cancel()
	if e := i.server.Shutdown(stop); e != nil {
		err = errors.Join(err, e, i.server.Close())
	}
	stopWork()
	i.aside.stop()
	workers.Wait()
	i.keeper.Stop(ctx)
	i.tracing.Stop(ctx)
	stopListening()
	listening.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, i.close())
}

// renewed tells whoever has to know that another certificate is in force.
func (i *instance) renewed() {
	i.sources.renewed()
	if i.local.path == "" {
		return
	}
	l := i.local
	l.Pin, _ = i.tls.pin()
	if err := l.write(); err != nil {
		i.log.Warn("commands on this machine do not know the new certificate", "error", err)
	}
}

// serve answers requests, over TLS where it is configured.
func (i *instance) serve() error {
	if i.tls == nil {
		return i.server.Serve(i.listener)
	}
	i.server.TLSConfig = i.tls.server()
	return i.server.ServeTLS(i.listener, "", "")
}

func (i *instance) close() error {
	i.forget()
	i.aside.stop()
	if i.weighing != nil {
		i.weighing.stop()
		<-i.weighing.done
	}
	if i.listener != nil {
		_ = i.listener.Close() // closed already where it served
	}
	i.presence.End()
	return i.store.Close()
}
