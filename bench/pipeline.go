package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/conformance/app"
)

// atOnce is how many requests a target of the pipeline takes at once.
const atOnce = 8

// pipeline measures what follows from a push: everybody is evaluated, every account is
// made at every target, and one target is read in full.
func (r *run) pipeline(ctx context.Context, db *database) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	targets, err := r.apps(ctx, &serving)
	if err != nil {
		return err
	}
	s, err := r.open(ctx, db, targets)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, floor, hub := s.client, s.floor, s.hub
	r.Say(fmt.Sprintf("%s: %d people come in for %d targets", db.kind, r.People, r.Targets))
	if err := c.fill(ctx, &r.serial, r.People); err != nil {
		return err
	}
	people, accounts := float64(r.People), float64(r.People*r.Targets)
	bare, err := r.seconds(func() error { return r.rawPeople(ctx, floor) })
	if err != nil {
		return err
	}
	took, err := r.seconds(func() error { return hub.Evaluate(ctx) })
	if err != nil {
		return err
	}
	r.add(db, "pipeline", "evaluate: people", people/took, people/bare, "bare inserts of the same rows")
	if took, err = r.seconds(func() error { return hub.Provision(ctx) }); err != nil {
		return err
	}
	possible, err := r.plainCreates(ctx, &serving, min(r.People*r.Targets, 5000))
	if err != nil {
		return err
	}
	r.add(db, "pipeline", "fan-out: accounts", accounts/took, possible, "a plain client that looks for each and makes it")
	return r.drift(ctx, db, hub, targets[0])
}

// drift reads a target through the hub, and as a plain client does.
func (r *run) drift(ctx context.Context, db *database, hub *Hub, t Target) error {
	var checked, listed int
	took, err := r.seconds(func() (err error) { checked, err = hub.Sweep(ctx, t.Name); return err })
	if err != nil {
		return err
	}
	bare, err := r.seconds(func() (err error) { listed, err = plainList(ctx, t, r.People); return err })
	if err != nil {
		return err
	}
	if checked < r.People || listed < r.People {
		return fmt.Errorf("%d accounts were checked and %d listed of %d", checked, listed, r.People)
	}
	r.add(db, "pipeline", "drift sweep: accounts", float64(checked)/took, float64(listed)/bare, "a plain client that reads all pages")
	return nil
}

func (r *run) seconds(fn func() error) (float64, error) {
	began := r.Now()
	err := fn()
	return r.Now().Sub(began).Seconds(), err
}

// apps serves the targets, without limits of their own.
func (r *run) apps(ctx context.Context, serving *sync.WaitGroup) (out []Target, err error) {
	for i := range r.Targets {
		t := Target{Name: fmt.Sprintf("t%d", i), Token: fmt.Sprintf("bench-target-token-%d", i)}
		if t.URL, err = serveApp(ctx, serving, t.Token); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func serveApp(ctx context.Context, serving *sync.WaitGroup, token string) (string, error) {
	a, err := app.New(app.Options{Profile: "generic", Token: token, Pace: math.Inf(1)})
	if err != nil {
		return "", err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: time.Minute}
	serving.Go(func() { _ = s.Serve(ln) })
	context.AfterFunc(ctx, func() { _ = s.Close() }) // at once: nobody waits for an answer any more
	return "http://" + ln.Addr().String() + app.Prefix, nil
}

// rawPeople writes bare rows for everybody, as many transactions at once as the database
// takes.
func (r *run) rawPeople(ctx context.Context, f *raw) error {
	const batch = 100
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(2)
	if !f.pg {
		work.SetLimit(1)
	}
	for first := 0; first < r.People; first += batch {
		work.Go(func() error { return f.people(ctx, int64(first), int64(min(batch, r.People-first)), r.Targets) })
	}
	return work.Wait()
}

// plainCreates is the rate at which a client without any memory makes accounts at a
// target: it looks for each and makes it.
func (r *run) plainCreates(ctx context.Context, serving *sync.WaitGroup, n int) (float64, error) {
	address, err := serveApp(ctx, serving, "plain")
	if err != nil {
		return 0, err
	}
	c := newClient(address, "plain")
	c.http.Transport = &http.Transport{MaxIdleConnsPerHost: atOnce * r.Targets}
	var next atomic.Int64
	took, err := r.seconds(func() error {
		work, ctx := errgroup.WithContext(ctx)
		for range atOnce * r.Targets {
			work.Go(func() error {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					filter := url.QueryEscape(fmt.Sprintf(`externalId eq "ext-%d"`, i))
					if err := c.drain(ctx, "/Users?filter="+filter); err != nil {
						return err
					}
					if err := c.create(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return work.Wait()
	})
	return float64(n) / took, err
}

// plainList reads every page of a target.
func plainList(ctx context.Context, t Target, people int) (int, error) {
	c := newClient(t.URL, t.Token)
	c.http.Timeout = time.Minute
	n := 0
	for n < people {
		if err := c.drain(ctx, fmt.Sprintf("/Users?startIndex=%d&count=100", n+1)); err != nil {
			return n, err
		}
		n += 100
	}
	return n, nil
}
