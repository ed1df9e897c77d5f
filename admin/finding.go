package admin

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// FindingView is something wrong with what is known, and who can put it right.
type FindingView struct {
	model.Finding
	UserName string `json:"userName,omitempty"` // empty: of a source as a whole
}

// FindingTotal is how many findings of a kind a source has to put right.
type FindingTotal struct {
	store.FindingCount
	Owner string `json:"owner,omitempty"` // of the source
}

// findingKinds are all kinds there are.
var findingKinds = []string{model.FindingRule, model.FindingMapping, model.FindingDate, model.FindingMissing, model.FindingManager,
	model.FindingNumber, model.FindingMatch, model.FindingConflict, model.FindingApproval, model.FindingSource, model.FindingLastAccess}

// findingQuery is what a page of findings is asked for with.
type findingQuery struct {
	kind, source, person, cursor string
	limit                        int
}

func (a *API) findings(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	views, next, err := a.findingPage(r.Context(), findingQuery{q.Get("kind"), q.Get("source"), q.Get("for"), q.Get("cursor"), limit})
	return list(views, next), err
}

// findingPage reads one page of findings, with the owners of the sources.
func (a *API) findingPage(ctx context.Context, q findingQuery) (views []FindingView, next string, err error) {
	if q.kind != "" && !slices.Contains(findingKinds, q.kind) {
		return nil, "", model.Fail(model.Invalid, "kind: there is no kind "+q.kind+" of findings; there are "+strings.Join(findingKinds, ", "), nil)
	}
	after, err := decodeCursor(q.cursor)
	if err != nil {
		return nil, "", err
	}
	f := store.FindingFilter{Kind: q.kind, Source: q.source, After: after, Limit: q.limit}
	if q.person != "" {
		err := a.Hub.Store.View(ctx, func(tx *store.Tx) error {
			row, err := tx.FindIdentity(q.person)
			f.Identity = row.ID
			return err
		})
		if err != nil {
			return nil, "", err
		}
	}
	found, names, cursor, err := a.Hub.Store.Findings(ctx, f)
	if err != nil {
		return nil, "", err
	}
	for _, f := range found {
		f.Owner = a.sourceOwner(f.Source)
		views = append(views, FindingView{f, names[f.Identity]})
	}
	return views, base64.RawURLEncoding.EncodeToString([]byte(cursor)), nil
}

func (a *API) findingSummary(r *http.Request, _ Caller) (any, error) {
	totals, err := a.findingTotals(r.Context())
	return list(totals, ""), err
}

func (a *API) findingTotals(ctx context.Context) (totals []FindingTotal, err error) {
	counts, err := a.Hub.Store.CountFindings(ctx)
	for _, c := range counts {
		totals = append(totals, FindingTotal{c, a.sourceOwner(c.Source)})
	}
	return totals, err
}

// sourceOwner is who puts the data of a source right, as the configuration says.
func (a *API) sourceOwner(name string) string {
	if snap := a.Hub.Snapshot(); snap != nil {
		s, _ := snap.Doc.Source(name)
		return s.Owner
	}
	return ""
}
