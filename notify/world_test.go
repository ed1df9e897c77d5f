package notify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func noon() time.Time { return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is a sender over a database, with a clock of its own.
type world struct {
	t     *testing.T
	db    *storetest.DB
	clock *storetest.Clock
	doc   *config.Document
	*Sender
}

// each runs a test on every database.
func each(t *testing.T, run func(w *world)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock(noon())
			w := &world{t: t, clock: clock, db: storetest.Open(t, dialect, store.Options{Now: clock.Now})}
			w.Sender = &Sender{Store: w.db.Store, Log: slog.New(slog.DiscardHandler), Version: "test", Current: func() *config.Document { return w.doc }}
			t.Cleanup(w.closeIdle)
			run(w)
		})
	}
}

// configure puts a configuration in force.
func (w *world) configure(format string, args ...any) {
	w.t.Helper()
	doc, faults := config.Parse("hub.yaml", fmt.Appendf(nil, "public_url: https://hub.example.com\n"+format, args...))
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.doc = doc
}

func (w *world) notify(list ...store.Notice) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *store.Tx) error { return tx.Notify(list...) }); err != nil {
		w.t.Fatal(err)
	}
}

// tell does all that is due now.
func (w *world) tell() {
	w.t.Helper()
	if err := w.Expand(w.t.Context(), w.doc); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range w.doc.Notify {
		for more := true; more; {
			var err error
			if more, err = w.Deliver(w.t.Context(), w.doc, c); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) deliveries(f store.DeliveryFilter) (out []store.Delivery) {
	w.t.Helper()
	f.Limit = 1000
	err := w.db.View(w.t.Context(), func(tx *store.Tx) (err error) {
		out, _, err = tx.Deliveries(f)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// only is the one delivery that there is.
func (w *world) only() store.Delivery {
	w.t.Helper()
	list := w.deliveries(store.DeliveryFilter{})
	if len(list) != 1 {
		w.t.Fatalf("%d deliveries, want 1: %+v", len(list), list)
	}
	return list[0]
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// heard is one request of a webhook.
type heard struct {
	id, kind string
	data     map[string]any
	body     string
}

// hook is a receiver that answers as told and checks every signature.
type hook struct {
	t *testing.T
	*httptest.Server
	mu    sync.Mutex
	heard []heard
	say   func(n int, w http.ResponseWriter, r *http.Request) // nil: 204
}

func newHook(t *testing.T, say func(n int, w http.ResponseWriter, r *http.Request)) *hook {
	h := &hook{t: t, say: say}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id := r.Header.Get("webhook-id")
	unix, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		h.t.Errorf("timestamp: %v", err)
	}
	want, err := Sign(secret, id, time.Unix(unix, 0), body)
	if err != nil || r.Header.Get("webhook-signature") != want {
		h.t.Errorf("signature %q, want %q, %v", r.Header.Get("webhook-signature"), want, err)
	}
	var in struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Timestamp.IsZero() {
		h.t.Errorf("body %s: %v", body, err)
	}
	h.mu.Lock()
	h.heard = append(h.heard, heard{id, in.Type, in.Data, string(body)})
	n := len(h.heard)
	h.mu.Unlock()
	if h.say == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.say(n, w, r)
}

func (h *hook) all() []heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]heard(nil), h.heard...)
}

// code answers with a status.
func code(status int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func quarantined(target string) store.Notice {
	return store.Notice{Type: "target.quarantined", Subject: "target/" + target, Data: map[string]any{"target": target, "reason": "it refuses the credential"}}
}

// TestSignature holds it against the example of the standard.
func TestSignature(t *testing.T) {
	t.Parallel()
	got, err := Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	raw, err := base64.StdEncoding.DecodeString(secret[len("whsec_"):])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Sign(string(raw), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil || plain != got {
		t.Errorf("a plain secret signs otherwise: %s, %v", plain, err)
	}
	if _, err := Sign("whsec_!", "x", noon(), nil); err == nil {
		t.Error("a secret that is no base64 signs")
	}
}
