package admin

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
)

// HeldPage is the plan that waits at a target for a person, page by page. Whatever page
// is shown, the digest is that of the whole plan.
type HeldPage struct {
	Digest   string         `json:"digest,omitempty"` // empty: nothing is held
	Accounts int            `json:"accounts"`         // that it is about; a group counts as one
	Total    int            `json:"total"`            // changes
	Verbs    []VerbCount    `json:"verbs"`            // by what they do, in the order in which they are carried out
	Reasons  []string       `json:"reasons"`          // why they are held, each once, at most ten
	Items    []model.Change `json:"items"`
	Next     string         `json:"next,omitempty"`
}

// VerbCount is how many changes do one thing, and how many of them cannot be undone.
type VerbCount struct {
	Verb  model.Verb `json:"verb"`
	Count int        `json:"count"`
	Never int        `json:"irreversible,omitempty"`
}

// maxReasons is how many reasons for being held are shown.
const maxReasons = 10

// heldPage shows the plan that waits at a target: GET /targets/{target}/held.
func (a *API) heldPage(r *http.Request, _ Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	from := 0
	if text := r.URL.Query().Get("cursor"); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from < 0 {
			return nil, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
	}
	plan, err := a.heldPlan(r.Context(), t)
	if err != nil {
		return nil, err
	}
	return pageOfHeld(plan, from, limit), nil
}

func pageOfHeld(plan model.Plan, from, limit int) HeldPage {
	out := HeldPage{Accounts: accountsIn(plan), Total: len(plan.Changes), Verbs: []VerbCount{}, Reasons: []string{}, Items: []model.Change{}}
	if out.Total == 0 {
		return out
	}
	out.Digest = fanout.PlanDigest(plan)
	for _, c := range plan.Changes {
		i := slices.IndexFunc(out.Verbs, func(v VerbCount) bool { return v.Verb == c.Verb })
		if i < 0 {
			i, out.Verbs = len(out.Verbs), append(out.Verbs, VerbCount{Verb: c.Verb})
		}
		out.Verbs[i].Count++
		if c.Undo == model.UndoNever {
			out.Verbs[i].Never++
		}
		if len(out.Reasons) < maxReasons && c.Held != "" && !slices.Contains(out.Reasons, c.Held) {
			out.Reasons = append(out.Reasons, c.Held)
		}
	}
	from = min(from, out.Total)
	to := min(from+limit, out.Total)
	out.Items = append(out.Items, plan.Changes[from:to]...)
	if to < out.Total {
		out.Next = strconv.Itoa(to)
	}
	return out
}
