package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// SourceView is a source as operators see it.
type SourceView struct {
	Name      string         `json:"name"`
	Dialect   string         `json:"dialect"`
	Resources map[string]int `json:"resources"` // by resource type
	// Deviations is what it sends that only its dialect lets pass, the most frequent
	// first.
	Deviations []DeviationView `json:"deviations"`
	Held       *HeldLeavers    `json:"held,omitempty"` // absent: nobody is held
	// LastSeen is its last request or import, to the minute; absent: none yet.
	LastSeen    *time.Time `json:"last_seen,omitempty"`
	SilentSince *time.Time `json:"silent_since,omitempty"` // absent: it is not
}

// DeviationView is one kind of deviation.
type DeviationView struct {
	Name    string    `json:"name"`
	Meaning string    `json:"meaning"`
	Count   int64     `json:"count"`
	Last    time.Time `json:"last"`
}

func (a *API) sources(r *http.Request, _ Caller) (any, error) {
	out := []SourceView{}
	shown, next, err := pageOf(r, a.Hub.Snapshot().Doc.Sources, func(s config.Source) string { return s.Name })
	if err != nil {
		return nil, err
	}
	for _, s := range shown {
		v, err := a.viewSource(r.Context(), s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return list(out, next), nil
}

func (a *API) source(r *http.Request, _ Caller) (any, error) {
	name := mux.Vars(r)["source"]
	s, ok := a.Hub.Snapshot().Doc.Source(name)
	if !ok {
		return nil, model.Fail(model.NotFound, "there is no source "+name, nil)
	}
	return a.viewSource(r.Context(), s)
}

func (a *API) viewSource(ctx context.Context, s config.Source) (SourceView, error) {
	v := SourceView{Name: s.Name, Dialect: s.Dialect, Deviations: []DeviationView{}}
	var err error
	if v.Resources, err = a.Hub.Store.ResourceCounts(ctx, s.Name); err != nil {
		return v, err
	}
	states, err := a.Hub.Store.SourceStates(ctx)
	if err != nil {
		return v, err
	}
	v.LastSeen, v.SilentSince = states[s.Name].LastSeen, states[s.Name].SilentSince
	if v.Held, err = a.heldLeavers(ctx, s.Name); err != nil {
		return v, err
	}
	seen, err := a.Hub.Store.Deviations(ctx, s.Name)
	if err != nil {
		return v, err
	}
	meanings := map[string]string{}
	for _, f := range scim.Flags() {
		meanings[f.Name] = f.Meaning
	}
	for _, d := range seen {
		v.Deviations = append(v.Deviations, DeviationView{Name: d.Name, Meaning: meanings[d.Name], Count: d.N, Last: d.LastAt})
	}
	return v, nil
}
