package admin

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// leaversPage is the address of the page of leavers.
const leaversPage = "/leavers"

// How often the page of leavers asks for itself anew, seconds: while somebody's access
// is still to be taken away, and else.
const (
	refreshOpen = 2
	refreshIdle = 15
)

// leaversView is what the page of leavers shows.
type leaversView struct {
	Style       template.CSS
	Refresh     int // seconds; 0: not by itself, for somebody reads further pages
	Summary     LeaverSummary
	Leavers     []LeaverView
	Open        bool // open ones alone
	First       bool // this is the first page
	Start, Next string
	Version     int64
	Now         time.Time
}

func (a *API) leaversHTML(w http.ResponseWriter, r *http.Request, p *pages) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	v, err := a.leaversView(r)
	var out bytes.Buffer
	if err == nil {
		v.Style = p.style
		err = p.leavers.Execute(&out, v)
	}
	if err != nil {
		a.pageProblem(w, r, err)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes())
}

func (a *API) leaversView(r *http.Request) (v leaversView, err error) {
	caller, err := a.Tokens.caller(withBearer(r))
	if err == nil {
		err = caller.May(rightRead)
	}
	if err != nil {
		a.refused(r, route{path: leaversPage}, caller, err)
		return v, err
	}
	if r, err = readable(r); err != nil {
		return v, err
	}
	q := r.URL.Query()
	v = leaversView{Open: q.Get("open") == "true", First: q.Get("cursor") == "", Now: a.now()}
	v.Start = leaversAddress(v.Open, "")
	if snap := a.Hub.Snapshot(); snap != nil {
		v.Version = snap.Version
	}
	after, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return v, err
	}
	if v.Summary, err = a.leaverNumbers(r.Context(), time.Time{}); err != nil {
		return v, err
	}
	var next string
	v.Leavers, next, err = a.leaverPage(r.Context(), store.LeaverFilter{Open: v.Open, After: after, Limit: pageRows})
	if next != "" {
		v.Next = leaversAddress(v.Open, next)
	}
	if v.First {
		v.Refresh = refreshIdle
		if slices.ContainsFunc(v.Leavers, func(l LeaverView) bool { return l.EndedAt == nil }) {
			v.Refresh = refreshOpen
		}
	}
	return v, err
}

func leaversAddress(open bool, cursor string) string {
	q := url.Values{}
	if open {
		q.Set("open", "true")
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return leaversPage
	}
	return leaversPage + "?" + q.Encode()
}
