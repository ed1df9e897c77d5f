package admin

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// longBacklog is how many people have to be marked to be told of as work under way.
const longBacklog = 100

// progress lists everything long that is under way: GET /progress.
func (a *API) progress(r *http.Request, _ Caller) (any, error) {
	work, err := a.underWay(r.Context())
	return list(work, ""), err
}

func (a *API) underWay(ctx context.Context) (out []Work, err error) {
	if out, err = a.targetWork(ctx); err != nil {
		return nil, err
	}
	now := a.now()
	sweep, ok, err := a.Hub.Store.ConfigSweep(ctx)
	if err != nil {
		return nil, err
	}
	if ok {
		since := sweep.Started
		w := Work{Kind: "configuration", Subject: strconv.FormatInt(sweep.Version, 10), Since: &since, Done: sweep.Done, Total: sweep.Total,
			Text: fmt.Sprintf("everybody is looked at under configuration %d", sweep.Version)}
		out = append(out, w.expected(now))
	}
	marked, err := a.Hub.Store.MarksWaiting(ctx, unindexedMax)
	if err != nil {
		return nil, err
	}
	if marked.N >= longBacklog {
		out = append(out, Work{Kind: "evaluation", Since: marked.Oldest, Total: 0, Text: counted(marked, "person waits", "people wait") + " to be evaluated"})
	}
	unindexed, err := a.Hub.Store.Unindexed(ctx, unindexedMax)
	if err != nil {
		return nil, err
	}
	if unindexed >= longBacklog {
		out = append(out, Work{Kind: "search", Text: counted(store.Tally{N: unindexed, More: unindexed == unindexedMax}, "person is", "people are") + " not found by words yet"})
	}
	reviews, err := a.reviewWork(ctx)
	if err != nil {
		return nil, err
	}
	pruning, err := a.pruningWork(ctx, now)
	if err != nil {
		return nil, err
	}
	return append(append(append(out, reviews...), pruning...), a.long.list()...), nil
}

// pruningWork is what is taken away at the moment because it is older than it is kept.
func (a *API) pruningWork(ctx context.Context, now time.Time) (out []Work, err error) {
	known, err := a.Hub.Store.Pruned(ctx)
	if err != nil {
		return nil, err
	}
	for _, kind := range store.PruneKinds() {
		if p := known[kind]; p.UnderWay(now) {
			out = append(out, Work{Kind: "retention", Subject: kind, Since: &p.Began, Text: fmt.Sprintf("rows of %s that are older than they are kept are taken away, %d so far ever", kind, p.Gone)})
		}
	}
	return out, nil
}

// targetWork is full syncs and sweeps of targets.
func (a *API) targetWork(ctx context.Context) (out []Work, err error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, nil
	}
	for _, t := range snap.Doc.Targets {
		p, err := a.Hub.Store.Progress(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if v := fanout.ShowProgress(p, a.now()); v != nil {
			since := v.Since
			out = append(out, Work{Kind: "sync", Subject: t.Name, Since: &since, Done: v.Done, Total: v.Total, PerSecond: v.PerSecond, ETA: v.ETA,
				Text: fmt.Sprintf("%s: %d of %d accounts", t.Name, v.Done, v.Total)})
		}
		sweep, ok, err := a.Hub.Store.SweepProgress(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			since := sweep.Began
			out = append(out, Work{Kind: "drift", Subject: t.Name, Since: &since, Done: sweep.Checked, Text: fmt.Sprintf("%s: a sweep has read %d accounts", t.Name, sweep.Checked)})
		}
	}
	return out, nil
}

// reviewWork is access reviews whose items are being written or settled.
func (a *API) reviewWork(ctx context.Context) (out []Work, err error) {
	err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		for _, state := range []model.CampaignState{model.CampaignPreparing, model.CampaignMoving, model.CampaignClosing} {
			found, _, err := tx.Campaigns(store.CampaignFilter{State: string(state), Limit: 20})
			if err != nil {
				return err
			}
			for _, c := range found {
				since := c.Created
				out = append(out, Work{Kind: "review", Subject: c.ID, Since: &since, Text: "access review " + c.Name + ": " + string(state)})
			}
		}
		return nil
	})
	return out, err
}

// expected adds the pace and when it ends, if it goes on so.
func (w Work) expected(now time.Time) Work {
	if w.Since == nil || w.Done == 0 || w.Total <= w.Done {
		return w
	}
	elapsed := now.Sub(*w.Since).Seconds()
	if elapsed <= 0 {
		return w
	}
	pace := float64(w.Done) / elapsed
	w.PerSecond = math.Round(pace*10) / 10
	eta := now.Add(time.Duration(float64(w.Total-w.Done) / pace * float64(time.Second))).Truncate(time.Second)
	w.ETA = &eta
	return w
}
