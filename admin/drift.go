package admin

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// driftKinds are the kinds of drift there are.
var driftKinds = []string{"changed", "membership", "missing", "resurrected", "unknown"}

// SweepAnswer is what the last drift sweep found; At is nil where there was none.
type SweepAnswer struct {
	Target  string     `json:"target"`
	At      *time.Time `json:"at,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Checked int        `json:"checked"` // accounts the application showed
	Known   int        `json:"known"`   // accounts that the hub has there
	Total   int        `json:"total"`   // differences, those beyond the page included

	By      string `json:"by,omitempty"`      // list, or id: account by account, for lists are not to be trusted there
	Unknown string `json:"unknown,omitempty"` // why accounts that are nobody's cannot be seen; empty: they can
	Members string `json:"members,omitempty"` // why memberships cannot be seen; empty: they can
	Refused string `json:"refused,omitempty"` // why nothing was concluded from the sweep; empty: it was

	Next  *time.Time         `json:"next_sweep,omitempty"` // when the next one is due
	Under *SweepUnderWay     `json:"under_way,omitempty"`
	Kinds []store.FoundCount `json:"kinds"`

	Items  []store.Finding `json:"items"`
	Cursor string          `json:"next,omitempty"`
}

// SweepUnderWay is how far a sweep has come that has not ended.
type SweepUnderWay struct {
	Since   time.Time `json:"since"`
	Phase   string    `json:"phase"` // groups, list, absent, conclude
	Checked int       `json:"checked"`
}

// lastSweep shows what the last sweep of a target found, page by page.
func (a *API) lastSweep(r *http.Request, _ Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	limit := mostOnPage
	if r.URL.Query().Get("limit") != "" {
		if limit, err = limitOf(r); err != nil {
			return nil, err
		}
	}
	q := r.URL.Query()
	return a.sweepOf(r.Context(), t, q.Get("kind"), q.Get("cursor"), limit)
}

// targetsOnPage are the targets of the configuration in force that a request asks for,
// and the cursor of the next ones.
func (a *API) targetsOnPage(r *http.Request) (shown []model.Target, next string, err error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, "", model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	return pageOf(r, snap.Doc.Targets, func(t model.Target) string { return t.Name })
}

// driftOverview shows the last sweep of every target, without its differences.
func (a *API) driftOverview(r *http.Request, _ Caller) (any, error) {
	shown, next, err := a.targetsOnPage(r)
	if err != nil {
		return nil, err
	}
	out, err := a.sweeps(r.Context(), shown)
	return list(out, next), err
}

func (a *API) sweeps(ctx context.Context, shown []model.Target) ([]SweepAnswer, error) {
	var out []SweepAnswer
	for _, t := range shown {
		one, err := a.sweepOf(ctx, t, "", "", 0)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// sweepOf reads what the last sweep of a target found, with a page of differences.
func (a *API) sweepOf(ctx context.Context, t model.Target, kind, cursor string, limit int) (SweepAnswer, error) {
	out := SweepAnswer{Target: t.Name, Kinds: []store.FoundCount{}, Items: []store.Finding{}}
	if kind != "" && !slices.Contains(driftKinds, kind) {
		return out, model.Fail(model.Invalid, "kind: there is no kind "+kind+" of drift; there are "+strings.Join(driftKinds, ", "), nil)
	}
	after, err := decodeCursor(cursor)
	if err != nil {
		return out, err
	}
	sweep, ok, err := a.Hub.Store.SweepSummary(ctx, t.Name)
	if err != nil {
		return out, err
	}
	if ok {
		out.At, out.Ended = &sweep.At, &sweep.Ended
		out.Checked, out.Known, out.Total = sweep.Checked, sweep.Known, sweep.Total
		out.By, out.Unknown, out.Members, out.Refused = sweep.By, sweep.Unknown, sweep.Members, sweep.Refused
		if t.Drift.Every > 0 {
			next := sweep.At.Add(t.Drift.Every)
			out.Next = &next
		}
	}
	p, under, err := a.Hub.Store.SweepProgress(ctx, t.Name)
	if err != nil {
		return out, err
	}
	if under {
		out.Under = &SweepUnderWay{p.Began, p.Phase, p.Checked}
	}
	counts, err := a.Hub.Store.CountFound(ctx, t.Name, nil)
	if err != nil {
		return out, err
	}
	out.Kinds = append(out.Kinds, counts...)
	if limit == 0 {
		return out, nil
	}
	found, next, err := a.Hub.Store.Found(ctx, store.FoundFilter{Target: t.Name, Kind: kind, After: after, Limit: limit})
	for _, f := range found {
		f.Needed = fanout.SightingsNeeded(t, f)
		f.Follows = followsText(f, out.Next)
		out.Items = append(out.Items, f)
	}
	out.Cursor = base64.RawURLEncoding.EncodeToString([]byte(next))
	return out, err
}

// followsText says what follows from a difference, and when.
func followsText(f store.Finding, next *time.Time) string {
	switch {
	case f.Action == "report" || f.Action == "":
		return "it is reported, nothing follows"
	case f.Done != nil:
		return f.Action + ": begun " + f.Done.UTC().Format(time.RFC3339)
	case f.Action == "adopt":
		return "it is taken as it is"
	case f.Sightings < f.Needed:
		text := fmt.Sprintf("%s once it was seen %d times in a row; this was sighting %d of %d", f.Action, f.Needed, f.Sightings, f.Needed)
		if next != nil {
			text += "; next sweep " + next.UTC().Format(time.RFC3339)
		}
		return text
	}
	return f.Action + " with the next work at this application"
}
