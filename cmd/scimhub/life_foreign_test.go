package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestForeignLife takes the same people through the same life as TestWholeLife at SCIM
// servers that others wrote, each a process of its own. SCIMHUB_FOREIGN names them,
// separated by blanks: NAME=URL=TOKEN=FILE, where FILE holds what is to be stated below
// the target. conformance/foreign/run starts servers and runs this. A server is emptied
// before each life.
func TestForeignLife(t *testing.T) {
	t.Parallel()
	servers := strings.Fields(os.Getenv("SCIMHUB_FOREIGN"))
	if len(servers) == 0 {
		t.Skip("SCIMHUB_FOREIGN names no servers; conformance/foreign/run starts some")
	}
	for _, entry := range servers {
		f, err := foreignOf(entry)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, dialect := range slices.Sorted(maps.Keys(dialectNames())) { // one server, one life at a time
				t.Run(dialect, func(t *testing.T) {
					people, groups := 300, 40
					if storetest.UnderRace || testing.Short() {
						people, groups = 60, 10
					}
					live(t, newForeignWorld(t, f, dialect, people, groups))
				})
			}
		})
	}
}

func dialectNames() map[string]bool {
	out := map[string]bool{}
	for _, d := range storetest.Dialects() {
		out[d] = true
	}
	return out
}

// foreignServer is a SCIM server that somebody else wrote.
type foreignServer struct {
	name, direct, token string
	overrides           map[string]any // what its target states

	proxied string // its URL with faults
	mu      sync.Mutex
	wrong   app.Faults
	refused map[string]int // 4xx answers that say the hub asked for what is not done here
	random  *rand.Rand
}

func foreignOf(entry string) (*foreignServer, error) {
	parts := strings.SplitN(entry, "=", 4)
	if len(parts) != 4 {
		return nil, fmt.Errorf("SCIMHUB_FOREIGN: %q is not NAME=URL=TOKEN=FILE", entry)
	}
	f := &foreignServer{name: parts[0], direct: parts[1], token: parts[2]}
	text, err := os.ReadFile(parts[3])
	if err != nil {
		return nil, err
	}
	return f, yaml.Unmarshal(text, &f.overrides)
}

func newForeignWorld(t *testing.T, f *foreignServer, dialect string, people, groups int) *lifeWorld {
	t.Helper()
	f.refused, f.wrong, f.random = map[string]int{}, nil, rand.New(rand.NewPCG(11, 3))
	p, err := fanout.ProfileNamed("generic")
	if err != nil {
		t.Fatal(err)
	}
	w := &lifeWorld{t: t, clock: &leapClock{}, profile: p, foreign: f}
	target, err := url.Parse(f.direct)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(f.handler(target))
	t.Cleanup(w.server.Close)
	f.proxied = w.server.URL + target.Path
	f.empty(w)
	w.begin(dialect, people, groups)
	for _, target := range w.hub.hub.Snapshot().Doc.Targets {
		if w.profile, err = fanout.ProfileOf(target); err != nil {
			t.Fatal(err)
		}
	}
	w.profile.Name = f.name
	return w
}

// secret is what lets somebody change the application by hand.
func (w *lifeWorld) secret() string {
	if w.foreign != nil {
		return w.foreign.token
	}
	return storySecret
}

// adapt makes a target the server's; without a server it stays as it is.
func (f *foreignServer) adapt(target map[string]any) {
	if f == nil {
		return
	}
	target["url"], target["auth"], target["profile"] = f.proxied, map[string]any{"bearer": f.token}, "generic"
	delete(target, "rate")
	maps.Copy(target, f.overrides)
}

// handler passes requests on to the server, with faults on the way.
func (f *foreignServer) handler(target *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			r.Out.Host = target.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 8},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		fault := f.draw()
		switch fault.Kind {
		case app.KindStatus:
			w.Header().Set("Content-Type", "application/scim+json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(fault.Status)
			fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d"}`, fault.Status)
			return
		case app.KindReset:
			reset(w)
			return
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		f.note(r, body, answer)
		switch {
		case fault.Kind == app.KindResetAfter, answer.Code == http.StatusBadGateway: // or the server ended the connection
			reset(w)
			return
		case fault.Kind == app.KindTwice:
			again := r.Clone(context.WithoutCancel(r.Context()))
			again.Body = io.NopCloser(bytes.NewReader(body))
			answer = httptest.NewRecorder()
			proxy.ServeHTTP(answer, again)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the hub may have gone
	})
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it looks orderly
	}
	_ = conn.Close()
}

// draw is what happens to a request.
func (f *foreignServer) draw() app.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.wrong {
		if f.random.Float64() < fault.Probability {
			return fault
		}
	}
	return app.Fault{}
}

func (f *foreignServer) faults(t *testing.T, text string) string {
	t.Helper()
	faults, err := app.ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.wrong.String()
	f.wrong = faults
	return was
}

// note counts refusals: of what is not there and of what is there already are part of
// life, others mean that the hub asked for something that cannot be done here.
func (f *foreignServer) note(r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	switch code := answer.Code; {
	case code < 400, code > 501, code == http.StatusNotFound, code == http.StatusConflict, code == http.StatusPreconditionFailed:
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[fmt.Sprintf("%s %s %.600s answered %d %.400s", r.Method, r.URL, body, answer.Code, answer.Body)]++
}

// careful fails where the hub asked for what the server refuses.
func (f *foreignServer) careful(w *lifeWorld) {
	w.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, what := range slices.Sorted(maps.Keys(f.refused)) {
		if i == 10 {
			w.t.Errorf("and %d more", len(f.refused)-i)
			break
		}
		w.t.Errorf("refused: %s, %d times", what, f.refused[what])
	}
}

// state is what the server has, as plain lists tell it past the faults. A group that a
// list shows without members is asked for by itself.
func (f *foreignServer) state(w *lifeWorld) app.State {
	w.t.Helper()
	state := app.State{Users: f.list(w, "/Users"), Groups: f.list(w, "/Groups")}
	for i, g := range state.Groups {
		if members, _ := g["members"].([]any); len(members) == 0 {
			id, _ := g["id"].(string)
			var alone map[string]any
			w.must(w.call(f.token, http.MethodGet, f.direct+"/Groups/"+url.PathEscape(id), nil, &alone))
			state.Groups[i] = alone
		}
	}
	return state
}

func (f *foreignServer) list(w *lifeWorld, path string) (out []map[string]any) {
	w.t.Helper()
	for {
		var page struct {
			Resources    []map[string]any
			TotalResults int
		}
		w.must(w.call(f.token, http.MethodGet, fmt.Sprintf("%s%s?startIndex=%d&count=1000", f.direct, path, len(out)+1), nil, &page))
		out = append(out, page.Resources...)
		if len(out) >= page.TotalResults || len(page.Resources) == 0 {
			return out
		}
	}
}

// empty removes whatever is there.
func (f *foreignServer) empty(w *lifeWorld) {
	w.t.Helper()
	for _, path := range []string{"/Groups", "/Users"} {
		for _, doc := range f.list(w, path) {
			id, _ := doc["id"].(string)
			w.must(w.call(f.token, http.MethodDelete, f.direct+path+"/"+url.PathEscape(id), nil, nil))
		}
	}
}
