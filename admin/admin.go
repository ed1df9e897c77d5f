// Package admin is for operators: the JSON API under /api/v1. It reads the
// state, writes rows through the hub and the store, and never talks to a target.
// Who may do what is decided in one place, the table of routes.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// maxBody limits a request: a configuration is the largest thing sent.
const maxBody = 8 << 20

// API serves /api/v1. All fields but Version are required.
type API struct {
	Hub     *hub.Hub
	Tokens  *Tokens
	Log     *slog.Logger
	Version Version
	// Activate puts a stored configuration version in force in this process.
	Activate func(context.Context, *hub.Snapshot) error
	// Nudge wakes the worker of a target.
	Nudge func(target string)
	// Probe asks an application what it can do; nil: this process talks to none.
	Probe Prober
	// Run works on one person at one target; nil: this process works on none.
	Run Runner
	// Reserve keeps the lanes off a person's accounts until they are run; may be nil.
	Reserve func(identity string, targets ...string) *fanout.Reservation
	// TokensChanged puts the stored tokens of sources in force in this process; may
	// be nil where there are none.
	TokensChanged func(context.Context) error
	// Refused notes what was refused in the audit trail; may be nil. It must not block.
	Refused func(hub.APIRefusal)
}

// Version says which program answers.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Schema  int    `json:"schema"`
}

// The roles of operators, and the sets of them that a route is open to.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleApprover = "approver"
	RoleAuditor  = "auditor"
)

var (
	readers   = []string{RoleAdmin, RoleOperator, RoleApprover, RoleAuditor}
	operators = []string{RoleAdmin, RoleOperator}
	approvers = []string{RoleAdmin, RoleApprover}
	admins    = []string{RoleAdmin}
)

type route struct {
	method, path string
	allow        []string
	serve        func(*http.Request, Caller) (any, error)
}

// routes is the whole API; who may do what stands beside each address and nowhere else.
func (a *API) routes() []route {
	return slices.Concat(a.coreRoutes(), a.linkRoutes(), a.requestRoutes(), a.conflictRoutes(), a.findingRoutes(),
		a.versionRoutes(), a.historyRoutes(), a.importRoutes(), a.lifecycleRoutes(), a.policyRoutes(),
		a.taskRoutes(), a.leaverRoutes(), a.driftRoutes(), a.groupRoutes(), a.runRoutes(), a.probeRoutes(), a.healthRoutes())
}

func (a *API) coreRoutes() []route {
	return []route{
		{"GET", "/version", readers, a.version},
		{"GET", "/config", readers, a.activeConfig},
		{"POST", "/config", admins, a.applyConfig},
		{"POST", "/plan", operators, a.plan},
		{"GET", "/sources", readers, a.sources},
		{"GET", "/sources/{source}", readers, a.source},
		{"GET", "/targets", readers, a.targets},
		{"GET", "/targets/{target}", readers, a.target},
		{"GET", "/targets/{target}/accounts", readers, a.accounts},
		{"POST", "/targets/{target}/sync", operators, a.syncTarget},
		{"GET", "/targets/{target}/drift", readers, a.lastSweep},
		{"POST", "/targets/{target}/drift", operators, a.driftTarget},
		{"POST", "/targets/{target}/pause", operators, a.pauseTarget},
		{"POST", "/targets/{target}/resume", operators, a.resumeTarget},
		{"POST", "/targets/{target}/release", approvers, a.releaseTarget},
		{"GET", "/identities", readers, a.identities},
		{"GET", "/identities/{person}", readers, a.identity},
		{"GET", "/identities/{person}/explain", readers, a.explain},
		{"GET", "/identities/{person}/timeline", readers, a.timeline},
		{"GET", "/tokens", readers, a.listTokens},
		{"POST", "/tokens", admins, a.createToken},
		{"POST", "/tokens/{token}/rotate", admins, a.rotateToken},
		{"POST", "/tokens/{token}/revoke", admins, a.revokeToken},
		{"GET", "/audit", readers, a.audit},
		{"GET", "/audit/verify", readers, a.verifyAudit},
	}
}

// Mount adds the routes below the router, which stands at /api/v1.
func (a *API) Mount(r *mux.Router) {
	methods := map[string][]string{}
	for _, rt := range a.routes() {
		r.Path(rt.path).Methods(rt.method).Handler(a.handler(rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for path, list := range methods {
		r.Path(path).Handler(notAllowed(list))
	}
	r.NotFoundHandler = problemHandler(model.NotFound, "there is no such address in the API")
}

// readable makes the variables of the path those that the client meant, and refuses
// text that is none: databases do not take it.
func readable(r *http.Request) (*http.Request, error) {
	vars := map[string]string{}
	texts := []string{}
	for name, encoded := range mux.Vars(r) {
		text, err := url.PathUnescape(encoded)
		if err != nil {
			return r, model.Fail(model.Invalid, "the address is not encoded as a URL is", err)
		}
		vars[name], texts = text, append(texts, text)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return r, model.Fail(model.Invalid, "the query is not encoded as a URL's is", err)
	}
	for _, values := range query {
		texts = append(texts, values...)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return r, model.Fail(model.Invalid, "the address holds what is not UTF-8 text", nil)
		}
	}
	return mux.SetURLVars(r, vars), nil
}

func (a *API) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.Tokens.caller(r)
		if err == nil && !slices.Contains(rt.allow, caller.Role) {
			err = model.Fail(model.Forbidden, "the role "+caller.Role+" may not do this", nil)
		}
		if err != nil {
			level := slog.LevelWarn
			if _, slowed := errors.AsType[*slowedError](err); slowed { // those before it were told
				level = slog.LevelDebug
			}
			a.Log.Log(r.Context(), level, "refused", "method", r.Method, "path", r.URL.Path, "actor", caller.Name, "error", err)
			a.refused(r, rt, caller, err)
			writeProblem(w, err)
			return
		}
		if r, err = readable(r); err != nil {
			writeProblem(w, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(w, rt))
		out, err := rt.serve(r, caller)
		if err != nil {
			if model.CodeOf(err) == model.Internal {
				a.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			a.refused(r, rt, caller, err)
			writeProblem(w, err)
			return
		}
		if s, ok := out.(streamed); ok {
			a.stream(w, r, s)
			return
		}
		writeJSON(w, http.StatusOK, "application/json", out)
	})
}

func (a *API) version(*http.Request, Caller) (any, error) { return a.Version, nil }

// page is how every listing looks.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func list[T any](items []T, next string) page[T] {
	if items == nil {
		items = []T{}
	}
	return page[T]{items, next}
}

func writeJSON(w http.ResponseWriter, status int, kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// now is the time that answers are about.
func (a *API) now() time.Time { return a.Hub.Store.Now() }
