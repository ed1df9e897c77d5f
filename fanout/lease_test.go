package fanout

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// halfway holds the first request of a kind after the application has carried it out, and
// keeps count of the writes that arrive.
type halfway struct {
	next   http.Handler
	method string

	once   sync.Once
	there  chan bool // the first has been carried out
	goOn   chan bool
	mu     sync.Mutex
	writes []string
}

func newHalfway(method string) *halfway {
	return &halfway{method: method, there: make(chan bool), goOn: make(chan bool)}
}

func (h *halfway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		h.mu.Lock()
		h.writes = append(h.writes, r.Method+" "+strings.TrimPrefix(r.URL.Path, app.Prefix))
		h.mu.Unlock()
	}
	h.next.ServeHTTP(w, r)
	if r.Method == h.method {
		h.once.Do(func() { close(h.there); <-h.goOn })
	}
}

func (h *halfway) count() int { h.mu.Lock(); defer h.mu.Unlock(); return len(h.writes) }

func halfwayWorld(t *testing.T, method string) (*world, *halfway) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHalfway(method)
	h.next = a.Handler()
	return worldWith(t, a, h, func(t *model.Target) { t.Rate.Concurrency = 2 }), h
}

// A replica that was stopped in the middle of a request, and whose lease another one has
// had meanwhile, neither stores what it learnt nor writes anything more. What it wrote is
// read again before anybody relies on it.
func TestLeaseLostUnderWay(t *testing.T) {
	t.Parallel()
	w, h := halfwayWorld(t, http.MethodPatch)
	w.start()
	w.wantMany(6)
	w.allIn(model.StateInSync)
	made := h.count()
	var rows []model.AccountRow
	for i := range 6 {
		name := fmt.Sprintf("user%05d", i)
		a := account(name)
		a.Attrs["title"] = "Late"
		rows = append(rows, model.AccountRow{Identity: "id-" + name, Desired: a})
	}
	w.want(rows...)
	<-h.there
	r := w.runner()
	w.steal("other")
	r.lease.prolonged(time.Now()) // it slept
	before := h.count()
	close(h.goOn)
	w.until("it lets go", func(map[string]model.AccountRow) bool { return r.lease.idle() })
	// What was on its way may have arrived after.
	if n := h.count() - before; n >= w.target.Rate.Concurrency {
		t.Errorf("%d writes after the lease was lost: %v", n, h.writes[made:])
	}
	for id, row := range w.rows() {
		if row.State != model.StatePending || row.Applied.Attrs["title"] == "Late" {
			t.Errorf("%s was stored: %s %v", id, row.State, row.Applied.Attrs["title"])
		}
	}
	// The other one changes somebody, and gives back what it had.
	for _, u := range w.users() {
		w.byHand(http.MethodPatch, "/Users/"+u["id"].(string), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Other"}]}`)
	}
	if err := w.store.ReleaseTarget(t.Context(), "git", "other"); err != nil {
		t.Fatal(err)
	}
	w.allIn(model.StateInSync)
	for id, u := range w.users() {
		if u["title"] != "Late" {
			t.Errorf("%s: title %v", id, u["title"])
		}
	}
}

// A lost create is found again by whoever works next, and made once.
func TestLeaseLostDuringCreate(t *testing.T) {
	t.Parallel()
	w, h := halfwayWorld(t, http.MethodPost)
	w.start()
	w.wantMany(4)
	<-h.there
	w.steal("other")
	close(h.goOn)
	r := w.runner()
	w.until("it lets go", func(map[string]model.AccountRow) bool { return r.lease.idle() })
	if err := w.store.ReleaseTarget(t.Context(), "git", "other"); err != nil {
		t.Fatal(err)
	}
	w.allIn(model.StateInSync)
	if n := len(w.users()); n != 4 {
		t.Errorf("%d users", n)
	}
	if n := w.app.Stats().DuplicatesRefused; n != 0 {
		t.Errorf("%d creates of what was there", n)
	}
}

// What a replica sent without the lease is in doubt, also where another one has settled
// the account since: it is read again.
func TestDoubtIsReadAgain(t *testing.T) {
	t.Parallel()
	w, _ := halfwayWorld(t, "none")
	w.start()
	w.wantMany(1)
	rows := w.allIn(model.StateInSync)
	w.stop()
	id := rows["id-user00000"].RemoteID
	w.byHand(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Stale"}]}`)
	stale := *rows["id-user00000"].Applied
	stale.Attrs = map[string]any{"title": "Stale"}
	r, err := w.worker.newRunner(w.target)
	if err != nil {
		t.Fatal(err)
	}
	r.doubts = doubts{"id-user00000": {stale}}
	if err := r.normalRound(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.users()["user00000"]["title"]; got != "Engineer" {
		t.Errorf("title %v", got)
	}
	if row := w.rows()["id-user00000"]; row.State != model.StateInSync || inDoubt(row) || r.confessing() {
		t.Errorf("%+v", row)
	}
}

// No write begins on a lease that has nearly run out, unless it can be renewed.
func TestFence(t *testing.T) {
	t.Parallel()
	w, _ := halfwayWorld(t, "none")
	l := &lease{store: w.store, target: "git", holder: "a"}
	work, ok, err := l.acquire(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	bound := l.bind(t.Context())
	check := func(what, kind string, free bool) {
		t.Helper()
		if err := fence(bound, kind); (err == nil) != free || err != nil && ClassOf(err) != Network {
			t.Errorf("%s, %s: %v", what, kind, err)
		}
	}
	check("fresh", "user.update", true)
	l.prolonged(time.Now().Add(leaseMargin / 2))
	check("nearly over and still ours", "user.update", true)
	if left := l.left(); left < leaseFor-time.Minute || left > leaseFor {
		t.Errorf("%s left after it was renewed", left)
	}
	w.steal("b")
	l.prolonged(time.Now().Add(-time.Minute)) // it slept
	check("another's", "user.get", true)
	check("another's", "group.list", true)
	if work.Err() != nil {
		t.Error("reading ended the work")
	}
	check("another's", "user.create", false)
	if work.Err() == nil {
		t.Error("the work goes on")
	}
	if err := l.release(t.Context()); err != nil {
		t.Error(err)
	}
	if ok, err := w.store.RenewTarget(t.Context(), "git", "b", time.Minute); !ok || err != nil {
		t.Errorf("the other one's lease was given back: %v", err)
	}
	if err := fence(t.Context(), "user.create"); err != nil {
		t.Errorf("a probe works under no lease: %v", err)
	}
}

// Nor does it go out on one that ran out while it waited for a connection.
func TestFenceOfWhatGoesOut(t *testing.T) {
	t.Parallel()
	w, h := halfwayWorld(t, "none")
	l := &lease{store: w.store, target: "git", holder: "a"}
	work, ok, err := l.acquire(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	slept := time.Minute
	c, err := NewClient(w.target, generic(t), ClientOptions{Now: time.Now, Pace: func(ctx context.Context, q PaceRequest) (func(error), error) {
		return func(error) {}, fence(ctx, q.Kind)
	}, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		l.prolonged(time.Now().Add(slept)) // the process stood still
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(l.bind(t.Context()), *account("ada")); err != nil || h.count() != 1 {
		t.Fatalf("%v, %d writes", err, h.count())
	}
	slept = -time.Minute
	_, err = c.Create(l.bind(t.Context()), *account("bob"))
	// The headers may have arrived; without the body nothing is carried out.
	if ClassOf(err) != Network || len(w.app.State("").Users) != 1 || work.Err() == nil {
		t.Errorf("%v, %d accounts, %v", err, len(w.app.State("").Users), work.Err())
	}
	if _, err := c.Create(t.Context(), *account("eve")); err != nil {
		t.Errorf("under no lease: %v", err)
	}
}

// Where the database cannot be had for a moment the lease lasts as long as it was taken
// for; requests under way are not cut off.
func TestLeaseOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	w, _ := halfwayWorld(t, "none")
	l := &lease{store: w.store, target: "git", holder: "a"}
	work, ok, err := l.acquire(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.prolong(work); ok || err == nil {
		t.Fatal("renewed without a database")
	}
	if err := fence(l.bind(t.Context()), "user.update"); err != nil || work.Err() != nil {
		t.Errorf("%v %v", err, work.Err())
	}
	l.prolonged(time.Now().Add(leaseMargin / 2))
	if err := fence(l.bind(t.Context()), "user.update"); err == nil || work.Err() == nil {
		t.Errorf("written on a lease that cannot be renewed: %v", work.Err())
	}
}

// steal gives the lease to another replica, as when it has run out.
func (w *world) steal(holder string) {
	w.t.Helper()
	for _, mine := range []string{w.worker.Holder, "a"} {
		if err := w.store.ReleaseTarget(w.t.Context(), w.target.Name, mine); err != nil {
			w.t.Fatal(err)
		}
	}
	if ok, err := w.store.LeaseTarget(w.t.Context(), w.target.Name, holder, time.Minute); !ok || err != nil {
		w.t.Fatal(ok, err)
	}
}

func (w *world) runner() *runner {
	w.worker.mu.Lock()
	defer w.worker.mu.Unlock()
	return w.worker.runners[w.target.Name]
}

func (l *lease) idle() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.users == 0 }
