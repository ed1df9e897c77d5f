package fanout

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// detour loses the answer of the first request of a method, and has the application carry
// it out only when told to.
type detour struct {
	next   http.Handler
	method string
	once   sync.Once
	held   *http.Request
	lost   chan bool
}

func (d *detour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	late := false
	if r.Method == d.method {
		d.once.Do(func() {
			late = true
			body := readBody(r)
			d.held = r.Clone(r.Context())
			d.held.Body = io.NopCloser(strings.NewReader(body))
			close(d.lost)
		})
	}
	if late {
		panic(http.ErrAbortHandler)
	}
	d.next.ServeHTTP(w, r)
}

// arrive carries the request out.
func (d *detour) arrive(t *testing.T) {
	t.Helper()
	answer := httptest.NewRecorder()
	d.next.ServeHTTP(answer, d.held.WithContext(t.Context()))
	if answer.Code > 299 {
		t.Fatalf("the late request is answered %d %s", answer.Code, answer.Body)
	}
}

func detourWorld(t *testing.T, method string) (*world, *detour) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &detour{next: a.Handler(), method: method, lost: make(chan bool)}
	w := worldWith(t, a, d, nil)
	w.worker.Timeout = 700 * time.Millisecond
	return w, d
}

// A change whose answer was lost is carried out over a newer one: it does not stay.
func TestChangeArrivesLate(t *testing.T) {
	t.Parallel()
	w, d := detourWorld(t, http.MethodPatch)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("ann")})
	w.allIn(model.StateInSync)
	titled := func(title string) model.AccountRow {
		a := account("ann")
		a.Attrs["title"] = title
		return model.AccountRow{Identity: "i", Desired: a}
	}
	shown := func(title string) {
		t.Helper()
		w.until("title "+title, func(rows map[string]model.AccountRow) bool {
			return rows["i"].State == model.StateInSync && w.users()["ann"]["title"] == title
		})
	}
	w.want(titled("first"))
	<-d.lost
	w.want(titled("second"))
	shown("second")
	d.arrive(t)
	if got := w.users()["ann"]["title"]; got != "first" {
		t.Fatalf("title %v: the late request did nothing", got)
	}
	shown("second")
	w.until("nothing is left to look at", func(rows map[string]model.AccountRow) bool { return !rows["i"].Due && len(rows["i"].Sent) == 0 })
	shown("second")
}

// Somebody leaves while the answer to the creation of their account is outstanding, and
// nothing is found: an account that is made after all does not stay active.
func TestCreateArrivesAfterLeaving(t *testing.T) {
	t.Parallel()
	w, d := detourWorld(t, http.MethodPost)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("ann")})
	<-d.lost
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	w.until("nothing is there", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDeleted })
	if n := len(w.users()); n != 0 {
		t.Skipf("%d users: the account was made again before the leaver was known", n)
	}
	d.arrive(t)
	w.until("it is switched off", func(rows map[string]model.AccountRow) bool {
		return w.users()["ann"]["active"] == false && rows["i"].State == model.StateDisabled
	})
	w.until("nothing is left to look at", func(rows map[string]model.AccountRow) bool { return !rows["i"].Due })
}

// inDoubt reports whether something was sent that is not known to be so. What says
// nothing new is read once more and no doubt.
func inDoubt(r model.AccountRow) bool {
	return slices.ContainsFunc(r.Sent, func(s model.Account) bool {
		return r.Applied == nil || !bytes.Equal(canonicalJSON(s), canonicalJSON(*r.Applied))
	})
}
