package notify

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

func TestAWebhookIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		h := newHook(w.t, nil)
		w.configure("outbound: {allow_private: true}\nnotify: [{webhook: %s/x, secret: %s, events: [target.quarantined]}]\n", h.URL, secret)
		w.notify(quarantined("git"), store.Notice{Type: "target.recovered", Subject: "target/git"})
		w.tell()
		w.tell()
		got := h.all()
		if len(got) != 1 {
			w.t.Fatalf("heard %d times, want once what it wants", len(got))
		}
		d := w.only()
		if got[0].kind != "target.quarantined" || got[0].id != "msg_"+d.Notice || got[0].data["link"] != "https://hub.example.com/targets/git" || got[0].data["reason"] == "" {
			w.t.Errorf("heard %+v", got[0])
		}
		if d.State != store.DeliveryDone || d.Status != 204 || d.Attempts != 1 || d.Ended == nil {
			w.t.Errorf("delivery %+v", d)
		}
	})
}

// What goes wrong is tried again, with the same id, at growing intervals; or is not.
func TestFaultsOfAWebhook(t *testing.T) {
	t.Parallel()
	cut := func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	garbage := func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("\x00\x01 no HTTP at all\n\n"))
			_ = conn.Close()
		}
	}
	redirect := func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
	}
	slow := func(_ int, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	busy := func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	tests := map[string]struct {
		say    func(int, http.ResponseWriter, *http.Request)
		state  string
		status int
		words  string
		after  time.Duration // of the next attempt, at least
	}{
		"500":        {code(500), store.DeliveryPending, 500, "", 5 * time.Second},
		"404":        {code(404), store.DeliveryPending, 404, "", 5 * time.Second},
		"cut off":    {cut, store.DeliveryPending, 0, "EOF", 5 * time.Second},
		"no HTTP":    {garbage, store.DeliveryPending, 0, "malformed", 5 * time.Second},
		"redirect":   {redirect, store.DeliveryPending, 307, "redirect", 5 * time.Second},
		"slow":       {slow, store.DeliveryPending, 0, "did not answer in time", 5 * time.Second},
		"asks later": {busy, store.DeliveryPending, 429, "", time.Hour},
		"gone":       {code(410), store.DeliveryFailed, 410, "", 0},
	}
	each(t, func(w *world) {
		w.patience = 200 * time.Millisecond
		for name, tt := range tests {
			h := newHook(w.t, tt.say)
			w.configure("outbound: {allow_private: true}\nnotify: [{webhook: %s/secret-path, secret: %s}]\n", h.URL, secret)
			w.db.Exec(w.t, `DELETE FROM notices`)
			w.notify(quarantined("git"))
			w.tell()
			d := w.only()
			if d.State != tt.state || d.Status != tt.status || !strings.Contains(d.Answer, tt.words) || strings.Contains(d.Answer, "secret-path") {
				w.t.Errorf("%s: %+v", name, d)
			}
			if tt.after > 0 && (d.Next.Before(noon().Add(tt.after)) || d.Next.After(noon().Add(tt.after*2))) {
				w.t.Errorf("%s: tried again at %s", name, d.Next)
			}
			if len(h.all()) != 1 {
				w.t.Errorf("%s: heard %d times", name, len(h.all()))
			}
			h.Close()
		}
	})
}

func TestRetriesGrowAndEnd(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		h := newHook(w.t, code(503))
		w.configure("outbound: {allow_private: true}\nnotify: [{name: ops, webhook: %s, secret: %s}]\n", h.URL, secret)
		w.notify(quarantined("git"))
		for i, wait := range waits() {
			w.tell()
			d := w.only()
			if d.Attempts != i+1 || d.State != store.DeliveryPending {
				w.t.Fatalf("after attempt %d: %+v", i+1, d)
			}
			if got := d.Next.Sub(w.clock.Now()); got < wait || got > wait+wait/5 {
				w.t.Errorf("attempt %d is followed after %s, want about %s", i+1, got, wait)
			}
			w.clock.Set(d.Next.Add(-time.Millisecond))
			if w.tell(); w.only().Attempts != i+1 {
				w.t.Errorf("attempt %d came too early", i+2)
			}
			w.clock.Set(d.Next)
		}
		w.tell()
		d := w.only()
		if d.State != store.DeliveryFailed || d.Attempts != len(waits())+1 {
			w.t.Errorf("in the end %+v", d)
		}
		ids := map[string]bool{}
		bodies := map[string]bool{}
		for _, one := range h.all() {
			ids[one.id], bodies[one.body] = true, true
		}
		if len(ids) != 1 || len(bodies) != 1 || len(h.all()) != d.Attempts {
			w.t.Errorf("heard %d times with ids %v and %d bodies", len(h.all()), ids, len(bodies))
		}
		err := w.db.Update(w.t.Context(), func(tx *store.Tx) error { _, err := tx.RetryDelivery(d.ID); return err })
		if err != nil {
			w.t.Fatal(err)
		}
		h.say = nil
		if w.tell(); w.only().State != store.DeliveryDone {
			w.t.Errorf("after a retry by hand %+v", w.only())
		}
	})
}

// A process that ends between sending and noting sends again, as the same message.
func TestKilledAfterSending(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		h := newHook(w.t, nil)
		w.configure("outbound: {allow_private: true}\nnotify: [{name: ops, webhook: %s, secret: %s}]\n", h.URL, secret)
		n := quarantined("git")
		n.ID = "0198-a"
		w.notify(n)
		if err := w.Expand(w.t.Context(), w.doc); err != nil {
			w.t.Fatal(err)
		}
		claimed, err := w.db.ClaimDeliveries(w.t.Context(), "ops", 8, claimFor)
		if err != nil || len(claimed) != 1 {
			w.t.Fatal(claimed, err)
		}
		n.At = noon()
		if o := w.post(w.t.Context(), w.doc, w.doc.Notify[0], n); !o.ok {
			w.t.Fatal(o)
		}
		w.tell()
		if len(h.all()) != 1 {
			w.t.Fatalf("taken by two at once: %d", len(h.all()))
		}
		w.clock.Add(claimFor)
		w.tell()
		if got := h.all(); len(got) != 2 || got[0].id != got[1].id || got[0].body != got[1].body {
			w.t.Errorf("heard %+v", got)
		}
		// The first one comes to itself and notes what it knows: nothing changes.
		err = w.db.Update(w.t.Context(), func(tx *store.Tx) error {
			return tx.SettleDelivery(claimed[0], store.DeliveryResult{State: store.DeliveryFailed, Answer: "late"})
		})
		if d := w.only(); err != nil || d.State != store.DeliveryDone {
			w.t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestWhereWebhooksMayLead(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		h := newHook(w.t, nil)
		_, port, _ := strings.Cut(strings.TrimPrefix(h.URL, "http://"), ":")
		for _, tt := range []struct{ address, allow, words string }{
			{h.URL, "false", "private"},
			{"http://localhost:" + port, "false", "private"}, // a name that leads there
			{"http://169.254.169.254/latest", "true", "metadata"},
			{"http://[fd00:ec2::254]/latest", "true", "metadata"},
		} {
			w.configure("outbound: {allow_private: %s}\nnotify: [{name: ops, webhook: \"%s\", secret: %s}]\n", tt.allow, tt.address, secret)
			w.db.Exec(w.t, `DELETE FROM notices`)
			w.notify(quarantined("git"))
			w.tell()
			if d := w.only(); d.State == store.DeliveryDone || !strings.Contains(d.Answer, tt.words) {
				w.t.Errorf("%s: %+v", tt.address, d)
			}
		}
		if len(h.all()) != 0 {
			w.t.Error("a private address was reached")
		}
	})
}

// A receiver that says it is gone is told nothing more until it takes a test.
func TestGone(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		h := newHook(w.t, code(410))
		w.configure("outbound: {allow_private: true}\nnotify: [{name: ops, webhook: %s, secret: %s}]\n", h.URL, secret)
		w.notify(quarantined("git"))
		w.tell()
		w.notify(quarantined("chat"))
		w.tell()
		if len(h.all()) != 1 || len(w.deliveries(store.DeliveryFilter{State: store.DeliveryFailed})) != 2 {
			w.t.Errorf("heard %d times", len(h.all()))
		}
		h.say = nil
		test := store.Notice{ID: "0199", Type: testType, Subject: "receiver/ops"}
		w.notify(test)
		err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
			return tx.AddDeliveries(store.NewDelivery{Notice: test.ID, Receiver: "ops", At: tx.Now})
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.tell()
		w.notify(quarantined("wiki"))
		w.tell()
		if known, err := w.db.Receivers(w.t.Context()); err != nil || known["ops"].Off != nil || len(h.all()) != 3 {
			w.t.Errorf("after the test: %+v, %v, heard %d times", known, err, len(h.all()))
		}
	})
}

// Whatever goes wrong on the way, every event arrives at every receiver that wants it,
// and at no other.
func TestEveryEventArrives(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		random := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // a test
		var mu sync.Mutex
		flaky := func(_ int, rw http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			rw.WriteHeader([]int{200, 500, 204, 429, 302}[random.IntN(5)])
		}
		a, b, c := newHook(w.t, flaky), newHook(w.t, flaky), newHook(w.t, flaky)
		w.configure(`outbound: {allow_private: true}
notify:
  - {name: a, webhook: %s, secret: %s}
  - {name: b, webhook: %s, secret: %s, events: [plan.held, leaver.late]}
  - {name: c, webhook: %s, secret: %s, events: [target.quarantined]}
`, a.URL, secret, b.URL, secret, c.URL, secret)
		kinds := []string{"plan.held", "leaver.late", "target.quarantined", "config.activated"}
		for range 24 {
			mu.Lock()
			kind := kinds[random.IntN(len(kinds))]
			mu.Unlock()
			w.notify(store.Notice{Type: kind, Subject: "target/git"})
			w.tell()
		}
		other := &Sender{Store: w.Store, Log: w.Log, Current: w.Current} // another replica
		for range len(waits()) {
			w.clock.Add(30 * time.Hour)
			w.tell()
			for _, r := range w.doc.Notify {
				if _, err := other.Deliver(w.t.Context(), w.doc, r); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		for name, h := range map[string]*hook{"a": a, "b": b, "c": c} {
			r, _ := w.doc.Receiver(name)
			for _, d := range w.deliveries(store.DeliveryFilter{Receiver: name}) {
				seen := slices.ContainsFunc(h.all(), func(x heard) bool { return x.id == "msg_"+d.Notice && x.kind == d.Type })
				if d.State == store.DeliveryPending || d.State == store.DeliveryDone && !seen || !wants(r, d.Type) {
					w.t.Errorf("%s: %+v, seen %v", name, d, seen)
				}
			}
		}
		if n, want := len(w.deliveries(store.DeliveryFilter{Receiver: "a"})), 24; n != want {
			w.t.Errorf("%d deliveries for who wants all, want %d", n, want)
		}
	})
}

// A receiver that hangs keeps no other from being told.
func TestASlowReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		hang, told := make(chan struct{}), make(chan struct{}, 10)
		slow := newHook(w.t, func(_ int, _ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		})
		quick := newHook(w.t, func(_ int, rw http.ResponseWriter, _ *http.Request) { told <- struct{}{} })
		w.configure("outbound: {allow_private: true}\nnotify:\n  - {name: slow, webhook: %s, secret: %s}\n  - {name: quick, webhook: %s, secret: %s}\n", slow.URL, secret, quick.URL, secret)
		for range 6 {
			w.notify(quarantined("git"))
		}
		ctx, stop := context.WithCancel(w.t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		for range 6 {
			<-told
		}
		stop()
		close(hang)
		<-done
		if len(w.deliveries(store.DeliveryFilter{Receiver: "slow", State: store.DeliveryDone})) > 0 {
			w.t.Error("the slow one was told before it answered")
		}
	})
}
