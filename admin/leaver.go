package admin

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// leaverPeriod is the period whose numbers are shown where none is asked for.
const leaverPeriod = 30 * 24 * time.Hour

// LeaverView is one leaver, or one drill, and how far every target is.
type LeaverView struct {
	model.LeaverRun
	Summary  string     `json:"summary"`        // in one line
	Verified bool       `json:"verified"`       // access is verified gone wherever it was
	InGoal   bool       `json:"in_goal"`        // at every target within its goal; false while one is open
	Risk     model.Risk `json:"risk,omitempty"` // of the open targets, the worst
}

// LeaverNumbers say how long it took from the fact to access verified gone.
type LeaverNumbers struct {
	Target string `json:"target,omitempty"` // empty: everywhere
	N      int    `json:"n"`
	Open   int    `json:"open"`
	P50    string `json:"p50,omitempty"` // durations of Go
	P95    string `json:"p95,omitempty"`
	P99    string `json:"p99,omitempty"`
}

// LeaverSummary are the numbers of a period, whoever is open now, and how many people
// have a goal at risk.
type LeaverSummary struct {
	Since   time.Time       `json:"since"`
	AtRisk  int             `json:"at_risk"`
	All     LeaverNumbers   `json:"all"`
	Targets []LeaverNumbers `json:"targets"` // by name
}

func (a *API) leavers(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	f := store.LeaverFilter{Limit: limit, Kind: q.Get("kind")}
	if f.Since, err = sinceOf(q.Get("since")); err != nil {
		return nil, err
	}
	if text := q.Get("open"); text != "" {
		if f.Open, err = strconv.ParseBool(text); err != nil {
			return nil, model.Fail(model.Invalid, "open must be true or false", err)
		}
	}
	if f.Kind != "" && f.Kind != model.RunLeaver && f.Kind != model.RunDrill {
		return nil, model.Fail(model.Invalid, "kind must be leaver or drill", nil)
	}
	if f.After, err = decodeCursor(q.Get("cursor")); err != nil {
		return nil, err
	}
	views, next, err := a.leaverPage(r.Context(), f)
	return list(views, next), err
}

func (a *API) leaverPage(ctx context.Context, f store.LeaverFilter) (views []LeaverView, next string, err error) {
	runs, next, err := a.Hub.Store.LeaverRuns(ctx, f)
	for _, run := range runs {
		views = append(views, a.leaverView(run))
	}
	return views, base64.RawURLEncoding.EncodeToString([]byte(next)), err
}

// sinceOf reads a moment; empty: none.
func sinceOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, model.Fail(model.Invalid, "since must be a moment as in RFC 3339, for example 2027-03-01T00:00:00Z", err)
	}
	return at, nil
}

// leaverView adds what the goals of the configuration in force say.
func (a *API) leaverView(run model.LeaverRun) LeaverView {
	now := a.now()
	if run.Targets == nil {
		run.Targets = []model.LeaverTarget{}
	}
	v := LeaverView{LeaverRun: run, Summary: run.Summary(now), Verified: run.Done(), InGoal: true}
	for _, t := range run.Targets {
		if t.State == model.LeaverNotNeeded {
			continue
		}
		goal := a.goalOf(t.Target)
		if t.VerifiedAt == nil || goal > 0 && t.VerifiedAt.Sub(run.ReceivedAt) > goal {
			v.InGoal = false
		}
		if risk := model.RiskOf(t, run.ReceivedAt, goal, now); risk == model.RiskLate || v.Risk == model.RiskNone {
			v.Risk = risk
		}
	}
	if run.EndedAt != nil {
		v.Risk = model.RiskNone
	}
	return v
}

func (a *API) goalOf(target string) time.Duration {
	if snap := a.Hub.Snapshot(); snap != nil {
		t, _ := snap.Doc.Target(target)
		return t.Leaver.Goal
	}
	return 0
}

// leaver shows the newest run of a person, or the run of that id. With kind only runs
// of leavers, or drills, count.
func (a *API) leaver(r *http.Request, _ Caller) (any, error) {
	kind := r.URL.Query().Get("kind")
	var run model.LeaverRun
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		name := mux.Vars(r)["person"]
		if run, err = tx.LeaverRun(name); model.CodeOf(err) != model.NotFound {
			return err
		}
		row, err := tx.FindIdentity(name)
		if err != nil {
			return err
		}
		var found bool
		if run, found, err = tx.LastLeaverRun(row.ID, kind); err == nil && !found {
			err = model.Fail(model.NotFound, row.Name+" has not left, as far as is known", nil)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.leaverView(run), nil
}

func (a *API) leaverSummary(r *http.Request, _ Caller) (any, error) {
	since, err := sinceOf(r.URL.Query().Get("since"))
	if err != nil {
		return nil, err
	}
	return a.leaverNumbers(r.Context(), since)
}

// leaverNumbers are those since a moment; zero: of the last thirty days.
func (a *API) leaverNumbers(ctx context.Context, since time.Time) (s LeaverSummary, err error) {
	if since.IsZero() {
		since = a.now().Add(-leaverPeriod)
	}
	s = LeaverSummary{Since: since, Targets: []LeaverNumbers{}}
	all, byTarget, err := a.Hub.Store.LeaverQuantiles(ctx, since)
	if err != nil {
		return s, err
	}
	open, atRisk, err := a.Hub.Store.LeaverCounts(ctx)
	if err != nil {
		return s, err
	}
	s.All, s.AtRisk = numbersOf("", all, 0), atRisk
	var names []string
	for name := range byTarget {
		names = append(names, name)
	}
	for name, n := range open {
		if s.All.Open += n; byTarget[name].N == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		s.Targets = append(s.Targets, numbersOf(name, byTarget[name], open[name]))
	}
	return s, nil
}

func inMillis(d time.Duration) string { return d.Round(time.Millisecond).String() }

func numbersOf(target string, q store.Quantiles, open int) LeaverNumbers {
	n := LeaverNumbers{Target: target, N: q.N, Open: open}
	if q.N > 0 {
		n.P50, n.P95, n.P99 = inMillis(q.P50), inMillis(q.P95), inMillis(q.P99)
	}
	return n
}

// startDrill begins a drill with a test person.
func (a *API) startDrill(r *http.Request, by Caller) (any, error) {
	run, err := a.Hub.StartDrill(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["person"])
	if err != nil {
		return nil, err
	}
	return a.leaverView(run), nil
}
