package fanout

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// liar is an application whose filters by some attributes find nobody.
type liar struct {
	app  *app.App
	lies atomic.Value // attributes, space separated
	gets atomic.Int64 // look-ups that were put
	post atomic.Int64
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	filter := r.URL.Query().Get("filter")
	if r.Method == http.MethodGet && filter != "" && strings.Contains(r.URL.Path, "/Users") {
		l.gets.Add(1)
		for attr := range strings.FieldsSeq(l.lies.Load().(string)) {
			if strings.HasPrefix(filter, attr+" ") {
				w.Header().Set("Content-Type", mediaType)
				_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`))
				return
			}
		}
	}
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Users") {
		l.post.Add(1)
	}
	l.app.Handler().ServeHTTP(w, r)
}

func lying(t *testing.T, attrs string, change func(*model.Target)) (*world, *liar) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{app: a}
	l.lies.Store(attrs)
	return worldWith(t, a, l, change), l
}

func (w *world) hand(userName string) {
	w.t.Helper()
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + userName + `","title":"by hand"}`
	if code := w.byHand(http.MethodPost, "/Users", body); code != http.StatusCreated {
		w.t.Fatalf("by hand: %d", code)
	}
}

func state(rows map[string]model.AccountRow, id string, want model.AccountState) bool {
	return rows[id].State == want
}

// A filter that does not find an account that is there is worth nothing; another one
// that does decides.
func TestCanaryAnotherAttribute(t *testing.T) {
	t.Parallel()
	w, _ := lying(t, "externalId", nil)
	w.start()
	w.want(model.AccountRow{Identity: "known", Desired: account("known")})
	w.allIn(model.StateInSync)
	w.hand("anna")
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")}, model.AccountRow{Identity: "k", Desired: account("kim")})
	rows := w.allIn(model.StateInSync)
	if rows["i"].Owned != model.OwnedAdopted || rows["k"].Owned != model.OwnedCreated || len(w.users()) != 3 {
		t.Errorf("anna %q, kim %q, users %v", rows["i"].Owned, rows["k"].Owned, w.users())
	}
}

// Where no filter can be believed the complete list decides.
func TestCanaryList(t *testing.T) {
	t.Parallel()
	w, _ := lying(t, "externalId userName", nil)
	w.hand("other")
	w.start()
	w.want(model.AccountRow{Identity: "known", Desired: account("known")})
	w.allIn(model.StateInSync)
	w.hand("anna")
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")}, model.AccountRow{Identity: "k", Desired: account("kim")})
	rows := w.allIn(model.StateInSync)
	if rows["i"].Owned != model.OwnedAdopted || rows["k"].Owned != model.OwnedCreated || len(w.users()) != 4 {
		t.Errorf("anna %q, kim %q, users %v", rows["i"].Owned, rows["k"].Owned, w.users())
	}
}

// Where nothing can be believed nothing is made, a leaver is not called gone, and the
// state says why; and it goes on by itself once look-ups work.
func TestCanaryNothingToBelieve(t *testing.T) {
	t.Parallel()
	w, l := lying(t, "", func(t *model.Target) { t.Overrides = map[string]any{"list_trustworthy": false} })
	clock := &skewed{}
	w.worker.Now = clock.now
	w.start()
	w.want(model.AccountRow{Identity: "known", Desired: account("known")})
	w.allIn(model.StateInSync)
	w.stop()
	l.lies.Store("externalId userName")
	before := l.post.Load()
	w.hand("zoe")
	intent := store.Intent{Identity: "leaver", Generation: 1, Create: true, Sent: []model.Account{*account("zoe")}}
	w.want(model.AccountRow{Identity: "leaver", Desired: account("zoe")})
	if _, err := w.store.SaveIntents(t.Context(), "git", []store.Intent{intent}); err != nil {
		t.Fatal(err)
	}
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")}, model.AccountRow{Identity: "leaver", Leaver: true})
	w.start()
	rows := w.until("both fail", func(rows map[string]model.AccountRow) bool {
		return state(rows, "i", model.StateFailed) && state(rows, "leaver", model.StateFailed)
	})
	for _, id := range []string{"i", "leaver"} {
		if r := rows[id]; r.ErrorClass != string(Garbage) || !strings.Contains(r.LastError, "find nothing although account") {
			t.Errorf("%s: %s %q", id, r.ErrorClass, r.LastError)
		}
	}
	if n := l.post.Load() - before - 1; n != 0 {
		t.Errorf("%d creates", n)
	}
	st, err := w.store.TargetState(t.Context(), "git")
	if err != nil || len(st.Doubts) != 2 || !strings.Contains(st.Doubts[0], "nothing is concluded") {
		t.Errorf("doubts: %q, %v", st.Doubts, err)
	}
	l.lies.Store("")
	clock.add(time.Hour)
	w.worker.Nudge("git")
	rows = w.until("both are through", func(rows map[string]model.AccountRow) bool {
		return state(rows, "i", model.StateInSync) && state(rows, "leaver", model.StateDisabled)
	})
	if w.users()["zoe"]["active"] != false || rows["i"].Owned != model.OwnedCreated {
		t.Errorf("zoe %v", w.users()["zoe"])
	}
}

// At a target where nothing is known a create is the test: refused as existing, and not
// found, it is neither made nor taken over.
func TestCanaryCreateIsTheTest(t *testing.T) {
	t.Parallel()
	w, _ := lying(t, "externalId userName", func(t *model.Target) { t.Overrides = map[string]any{"list_trustworthy": false} })
	w.hand("anna")
	h := w.users()["anna"]["id"].(string)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	rows := w.until("anna fails", func(rows map[string]model.AccountRow) bool { return state(rows, "i", model.StateFailed) })
	if r := rows["i"]; r.ErrorClass != string(Garbage) || !strings.Contains(r.LastError, "look-ups by") || r.Owned != "" || r.RemoteID != "" || len(r.Sent) != 0 {
		t.Errorf("%+v", r)
	}
	if u := w.users()["anna"]; u["id"] != h || u["title"] != "by hand" {
		t.Errorf("anna is %v", u)
	}
}

// A target that ignores filters and shows everybody is read to the end and believed.
func TestCanaryFilterIgnored(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Del("filter")
		r.URL.RawQuery = q.Encode()
		a.Handler().ServeHTTP(rw, r)
	}), nil)
	w.hand("anna")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")}, model.AccountRow{Identity: "k", Desired: account("kim")})
	rows := w.allIn(model.StateInSync)
	if rows["i"].Owned != model.OwnedAdopted || rows["k"].Owned != model.OwnedCreated {
		t.Errorf("anna %q, kim %q", rows["i"].Owned, rows["k"].Owned)
	}
}

// The test of a filter is not repeated for each account.
func TestCanaryOnce(t *testing.T) {
	t.Parallel()
	w, l := lying(t, "", nil)
	w.start()
	w.want(model.AccountRow{Identity: "known", Desired: account("known")})
	w.allIn(model.StateInSync)
	before := l.gets.Load()
	w.wantMany(20)
	w.allIn(model.StateInSync)
	if n := l.gets.Load() - before; n > 2*20+2+2 {
		t.Errorf("%d look-ups for 20 accounts", n)
	}
}

func TestVerdictHolds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		v     verdict
		after time.Duration
		want  bool
	}{
		{verdict{}, 0, false},
		{verdict{trust: trusted, at: now}, trustAge - 1, true},
		{verdict{trust: trusted, at: now}, trustAge, false},
		{verdict{trust: doubted, at: now}, doubtAge - 1, true},
		{verdict{trust: doubted, at: now}, doubtAge, false},
		{verdict{trust: untested, at: now}, untestedAge, false},
	} {
		if got := tt.v.holds(now.Add(tt.after)); got != tt.want {
			t.Errorf("%+v after %s: %v", tt.v, tt.after, got)
		}
	}
}

// skewed is a clock that can be set forward.
type skewed struct{ by atomic.Int64 }

func (c *skewed) now() time.Time      { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *skewed) add(d time.Duration) { c.by.Add(int64(d)) }
