// Package app simulates applications that are provisioned over SCIM: an in-memory
// service at /scim/v2 with the habits of a real product, faults to order, and a
// window on its true state that no fault clouds.
package app

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

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

	// Pace is how many times as much the application allows in its time, bursts
	// included: with 100 a test need not wait for its limits. 0 means 1, as in
	// earnest; infinite means no limits.
	Pace float64

	// Owner is the userName of who made the token, where the token dies with them, or
	// of the owner of the account, who then exists from the start, where nobody can
	// change that one. Other profiles have no use for it.
	Owner string

	// Domains are the verified ones where only their people can be changed; nil means
	// every domain but unverified.example.
	Domains []string

	// Wrote, if set, is called after each user that was created or changed, in the very
	// order in which that happened and before anything else happens to users. It may take
	// its time: nobody has the answer yet.
	Wrote func(id string, attrs map[string]any)

	Log    *slog.Logger
	Now    func() time.Time // nil means time.Now
	Random func() float64   // in [0, 1); nil means chance
	NewID  func() string    // nil means random UUIDs
}

// App is one simulated application.
type App struct {
	profile  Profile
	now      func() time.Time
	registry *scim.Registry
	store    *memory.Store
	fates    *fates
	injector injector
	counter  counter
	buckets  []bucket
	handler  http.Handler
	wrote    func(id string, attrs map[string]any)
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
	if o.Pace < 0 || math.IsNaN(o.Pace) {
		return nil, fmt.Errorf("pace %v: must be 1 for the limits as they are, 100 for a hundred times as much, or infinite", o.Pace)
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
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	a := &App{profile: profile, now: o.Now, registry: scim.DefaultRegistry(), fates: newFates(o), wrote: o.Wrote}
	if a.wrote == nil {
		a.wrote = func(string, map[string]any) {}
	}
	if profile.NoGroups {
		users, _ := a.registry.Type("User")
		if a.registry, err = scim.NewRegistry(users); err != nil {
			return nil, fmt.Errorf("profile %s: %w", profile.Name, err)
		}
	}
	a.injector.random, a.injector.now = o.Random, o.Now
	a.injector.replace(faults)
	newID := func() string { // called with the fates locked
		if id := a.fates.nextID; id != "" {
			a.fates.nextID = ""
			return id
		}
		return o.NewID()
	}
	a.store = memory.New(a.registry, memory.Options{UniqueGroupNames: profile.UniqueGroupNames, Now: o.Now, NewID: newID})
	a.buckets = bucketsOf(profile.Limits, cmp.Or(o.Pace, 1))
	a.handler = a.routes(d, o.Log)
	return a, a.found(o.Owner)
}

// noWait is for what is done in memory on nobody's behalf.
func noWait() context.Context { return context.Background() } //nolint:forbidigo // there is no caller's, and nothing to wait for

// found makes the account of the owner who is there from the start.
func (a *App) found(owner string) error {
	if !a.profile.GuardsOwner || owner == "" {
		return nil
	}
	users, _ := a.registry.Type("User")
	_, err := a.store.Create(noWait(), users, map[string]any{"schemas": []any{scim.URNUser}, "userName": owner, "active": true,
		"roles": []any{map[string]any{"value": "owner"}}})
	return err
}

func (a *App) routes(d scim.Dialect, log *slog.Logger) http.Handler {
	api := mux.NewRouter().SkipClean(true)
	server := &scimserver.Handler{
		Backend:  habits{a.store, a.registry, a.profile, &a.counter, a.fates, a.now, a.wrote},
		Registry: a.registry, Auth: a.authenticator(d),
		BaseURL: scimserver.RequestBase(Prefix), MaxPage: a.profile.PageMax,
		NoPatch: a.profile.NoPatch, PatchNoContent: a.profile.PatchStatus204,
		NoBulk: a.profile.Plain, NoSort: a.profile.Plain, NoCursor: a.profile.Plain, Log: log, Now: a.now,
	}
	server.Mount(api.PathPrefix(Prefix).Subrouter())
	served := a.counter.wrap(a.injector.wrap(a.parallel(a.manners(api))))

	root := mux.NewRouter().SkipClean(true)
	root.HandleFunc("/_app/state", a.serveState).Methods(http.MethodGet)
	root.HandleFunc("/_app/faults", a.serveFaults).Methods(http.MethodGet, http.MethodPost)
	root.HandleFunc("/_app/stats", a.serveStats).Methods(http.MethodGet)
	root.HandleFunc("/_app/accept", a.serveAccept).Methods(http.MethodPost)
	root.HandleFunc("/_app/token", a.serveToken).Methods(http.MethodPost)
	root.Handle(Prefix, served)
	root.PathPrefix(Prefix + "/").Handler(served)
	return root
}

// authenticator accepts the configured token, or any where none is configured, unless
// it died with its owner.
func (a *App) authenticator(d scim.Dialect) scimserver.Authenticator {
	client := scimserver.Client{Source: a.profile.Name, Name: "token", Dialect: d}
	return func(r *http.Request) (scimserver.Client, error) {
		token, err := scimserver.BearerToken(r)
		if err != nil {
			return scimserver.Client{}, err
		}
		a.fates.mu.Lock()
		want, revoked := a.fates.token, a.fates.revoked
		a.fates.mu.Unlock()
		if revoked {
			a.counter.forbid(ForbiddenToken)
			return scimserver.Client{}, scimserver.Unauthorized("the token was revoked with the account of its owner")
		}
		got, hash := scimserver.HashToken(token), scimserver.HashToken(want)
		if want != "" && subtle.ConstantTimeCompare(got[:], hash[:]) != 1 {
			return scimserver.Client{}, scimserver.Unauthorized("the bearer token is not valid")
		}
		return client, nil
	}
}

// Handler serves the application: SCIM below Prefix, and /_app/state, /_app/faults,
// /_app/stats, /_app/accept and /_app/token, which need no token and suffer no faults.
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
