package admin

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// sweepsPage is the address of the page of what sweeps found.
const sweepsPage = "/drift"

// driftView is what the page of drift shows.
type driftView struct {
	Style       template.CSS
	Targets     []driftTarget
	Shown       *SweepAnswer // one application's differences; nil: none is chosen
	Rows        []driftRow   // of Shown
	Kind        string
	All         string // address of the shown application with all kinds
	First       bool
	Start, Next string
	Version     int64
	Now         time.Time
}

// driftTarget is a line of the overview.
type driftTarget struct {
	SweepAnswer
	Link  string
	Links []driftLink
}

// driftRow is one difference, in words.
type driftRow struct {
	store.Finding
	Changes []string
}

func driftRows(found []store.Finding) []driftRow {
	rows := make([]driftRow, len(found))
	for i, f := range found {
		rows[i].Finding = f
		for _, d := range f.Fields {
			rows[i].Changes = append(rows[i].Changes, d.Path+": "+shownValue(d.Before)+" → "+shownValue(d.After))
		}
	}
	return rows
}

// shownValue is a value of an attribute, shortened.
func shownValue(v any) string {
	const most = 120
	if v == nil {
		return "–"
	}
	text := []rune(fmt.Sprint(v))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

type driftLink struct {
	Kind  string
	Count int
	Since time.Time
	Link  string
}

// mountDrift adds the page of drift.
func (a *API) mountDrift(r *mux.Router, p *pages) {
	t, err := template.ParseFS(pageFiles, "page/drift.html")
	if err != nil { // the file is part of the program
		a.Log.Error("the page of drift cannot be shown", "error", err)
		return
	}
	r.Path(sweepsPage).Methods(http.MethodGet, http.MethodHead).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", p.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		v, err := a.driftView(r)
		var out bytes.Buffer
		if err == nil {
			v.Style = p.style
			err = t.Execute(&out, v)
		}
		if err != nil {
			a.pageProblem(w, r, err)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(out.Bytes())
	})
}

func (a *API) driftView(r *http.Request) (v driftView, err error) {
	caller, err := a.Tokens.caller(withBearer(r))
	if err == nil {
		err = caller.May(rightRead)
	}
	if err != nil {
		a.refused(r, route{path: sweepsPage}, caller, err)
		return v, err
	}
	if r, err = readable(r); err != nil {
		return v, err
	}
	q := r.URL.Query()
	target := q.Get("target")
	v = driftView{Kind: q.Get("kind"), First: q.Get("cursor") == "", Now: a.now(), All: driftAddress(target, "", "")}
	v.Start = driftAddress(target, v.Kind, "")
	snap := a.Hub.Snapshot()
	if snap == nil {
		return v, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	v.Version = snap.Version
	all, err := a.sweeps(r.Context(), snap.Doc.Targets)
	if err != nil {
		return v, err
	}
	for _, one := range all {
		line := driftTarget{SweepAnswer: one, Link: driftAddress(one.Target, "", "")}
		for _, c := range one.Kinds {
			line.Links = append(line.Links, driftLink{c.Kind, c.Count, c.Since, driftAddress(one.Target, c.Kind, "")})
		}
		v.Targets = append(v.Targets, line)
	}
	if target == "" {
		return v, nil
	}
	t, ok := snap.Doc.Target(target)
	if !ok {
		return v, model.Fail(model.NotFound, "there is no target "+target, nil)
	}
	shown, err := a.sweepOf(r.Context(), t, v.Kind, q.Get("cursor"), pageRows)
	if shown.Cursor != "" {
		v.Next = driftAddress(target, v.Kind, shown.Cursor)
	}
	v.Shown, v.Rows = &shown, driftRows(shown.Items)
	return v, err
}

func driftAddress(target, kind, cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"target": target, "kind": kind, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return sweepsPage
	}
	return sweepsPage + "?" + q.Encode()
}
