// Package app simulates applications that are provisioned over SCIM: an in-memory
// service at /scim/v2 with the habits of a real product, faults to order, and a
// window on its true state that no fault clouds.
package app

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// Prefix is where an App serves SCIM.
const Prefix = "/scim/v2"

// Options says what to simulate. The zero value is a plain, reliable application
// that takes any bearer token.
type Options struct {
	Profile string // see ProfileNames; "" means generic
	Token   string // the one bearer token that is accepted; "" means any
	Faults  string // see ParseFaults

	Log    *slog.Logger
	Now    func() time.Time // nil means time.Now
	Random func() float64   // in [0, 1); nil means chance
	NewID  func() string    // nil means random UUIDs
}

// App is one simulated application.
type App struct {
	profile  Profile
	token    string
	now      func() time.Time
	registry *scim.Registry
	store    *memory.Store
	injector injector
	counter  counter
	buckets  map[string]*rate.Limiter // of the profile's limit on user writes, by method
	handler  http.Handler
}

// New makes an application; the error says which profile or fault is not known.
func New(o Options) (*App, error) {
	profile, err := ProfileNamed(o.Profile)
	if err != nil {
		return nil, err
	}
	return NewWithProfile(profile, o)
}

// NewWithProfile is New for a profile of the caller's own; o.Profile is ignored.
func NewWithProfile(profile Profile, o Options) (*App, error) {
	faults, err := ParseFaults(o.Faults)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	dialect := profile.Dialect
	if dialect == "" {
		dialect = "rfc"
	}
	d, ok := scim.DialectNamed(dialect)
	if !ok {
		return nil, fmt.Errorf("profile %s: there is no dialect %q", profile.Name, dialect)
	}
	a := &App{profile: profile, token: o.Token, now: o.Now, registry: scim.DefaultRegistry()}
	a.injector.random, a.injector.now = o.Random, o.Now
	a.injector.replace(faults)
	a.store = memory.New(a.registry, memory.Options{UniqueGroupNames: profile.UniqueGroupNames, Now: o.Now, NewID: o.NewID})
	a.buckets = writeBuckets(profile)
	a.handler = a.routes(d, o.Log)
	return a, nil
}

func (a *App) routes(d scim.Dialect, log *slog.Logger) http.Handler {
	api := mux.NewRouter().SkipClean(true)
	server := &scimserver.Handler{
		Backend: habits{a.store, a.profile}, Registry: a.registry, Auth: a.authenticator(d),
		BaseURL: scimserver.RequestBase(Prefix), MaxPage: a.profile.PageMax,
		NoPatch: a.profile.NoPatch, PatchNoContent: a.profile.PatchStatus204,
		NoBulk: a.profile.Plain, NoSort: a.profile.Plain, NoCursor: a.profile.Plain, Log: log, Now: a.now,
	}
	server.Mount(api.PathPrefix(Prefix).Subrouter())
	served := a.counter.wrap(a.injector.wrap(a.manners(api)))

	root := mux.NewRouter().SkipClean(true)
	root.HandleFunc("/_app/state", a.serveState).Methods(http.MethodGet)
	root.HandleFunc("/_app/faults", a.serveFaults).Methods(http.MethodGet, http.MethodPost)
	root.HandleFunc("/_app/stats", a.serveStats).Methods(http.MethodGet)
	root.Handle(Prefix, served)
	root.PathPrefix(Prefix + "/").Handler(served)
	return root
}

// authenticator accepts the configured token, or any where none is configured.
func (a *App) authenticator(d scim.Dialect) scimserver.Authenticator {
	want := scimserver.HashToken(a.token)
	client := scimserver.Client{Source: a.profile.Name, Name: "token", Dialect: d}
	return func(r *http.Request) (scimserver.Client, error) {
		token, err := scimserver.BearerToken(r)
		if err != nil {
			return scimserver.Client{}, err
		}
		got := scimserver.HashToken(token)
		if a.token != "" && subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return scimserver.Client{}, scimserver.Unauthorized("the bearer token is not valid")
		}
		return client, nil
	}
}

// Handler serves the application: SCIM below Prefix, and /_app/state, /_app/faults
// and /_app/stats, which need no token and suffer no faults.
func (a *App) Handler() http.Handler { return a.handler }

// SetFaults replaces the faults; see ParseFaults.
func (a *App) SetFaults(text string) error {
	faults, err := ParseFaults(text)
	if err == nil {
		a.injector.replace(faults)
	}
	return err
}

// Faults returns the present faults.
func (a *App) Faults() Faults { return a.injector.faults() }

// Stats returns the counts so far.
func (a *App) Stats() Stats { return a.counter.snapshot() }

// State is the true state of an application.
type State struct {
	Users  []map[string]any `json:"users"`
	Groups []map[string]any `json:"groups"`
}

// State returns every user and group in order of creation, as plain SCIM would
// show them below base.
func (a *App) State(base string) State {
	render := func(name string) []map[string]any {
		out := []map[string]any{}
		t, ok := a.registry.Type(name)
		if !ok {
			return out
		}
		for _, r := range a.store.Snapshot(name) {
			out = append(out, t.Render(r, base, scim.Fields{}))
		}
		return out
	}
	return State{Users: render("User"), Groups: render("Group")}
}

func (a *App) serveState(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, a.State(scimserver.RequestBase(Prefix)(r)))
}

func (a *App) serveStats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.Stats())
}

type faultsBody struct {
	Faults string `json:"faults"`
}

// serveFaults shows or replaces the faults. The body is the fault grammar itself,
// or a JSON object that holds it.
func (a *App) serveFaults(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		text, err := readFaults(http.MaxBytesReader(w, r.Body, 4*maxFaultText))
		if err == nil {
			err = a.SetFaults(text)
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
	}
	writeJSON(w, http.StatusOK, faultsBody{a.Faults().String()})
}

func readFaults(r io.Reader) (string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("faults: the body could not be read: %w", err)
	}
	if len(text) == 0 || text[0] != '{' {
		return string(text), nil
	}
	var body struct {
		Faults *string `json:"faults"`
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Faults == nil {
		return "", fmt.Errorf(`faults: the body must be {"faults": "429:5%%,…"} or the faults alone`)
	}
	return *body.Faults, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client may have gone
}
