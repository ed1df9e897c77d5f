package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/proxy"
	"github.com/scimhub/scimhub/scimserver"
)

// scimPath is where the service provider is.
const scimPath = "/scim/v2"

// maxHeader is for a request's line and headers together, bytes. It is far more than
// the longest query that is read: beyond it net/http answers in plain text, and who
// sends a filter of 300,000 parentheses is to get an Error (RFC 7644 §3.12).
const maxHeader = 1 << 20

// mount makes the HTTP server: every front of the hub, in one place.
func (i *instance) mount() error {
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	root.Use(routed)
	root.Path(scimPath + `{rest:(?:/.*)?}`).HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*i.scim.Load()).ServeHTTP(w, r) })
	root.PathPrefix("/scim").HandlerFunc(otherVersion)
	root.PathPrefix(proxy.Prefix).Handler(i.newProxy())
	root.Path("/api/openapi.json").Methods(http.MethodGet, http.MethodHead).Handler(i.api.OpenAPI())
	i.api.Mount(root.PathPrefix("/api/v1").Subrouter())
	i.mountMetrics(root, promhttp.HandlerFor(i.metrics.registry, promhttp.HandlerOpts{}))
	i.mountProbes(root)
	open, closePages := context.WithCancel(context.Background())
	if err := i.mountConsole(open, root); err != nil {
		closePages()
		return err
	}
	root.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusNotFound, "not found: SCIM is at "+scimPath+", the API at /api/v1\n")
	})
	i.server = &http.Server{Handler: i.pulse.refuseLate(i.identified(i.lastAnswers(i.behindProxies(i.withHeaders(i.metrics.fronts.counted(root)))))), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(i.log.Handler(), slog.LevelDebug)}
	i.server.RegisterOnShutdown(closePages) // a page that listens would keep a stop waiting
	return nil
}

// mountProbes says whether the process lives, and whether it can serve.
func (i *instance) mountProbes(root *mux.Router) {
	root.Path("/healthz").HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive\n") })
	root.Path("/readyz").HandlerFunc(i.ready)
}

// otherVersion answers for versions of the protocol that are not offered (RFC 7644
// §3.13).
func otherVersion(w http.ResponseWriter, _ *http.Request) {
	scimserver.WriteError(w, scim.Errorf(http.StatusBadRequest, scim.InvalidVers, "this version is not offered; SCIM 2.0 is at %s", scimPath))
}

// serviceProvider makes the SCIM endpoints of a registry's resource types. A
// configuration may bring types of its own, so each one gets endpoints of its own.
func (i *instance) serviceProvider(types *scim.Registry) http.Handler {
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	h := &scimserver.Handler{Backend: backend{i}, Registry: types, Auth: sourced(i.sources.Authenticate), AuthenticationSchemes: i.sources.Schemes,
		BaseURL: i.scimBase, Log: i.log, Now: i.store.Now, Observe: i.observe,
		CursorKey: i.cursorKey, StoresPasswords: true, Refused: i.refusals.Add}
	root.Use(routed)
	h.Mount(root.PathPrefix(scimPath).Subrouter())
	return root
}

// observe counts a SCIM request and notes that its source was heard of.
func (i *instance) observe(source, method, resource string, code int, d time.Duration) {
	i.metrics.observe(source, method, resource, code, d)
	if source != "" {
		i.hub.SeenInPassing(source)
	}
}

// scimBase is what meta.location begins with: the public URL of the configuration
// in force, or, where that is a port the system was to choose, the address it chose.
func (i *instance) scimBase(*http.Request) string { return i.publicURL() + scimPath }

// publicURL is where the hub is reached, without a slash at its end.
func (i *instance) publicURL() string {
	base := strings.TrimRight(i.hub.Snapshot().Doc.PublicURL, "/")
	if strings.HasSuffix(base, ":0") {
		base = i.URL
	}
	return base
}

// ready says whether requests can be served: the database answers, a configuration
// is in force and the process is not stopping.
func (i *instance) ready(w http.ResponseWriter, r *http.Request) {
	if i.stopping.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := i.store.Ping(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, "the database does not answer\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
