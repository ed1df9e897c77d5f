package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
)

// apiPath is where the operators' API is.
const apiPath = "/api/v1/"

// fronts count the requests of the API and the console; those of SCIM and of the proxy
// have metrics of their own, which know sources and targets.
type fronts struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	open     *prometheus.GaugeVec
}

func newFronts() fronts {
	return fronts{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_api_requests_total",
			Help: "Requests of the API and the console by front (api, console), resource (of the API the first word of the path, else other), method and HTTP status."}, []string{"front", "resource", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scimhub_api_request_seconds",
			Help: "Seconds that requests of the API and the console took; pages that listen for changes do not count.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}, []string{"front"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scimhub_http_requests_open",
			Help: "Requests being served at the moment by front: scim, proxy, api, console; pages that listen for changes included."}, []string{"front"}),
	}
}

// counted counts the requests that a router serves.
func (f fronts) counted(root *mux.Router) http.Handler {
	resources := map[string]bool{}
	_ = root.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, _ := route.GetPathTemplate()
		if rest, ok := strings.CutPrefix(path, apiPath); ok {
			first, _, _ := strings.Cut(rest, "/")
			resources[first] = true
		}
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		front, resource := frontOf(r.URL.Path, resources)
		if front == "" {
			root.ServeHTTP(w, r)
			return
		}
		open := f.open.WithLabelValues(front)
		open.Inc()
		defer open.Dec()
		if resource == "" {
			root.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		answer := &coded{ResponseWriter: w}
		root.ServeHTTP(answer, r)
		f.requests.WithLabelValues(front, resource, methodOf(r), strconv.Itoa(max(answer.code, http.StatusOK))).Inc()
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			f.seconds.WithLabelValues(front).Observe(time.Since(began).Seconds())
		}
	})
}

// frontOf says which front an address belongs to, and for those counted here the
// resource; both come from a short list, whatever the client sent.
func frontOf(path string, resources map[string]bool) (front, resource string) {
	switch {
	case strings.HasPrefix(path, "/scim"):
		return "scim", ""
	case strings.HasPrefix(path, "/proxy/"):
		return "proxy", ""
	case path == "/metrics", path == "/healthz", path == "/readyz":
		return "", ""
	case strings.HasPrefix(path, "/api/"):
		rest, _ := strings.CutPrefix(path, apiPath)
		if resource, _, _ = strings.Cut(rest, "/"); !resources[resource] {
			resource = "other"
		}
		return "api", resource
	}
	return "console", "other"
}

func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// coded notes the status of an answer.
type coded struct {
	http.ResponseWriter
	code int // 0: nothing was written yet
}

// WriteHeader notes the first status that is one of an answer.
func (c *coded) WriteHeader(code int) {
	if c.code == 0 && code >= http.StatusOK {
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (c *coded) Unwrap() http.ResponseWriter { return c.ResponseWriter }
