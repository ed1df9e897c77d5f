package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
)

// findingsPage is the address of the page of findings.
const findingsPage = "/findings"

// pageRows is how many findings a page shows.
const pageRows = 100

//go:embed page
var pageFiles embed.FS

// pages is what pages are made of.
type pages struct {
	findings *template.Template
	leavers  *template.Template
	style    template.CSS
	policy   string // Content-Security-Policy: nothing but the one style sheet
}

func loadPages() (*pages, error) {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	t, err := template.ParseFS(pageFiles, "page/findings.html")
	if err != nil {
		return nil, err
	}
	leavers, err := template.ParseFS(pageFiles, "page/leavers.html")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	return &pages{findings: t, leavers: leavers, style: template.CSS(style), //nolint:gosec // the program's own file
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}

// MountPages adds what operators look at with a browser. It stands beside the API,
// whose tokens open it: as the password of HTTP Basic, with any user name.
func (a *API) MountPages(r *mux.Router) {
	p, err := loadPages()
	if err != nil { // the files are part of the program
		a.Log.Error("pages cannot be shown", "error", err)
		return
	}
	r.Path(findingsPage).Methods(http.MethodGet, http.MethodHead).HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.findingsHTML(w, r, p) })
	a.mountDrift(r, p)
	r.Path(leaversPage).Methods(http.MethodGet, http.MethodHead).HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.leaversHTML(w, r, p) })
}

// findingsView is what the page of findings shows.
type findingsView struct {
	Style        template.CSS
	Totals       []totalView
	Findings     []FindingView
	Source, Kind string // shown alone; empty: all
	Filtered     bool
	First        bool   // this is the first page
	Start, Next  string // addresses; empty: none
	Version      int64
	Now          time.Time
}

type totalView struct {
	FindingTotal
	Link, SourceLink string
}

func (a *API) findingsHTML(w http.ResponseWriter, r *http.Request, p *pages) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	v, err := a.findingsView(r)
	var out bytes.Buffer
	if err == nil {
		v.Style = p.style
		err = p.findings.Execute(&out, v)
	}
	if err != nil {
		a.pageProblem(w, r, err)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes())
}

func (a *API) findingsView(r *http.Request) (v findingsView, err error) {
	caller, err := a.Tokens.caller(withBearer(r))
	if err == nil {
		err = caller.May(rightRead)
	}
	if err != nil {
		a.refused(r, route{path: findingsPage}, caller, err)
		return v, err
	}
	if r, err = readable(r); err != nil {
		return v, err
	}
	q := r.URL.Query()
	v = findingsView{Source: q.Get("source"), Kind: q.Get("kind"), First: q.Get("cursor") == "", Now: a.now()}
	v.Filtered, v.Start = v.Source != "" || v.Kind != "", findingsAddress(v.Source, v.Kind, "")
	if snap := a.Hub.Snapshot(); snap != nil {
		v.Version = snap.Version
	}
	totals, err := a.findingTotals(r.Context())
	if err != nil {
		return v, err
	}
	for _, t := range totals {
		v.Totals = append(v.Totals, totalView{t, findingsAddress(t.Source, t.Kind, ""), findingsAddress(t.Source, "", "")})
	}
	var next string
	v.Findings, next, err = a.findingPage(r.Context(), findingQuery{kind: v.Kind, source: v.Source, cursor: q.Get("cursor"), limit: pageRows})
	if next != "" {
		v.Next = findingsAddress(v.Source, v.Kind, next)
	}
	return v, err
}

func findingsAddress(source, kind, cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"source": source, "kind": kind, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return findingsPage
	}
	return findingsPage + "?" + q.Encode()
}

// withBearer is the request with the password of HTTP Basic as its bearer token.
func withBearer(r *http.Request) *http.Request {
	_, password, ok := r.BasicAuth()
	if !ok {
		return r
	}
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+password)
	return out
}

// pageProblem answers a browser, as problemAnswer does a program.
func (a *API) pageProblem(w http.ResponseWriter, r *http.Request, err error) {
	code := model.CodeOf(err)
	status, text := statuses[code], "internal error: the log says more"
	if e, ok := errors.AsType[*model.Error](err); ok {
		text = e.Message
	}
	switch code {
	case model.Internal:
		a.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	case model.Unauthorized, model.Forbidden:
		a.Log.Log(r.Context(), slog.LevelWarn, "refused", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if e, ok := errors.AsType[*slowedError](err); ok {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.wait.Seconds()))))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="scimhub: any user name, an API token as password", charset="UTF-8"`)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
