package main

import (
	"context"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

const (
	// configPoll is how soon a version applied at another replica is in force here,
	// should its word not arrive.
	configPoll = time.Second
	// lingerFor is how long a hub that shares its database goes on answering when it is
	// told to stop and the configuration says nothing.
	lingerFor = 500 * time.Millisecond
)

// hear does what another replica has told of.
func (i *instance) hear(n store.News) {
	if n.Config {
		select {
		case i.toldAbout <- struct{}{}:
		default:
		}
	}
	if n.Marks {
		i.hub.Look()
	}
	if n.All {
		i.worker.Nudge()
		return
	}
	i.worker.Heard(n.Targets...)
	if len(n.Asked) > 0 {
		i.worker.Nudge(n.Asked...)
	}
}

// databaseState says in the log that the database is lost, or there again.
func (i *instance) databaseState(up bool, cause error) {
	if up {
		i.log.Info("the database answers again")
		return
	}
	i.log.Error("the database is lost: nothing is written to targets, requests are asked to come back", "error", cause)
}

// bringWork nudges the worker here, and whoever works on the target elsewhere.
func (i *instance) bringWork(target string) {
	i.worker.Nudge(target)
	i.store.Tell(store.News{Targets: []string{target}})
}

// askedFor nudges the workers of all replicas: a person wants something of the target.
func (i *instance) askedFor(target string) {
	i.worker.Nudge(target)
	i.store.Tell(store.News{Asked: []string{target}})
}

// applied puts a version in force that was stored just now, and tells the others.
func (i *instance) applied(ctx context.Context, snap *hub.Snapshot) error {
	err := i.activate(ctx, snap)
	i.store.Tell(store.News{Config: true})
	return err
}

// tokensChanged reads the stored tokens anew, here and everywhere.
func (i *instance) tokensChanged(ctx context.Context) error {
	err := i.sources.reload(ctx)
	i.store.Tell(store.News{Config: true})
	return err
}

// followConfig puts versions in force that were applied at other replicas.
func (i *instance) followConfig(ctx context.Context) {
	tick := time.NewTicker(configPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-i.toldAbout:
		}
		i.catchUp(ctx)
	}
}

// catchUp reads what was stored about the configuration and credentials meanwhile.
func (i *instance) catchUp(ctx context.Context) {
	if !i.store.Reachable() {
		return // said already
	}
	if err := i.sources.follow(ctx); err != nil && ctx.Err() == nil {
		i.log.WarnContext(ctx, "tokens cannot be read", "error", err)
	}
	if err := i.signIn.Flush(ctx); err != nil && ctx.Err() == nil {
		i.log.WarnContext(ctx, "sessions cannot be written", "error", err)
	}
	active, ok, err := i.store.ActiveConfig(ctx)
	if err != nil || !ok || active.Version <= i.hub.Snapshot().Version {
		return
	}
	if err := i.activateStored(ctx, active); err != nil {
		i.log.ErrorContext(ctx, "a new configuration cannot be put in force here", "version", active.Version, "error", err)
	}
}

// linger goes on answering for as long as load balancers need to see that this hub
// stops. The error is why it cannot.
func (i *instance) linger(failed <-chan error) error {
	d := time.Duration(0)
	if i.store.Postgres() {
		d = lingerFor
	}
	if snap := i.hub.Snapshot(); snap != nil && snap.Doc.ShutdownDelay != nil {
		d = *snap.Doc.ShutdownDelay
	}
	i.log.Info("stopping", "delay", d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-failed:
		return err
	case <-timer.C:
		return nil
	}
}

// lastAnswers has clients take another connection for their next request once this hub
// stops: one that waits for them is closed, and they could not tell whether what they
// sent meanwhile was read.
func (i *instance) lastAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
