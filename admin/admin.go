// Package admin is for operators: the JSON API under /api/v1. It reads the
// state, writes rows through the hub and the store, and never talks to a target.
// Who may do what is decided in one place, the table of routes.
package admin

import (
	"context"
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
	"github.com/scimhub/scimhub/model/store"
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
	// BaseURL is where people reach the hub, without a slash at its end; nil: the
	// public URL of the configuration in force.
	BaseURL func() string
	// Refused notes what was refused in the audit trail; may be nil. It must not block.
	Refused func(context.Context, hub.APIRefusal)

	long longWork
}

// Version says which program answers.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Schema  int    `json:"schema"`
}

type route struct {
	method, path string
	right        right
	serve        func(*http.Request, Caller) (any, error)
	about        about
}

// about is what the description of the API says of a route.
type about struct {
	sum   string   // what it is for, one sentence without a full stop
	in    any      // a value of the type of the body; nil: it takes none
	out   any      // a value of the type of the answer
	query []string // names of the parameters it takes
	also  []string // media types that it answers with beside JSON, or in place of it where out is nil
	takes []string // media types of the body where it is no JSON
	reads bool     // it changes nothing, whatever its method: an idempotency key is of no use
}

// routes is the whole API; who may do what stands beside each address and nowhere else.
func (a *API) routes() []route {
	return slices.Concat(a.coreRoutes(), a.linkRoutes(), a.requestRoutes(), a.conflictRoutes(), a.findingRoutes(),
		a.versionRoutes(), a.historyRoutes(), a.importRoutes(), a.lifecycleRoutes(), a.policyRoutes(), a.roleRoutes(),
		a.taskRoutes(), a.leaverRoutes(), a.driftRoutes(), a.groupRoutes(), a.runRoutes(), a.probeRoutes(), a.healthRoutes(),
		a.reviewRoutes(), a.notifyRoutes(), a.evidenceRoutes(), a.overviewRoutes(), a.signInRoutes(),
		a.settingsRoutes(), a.dataRoutes())
}

func (a *API) coreRoutes() []route {
	return []route{
		{"GET", "/access", rightSeeOwn, a.access, about{sum: "Who may call what, and what the caller may", out: AccessView{}}},
		{"GET", "/version", rightRead, a.version, about{sum: "Which program answers", out: Version{}}},
		{"GET", "/pulse", rightSeeOwn, a.pulse, about{sum: "How far the hub has come", out: Pulse{}}},
		{"GET", "/config", rightRead, a.activeConfig, about{sum: "The configuration in force, without secrets", out: ConfigView{}}},
		{"POST", "/config", rightAdminister, a.applyConfig, about{sum: "Put a configuration in force", in: ApplyRequest{}, out: ApplyAnswer{}}},
		{"POST", "/plan", rightOperate, a.plan, about{sum: "What would change, under the configuration in force or another one", in: PlanRequest{}, out: PlanAnswer{}, reads: true}},
		{"GET", "/sources", rightRead, a.sources, about{sum: "The sources, and how they are", out: page[SourceView]{}, query: paged()}},
		{"GET", "/sources/{source}", rightRead, a.source, about{sum: "One source", out: SourceView{}}},
		{"GET", "/targets", rightRead, a.targets, about{sum: "The targets, and how they are", out: page[TargetView]{}, query: paged("names")}},
		{"GET", "/targets/{target}", rightRead, a.target, about{sum: "One target, with the changes that are held there", out: TargetView{}, query: []string{"changes"}}},
		{"GET", "/targets/{target}/accounts", rightRead, a.accounts, about{sum: "The accounts at a target, all, those that drifted, in a state, or failing in one way", out: page[AccountView]{}, query: paged("drift", "state", "class")}},
		{"POST", "/targets/{target}/sync", rightOperate, a.syncTarget, about{sum: "Make everything that waits at a target due now", out: TargetView{}}},
		{"GET", "/targets/{target}/drift", rightRead, a.lastSweep, about{sum: "What the last drift sweep of a target found", out: SweepAnswer{}, query: paged("kind")}},
		{"POST", "/targets/{target}/drift", rightOperate, a.driftTarget, about{sum: "Ask for a drift sweep", out: TargetView{}}},
		{"POST", "/targets/{target}/pause", rightOperate, a.pauseTarget, about{sum: "Write nothing more at a target until it is resumed", out: TargetView{}}},
		{"POST", "/targets/{target}/resume", rightOperate, a.resumeTarget, about{sum: "End a pause, and the quarantine with it", out: TargetView{}}},
		{"POST", "/targets/{target}/release", rightDecide, a.releaseTarget, about{sum: "Let exactly the held plan of this digest through", in: ReleaseRequest{}, out: ReleaseAnswer{}}},
		{"GET", "/identities", rightRead, a.identities, about{sum: "People: by how well a text fits them, else by user name or id", out: page[IdentityView]{}, query: paged("q", "stage", "role", "target", "department", "manager")}},
		{"GET", "/identities/{person}", rightRead, a.identity, about{sum: "One person: facts, resources, roles and accounts", out: IdentityView{}}},
		{"GET", "/identities/{person}/explain", rightRead, a.explain, about{sum: "Who has what and why, now or at a moment", out: ExplainAnswer{}, query: []string{"target", "group", "at"}}},
		{"GET", "/identities/{person}/timeline", rightRead, a.timeline, about{sum: "What happened to a person", out: page[store.TimelineEvent]{}, query: paged()}},
		{"GET", "/tokens", rightRead, a.listTokens, about{sum: "Tokens that were made while the hub ran", out: page[TokenView]{}, query: paged("source")}},
		{"POST", "/tokens", rightAdminister, a.createToken, about{sum: "Make a token; the secret is in this answer and nowhere else", in: TokenRequest{}, out: TokenView{}}},
		{"POST", "/tokens/{token}/rotate", rightAdminister, a.rotateToken, about{sum: "Give a token a new secret, in this answer and nowhere else", in: TokenRequest{}, out: TokenView{}}},
		{"POST", "/tokens/{token}/revoke", rightAdminister, a.revokeToken, about{sum: "End a token", out: TokenView{}}},
		{"GET", "/audit", rightRead, a.audit, about{sum: "The audit trail", out: page[store.AuditEntry]{}, query: paged("identity")}},
		{"GET", "/audit/verify", rightRead, a.verifyAudit, about{sum: "Whether the audit trail holds", out: AuditAnswer{}}},
	}
}

// Mount adds the routes below the router, which stands at /api/v1.
func (a *API) Mount(r *mux.Router) { a.mount(r, a.routes()) }

func (a *API) mount(r *mux.Router, routes []route) {
	methods, shown := map[string][]string{}, map[string]route{}
	for _, rt := range routes {
		if rt.method == http.MethodGet {
			shown[rt.path] = rt
		}
	}
	for _, rt := range routes {
		r.Path(rt.path).Methods(rt.method).Handler(a.handler(rt, thingOf(rt, shown)))
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

func (a *API) version(*http.Request, Caller) (any, error) { return a.Version, nil }

// page is how every listing looks.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// listing is a page of anything.
type listing interface{ isListing() }

func (page[T]) isListing() {}

// paged are the parameters of a listing that is read page by page, and more.
func paged(more ...string) []string { return append(more, "cursor", "limit") }

func list[T any](items []T, next string) page[T] {
	if items == nil {
		items = []T{}
	}
	return page[T]{items, next}
}

// now is the time that answers are about.
func (a *API) now() time.Time { return a.Hub.Store.Now() }
