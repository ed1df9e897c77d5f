package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// What an overview looks at.
const (
	maxGlance     = 1000 // beyond which nothing is counted
	glanceHours   = 48
	glanceLeavers = 7 * 24 * time.Hour
	glanceNewest  = 20
)

func (a *API) overview(r *http.Request, by Caller) (any, error) {
	ctx := r.Context()
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	counts, err := a.Hub.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	out := Overview{At: a.now(), Version: snap.Version, People: counts.People, Targets: []TargetCard{}, CountedAt: counts.At}
	n := &needs{now: out.At}
	since := out.At.Truncate(time.Hour).Add(-(glanceHours - 1) * time.Hour)
	for _, t := range snap.Doc.Targets {
		card, st, glance, err := a.card(ctx, t, counts.Accounts[t.Name], since)
		if err != nil {
			return nil, err
		}
		n.target(card, st, glance)
		out.Targets = append(out.Targets, card)
	}
	if err := a.hubNeeds(ctx, by, n); err != nil {
		return nil, err
	}
	out.Needs = n.sorted()
	if out.Leavers, err = a.leaverGlance(ctx); err != nil {
		return nil, err
	}
	waiting, err := a.Hub.Store.MarksWaiting(ctx, maxGlance)
	out.Waiting = waiting.N
	return out, err
}

// hubNeeds gathers what is of no single target.
func (a *API) hubNeeds(ctx context.Context, by Caller, n *needs) error {
	tallies, err := a.Hub.Store.Tallies(ctx, maxGlance)
	if err != nil {
		return err
	}
	n.tallied(tallies)
	mine, err := a.Hub.Mine(ctx, by.who(), maxGlance/10)
	if err != nil {
		return err
	}
	n.own(mine)
	if err := a.sourceNeeds(ctx, n); err != nil {
		return err
	}
	for _, t := range a.Hub.Snapshot().Doc.Admin.Tokens {
		n.expires("API token "+t.Name, "/settings/tokens", "/config", t.Expires)
	}
	return a.auditNeeds(ctx, n)
}

func (a *API) leaverGlance(ctx context.Context) (out LeaverGlance, err error) {
	since := a.now().Add(-glanceLeavers)
	numbers, err := a.leaverNumbers(ctx, since)
	if err != nil {
		return out, err
	}
	out = LeaverGlance{Since: since, AtRisk: numbers.AtRisk, All: numbers.All, Targets: numbers.Targets}
	out.Newest, _, err = a.leaverPage(ctx, store.LeaverFilter{Kind: model.RunLeaver, Since: since, Limit: glanceNewest})
	if out.Newest == nil {
		out.Newest = []LeaverView{}
	}
	return out, err
}
