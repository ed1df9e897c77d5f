package notify

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/telemetry"
)

// How the sender works.
const (
	tickEvery    = time.Second
	expandLimit  = 100
	claimHooks   = 8 // webhooks of one receiver taken at a time, of which
	atOnce       = 4 // are sent at once
	claimMails   = 50
	claimFor     = 5 * time.Minute // longer than a chunk ever takes
	abandonEvery = time.Hour
)

// Sender tells receivers what happened. Any number of replicas may run one; they share
// the work by claims in the database. All fields above the line but Metrics are required.
type Sender struct {
	Store   *store.Store
	Current func() *config.Document // in force; nil: none yet
	Log     *slog.Logger
	Metrics *Metrics // may be nil
	Version string   // of the program

	Tracing *telemetry.Tracing // nil: nothing is traced

	roots      *x509.CertPool // that receivers are trusted by; nil: the machine's
	patience   time.Duration  // how long a webhook may take to answer; 0: webhookTime
	mu         sync.Mutex
	transports map[bool]*http.Transport // by whether private addresses are allowed
	key        []byte                   // signs links
	lanes      map[string]*lane         // by receiver
	abandoned  time.Time
}

// lane is the work for one receiver, which no other receiver's waits for.
type lane struct{ wake chan struct{} }

// Run tells until ctx ends. What is under way then is told again later, by whoever
// runs next.
func (s *Sender) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	defer s.closeIdle()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		if doc := s.Current(); doc != nil {
			s.round(ctx, doc, &work)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round gives new notices their deliveries, and wakes the lanes.
func (s *Sender) round(ctx context.Context, doc *config.Document, work *sync.WaitGroup) {
	if err := s.Expand(ctx, doc); err != nil && ctx.Err() == nil {
		s.Log.Warn("events cannot be read that are to be told", "error", err)
	}
	for _, c := range doc.Notify {
		s.mu.Lock()
		l := s.lanes[c.Name]
		if l == nil {
			if s.lanes == nil {
				s.lanes = map[string]*lane{}
			}
			l = &lane{wake: make(chan struct{}, 1)}
			s.lanes[c.Name] = l
			work.Go(func() { s.serve(ctx, c.Name, l) })
		}
		s.mu.Unlock()
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	s.abandon(ctx, doc)
}

// serve works for one receiver until ctx ends or it is not configured any more.
func (s *Sender) serve(ctx context.Context, name string, l *lane) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for ctx.Err() == nil {
			doc := s.Current()
			c, there := doc.Receiver(name)
			if !there {
				s.mu.Lock()
				delete(s.lanes, name)
				s.mu.Unlock()
				return
			}
			more, err := s.Deliver(ctx, doc, c)
			if err != nil && ctx.Err() == nil {
				s.Log.Warn("a receiver cannot be told", "receiver", name, "error", err)
			}
			if err != nil || !more {
				break
			}
		}
	}
}

// Expand gives notices that nobody has worked on their deliveries.
func (s *Sender) Expand(ctx context.Context, doc *config.Document) error {
	for ctx.Err() == nil {
		more, err := s.Store.Expand(ctx, expandLimit, func(tx *store.Tx, n store.Notice) ([]store.NewDelivery, error) { return expand(tx, doc, n) })
		if err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// Deliver sends what is due to a receiver, some of it: there may be more.
func (s *Sender) Deliver(ctx context.Context, doc *config.Document, c config.Receiver) (more bool, err error) {
	limit := claimHooks
	if c.Webhook.IsZero() {
		limit = claimMails
	}
	list, err := s.Store.ClaimDeliveries(ctx, c.Name, limit, claimFor)
	if err != nil || len(list) == 0 {
		return false, err
	}
	known, err := s.Store.Receivers(ctx)
	if err != nil {
		return false, err
	}
	if st := known[c.Name]; st.Off != nil && st.Fingerprint == Fingerprint(c) {
		if list, err = s.refuse(ctx, c, list, st); err != nil {
			return false, err
		}
	}
	if c.Webhook.IsZero() {
		return true, s.mail(ctx, doc, c, list)
	}
	return true, s.hooks(ctx, doc, c, list)
}

// refuse gives up what is for a receiver that is off, and leaves tests, by which it may
// show that it is there again.
func (s *Sender) refuse(ctx context.Context, c config.Receiver, list []store.Delivery, st store.ReceiverState) (left []store.Delivery, err error) {
	words := "not sent: the receiver has said on " + st.Off.Format(time.DateOnly) + " that it is gone; once it is back send it a test"
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		left = nil
		for _, d := range list {
			if d.Type == testType {
				left = append(left, d)
				continue
			}
			if err := tx.SettleDelivery(d, store.DeliveryResult{State: store.DeliveryFailed, Answer: words}); err != nil {
				return err
			}
			s.Metrics.told(c.Name, store.DeliveryFailed)
		}
		return nil
	})
	return left, err
}

// hooks posts some deliveries, several at once. Each is settled as soon as it is
// answered: one that hangs holds back no other's record.
func (s *Sender) hooks(ctx context.Context, doc *config.Document, c config.Receiver, list []store.Delivery) error {
	slots := make(chan struct{}, atOnce)
	errs := make(chan error, len(list))
	for _, d := range list {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			errs <- s.hook(ctx, doc, c, d)
		}()
	}
	var first error
	for range list {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

func (s *Sender) hook(ctx context.Context, doc *config.Document, c config.Receiver, d store.Delivery) error {
	var n store.Notice
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.Notice(d.Notice)
		return err
	})
	if err != nil {
		return err
	}
	o := s.post(ctx, doc, c, n)
	if !o.ok && ctx.Err() != nil {
		return ctx.Err() // it says nothing about the receiver
	}
	return s.settle(context.WithoutCancel(ctx), c, o, d)
}

// settle stores how an attempt went for some deliveries that went together.
func (s *Sender) settle(ctx context.Context, c config.Receiver, o outcome, list ...store.Delivery) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, d := range list {
			if err := tx.SettleDelivery(d, settle(d, o, tx.Now)); err != nil {
				return err
			}
		}
		if o.final && !o.gone {
			return nil // about one recipient
		}
		return tx.NoteReceiver(c.Name, Fingerprint(c), o.ok, o.gone, o.words)
	})
	if err != nil {
		return err
	}
	now := s.Store.Now()
	for _, d := range list {
		state := settle(d, o, now).State
		s.Metrics.told(c.Name, state)
		if state != store.DeliveryDone {
			s.Log.Warn("a message did not arrive", "receiver", c.Name, "event", d.Type, "delivery", d.ID, "attempt", d.Attempts, "status", o.status, "given_up", state == store.DeliveryFailed, "error", o.words)
		}
	}
	return nil
}

// abandon gives up, once an hour, what is for nobody.
func (s *Sender) abandon(ctx context.Context, doc *config.Document) {
	now := s.Store.Now()
	if now.Sub(s.abandoned) < abandonEvery {
		return
	}
	names := make([]string, len(doc.Notify))
	for i, c := range doc.Notify {
		names[i] = c.Name
	}
	err := s.Store.AbandonDeliveries(ctx, names, now.Add(-24*time.Hour), "the receiver is not in the configuration any more")
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("messages for receivers that are gone cannot be given up", "error", err)
	}
	s.abandoned = now
}

func (s *Sender) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.transports {
		t.CloseIdleConnections()
	}
}
