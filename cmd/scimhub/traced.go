package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/proxy"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/telemetry"
)

// identified gives every request its id, which the answer, the log, the audit trail and
// the trace name, and begins its span. A client's own id is taken over where it can be
// nothing but one; its trace only where a trusted proxy passes it on, because whoever
// chooses the trace also chooses that it is kept.
func (i *instance) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(telemetry.HeaderRequestID)
		if !telemetry.SaneRequestID(id) {
			id = telemetry.NewRequestID()
		}
		w.Header().Set(telemetry.HeaderRequestID, id)
		ctx := telemetry.WithRequest(r.Context(), id)
		if probes(r.URL.Path) {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		ctx, span := i.tracing.Request(ctx, methodOf(r), i.believedParent(r), telemetry.Text(telemetry.AttrMethod, methodOf(r)))
		if !span.Traced() && !i.log.Enabled(ctx, slog.LevelDebug) {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		began := time.Now()
		answer := &coded{ResponseWriter: w}
		whole := false
		defer func() {
			code, failed := max(answer.code, http.StatusOK), ""
			if code >= http.StatusInternalServerError {
				failed = http.StatusText(code)
			}
			if !whole {
				failed = "broken off"
			}
			span.Set(telemetry.Number(telemetry.AttrStatus, code))
			i.log.DebugContext(ctx, "request answered", "method", methodOf(r), "status", code, "took", time.Since(began).Round(time.Microsecond))
			span.End(failed)
		}()
		next.ServeHTTP(answer, r.WithContext(ctx))
		whole = true
	})
}

// probes are asked every few seconds and say nothing in a trace.
func probes(path string) bool {
	return path == "/metrics" || path == "/healthz" || path == "/readyz"
}

// believedParent is the traceparent of a request that came from a trusted proxy.
func (i *instance) believedParent(r *http.Request) string {
	parent := r.Header.Get("Traceparent")
	s := i.hub.Snapshot()
	if parent == "" || s == nil {
		return ""
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !within(s.Doc.TrustedProxies, peer.Addr()) {
		return ""
	}
	return parent
}

// routed gives the span of a request the name of its route, which is from a short list
// whatever was asked for.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if span := telemetry.Current(r.Context()); span.Traced() {
			if name := routeName(r); name != "" {
				span.Name(methodOf(r) + " " + name)
				span.Set(telemetry.Text(telemetry.AttrRoute, name))
				if resource, ok := strings.CutPrefix(name, scimPath+"/"); ok {
					resource, _, _ = strings.Cut(resource, "/")
					span.Set(telemetry.Text(telemetry.AttrResource, resource))
				}
			}
		}
		next.ServeHTTP(w, r.WithContext(telemetry.WithRoute(r.Context(), func() string { return routeName(r) })))
	})
}

// routeName is the template of a route, its variables without their patterns.
func routeName(r *http.Request) string {
	route := mux.CurrentRoute(r)
	if route == nil {
		return ""
	}
	template, err := route.GetPathTemplate()
	if err != nil || template == "" {
		return ""
	}
	var b strings.Builder
	depth, skip := 0, false
	for _, c := range template {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
			if depth == 0 {
				skip = false
			}
		case c == ':' && depth == 1:
			skip = true
		}
		if !skip && (depth <= 1) {
			b.WriteRune(c)
		}
	}
	name := strings.NewReplacer("{slash}", "", "{rest}", "").Replace(b.String())
	if target, ok := strings.CutPrefix(name, proxy.Prefix); ok && target == "" {
		return proxy.Prefix + "{target}"
	}
	return name
}

// sourced says in the span of a request which source sent it.
func sourced(auth scimserver.Authenticator) scimserver.Authenticator {
	return func(r *http.Request) (scimserver.Client, error) {
		client, err := auth(r)
		if client.Source != "" {
			telemetry.Current(r.Context()).Set(telemetry.Text(telemetry.AttrSource, client.Source))
		}
		return client, err
	}
}

// trace puts the tracing of a configuration in force. What cannot be traced to is said
// and stops nothing.
func (i *instance) trace(ctx context.Context, snap *hub.Snapshot) {
	s, err := tracingSettings(snap.Doc.Tracing)
	if err == nil {
		s.Replica = i.worker.Holder
		err = i.tracing.Configure(ctx, s)
	}
	if err != nil {
		i.log.WarnContext(ctx, "traces cannot be sent", "error", err)
	}
}

// tracingSettings reads the secrets among the headers.
func tracingSettings(c config.Tracing) (telemetry.Settings, error) {
	s := telemetry.Settings{URL: c.OTLP, Sample: c.Sample, Service: c.Service, Version: version}
	for name, secret := range c.Headers {
		v, err := secret.Reveal()
		if err != nil {
			return telemetry.Settings{}, model.Fail(model.Invalid, config.Join("tracing", "headers", name)+": "+err.Error(), nil)
		}
		if s.Headers == nil {
			s.Headers = map[string]string{}
		}
		s.Headers[name] = v
	}
	return s, nil
}

// logTo makes the program's log: text for people, JSON for programs.
func logTo(h slog.Handler) *slog.Logger { return slog.New(telemetry.Logs(h)) }
