package hub

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// scopeWords is a scope in words.
func scopeWords(tx *store.Tx, s model.ReviewScope) (string, error) {
	people, err := tx.People(slices.DeleteFunc(append(slices.Clone(s.People), s.Manager), func(id string) bool { return id == "" }))
	if err != nil {
		return "", err
	}
	var parts []string
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(s.Role != "", "role %s", s.Role)
	switch {
	case s.Orphans:
		add(true, "accounts at %s that are nobody's", s.Target)
	case s.Group != "":
		add(true, "group %s at %s", s.Group, s.Target)
	default:
		add(s.Target != "", "access to %s", s.Target)
	}
	add(s.Risk != "", "roles of %s risk", s.Risk)
	add(s.Manager != "", "reports of %s", cmp.Or(people[s.Manager].Name, s.Manager))
	if n := len(s.People); n > 0 {
		name := cmp.Or(people[s.People[0]].Name, s.People[0])
		if n > 1 {
			name = fmt.Sprintf("%s and %d more", name, n-1)
		}
		add(true, "access of %s", name)
	}
	add(s.Exceptions, "people with exceptions to conflicts")
	if s.MovedSince != nil {
		add(true, "people who moved since %s", s.MovedSince.UTC().Format(time.DateOnly))
	}
	add(s.UnusedFor > 0, "not used for %s", words(s.UnusedFor))
	return strings.Join(parts, ", "), nil
}

// viewCampaigns shows campaigns; keys are as whom the caller can decide, nil: they cannot.
func viewCampaigns(tx *store.Tx, snap *Snapshot, list []model.Campaign, keys []string) ([]ReviewView, error) {
	counts, err := tx.ReviewCounts(names(list, func(c model.Campaign) string { return c.ID }))
	if err != nil {
		return nil, err
	}
	out := make([]ReviewView, len(list))
	for i, c := range list {
		if out[i], err = oneCampaign(tx, snap, c, counts[c.ID]); err != nil {
			return nil, err
		}
		if len(keys) > 0 {
			if out[i].Waiting, err = tx.ReviewWaitingFor(c.ID, keys); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func viewCampaign(tx *store.Tx, snap *Snapshot, c model.Campaign, keys []string) (ReviewView, error) {
	views, err := viewCampaigns(tx, snap, []model.Campaign{c}, keys)
	if err != nil {
		return ReviewView{}, err
	}
	return views[0], nil
}

func oneCampaign(tx *store.Tx, snap *Snapshot, c model.Campaign, n map[string]int64) (v ReviewView, err error) {
	v = ReviewView{ID: c.ID, Name: c.Name, State: c.State, Origin: c.Origin, Schedule: c.Schedule, Stage: c.Stage, By: c.By, Why: c.Why, Created: c.Created, Due: c.Due,
		Closed: c.Closed, ClosedBy: c.ClosedBy, Escalate: c.Escalate, Undecided: c.Undecided, Digest: c.Digest, Version: c.Version, BulkKeeps: snap.Doc.Reviews.BulkKeeps,
		Overdue: c.State != model.CampaignClosed && tx.Now.After(c.Due), Remind: config.FormatDuration(c.Remind), After: config.FormatDuration(c.After)}
	if v.About, err = scopeWords(tx, c.Scope); err != nil {
		return v, err
	}
	if v.Scope, err = viewScope(tx, c.Scope); err != nil {
		return v, err
	}
	for _, s := range c.Stages {
		v.Stages = append(v.Stages, ReviewStageView{Reviewers: s.Reviewers, Within: config.FormatDuration(s.Within), Opened: s.Opened, Closed: s.Closed})
	}
	v.Counts = reviewCounts(n)
	return v, nil
}

func reviewCounts(n map[string]int64) ReviewCounts {
	c := ReviewCounts{Pending: n[string(model.ItemPending)], Decided: n[string(model.ItemDecided)], Kept: n[string(model.ItemKept)], Ending: n[string(model.ItemEnding)],
		Revoking: n[string(model.ItemRevoking)], Evaluated: n[string(model.ItemEvaluated)], Revoked: n[string(model.ItemRevoked)], Gone: n[string(model.ItemGone)],
		Undecided: n[string(model.ItemUndecided)], Nobody: n["nobody"]}
	c.Items = c.Pending + c.Decided + c.Kept + c.Ending + c.Revoking + c.Evaluated + c.Revoked + c.Gone + c.Undecided
	return c
}

// peopleShown is how many people of a scope are named.
const peopleShown = 20

func viewScope(tx *store.Tx, s model.ReviewScope) (ReviewScopeView, error) {
	v := ReviewScopeView{Role: s.Role, Target: s.Target, Group: s.Group, Risk: s.Risk, Exceptions: s.Exceptions, MovedSince: s.MovedSince, Unused: config.FormatDuration(s.UnusedFor), Orphans: s.Orphans}
	shown := s.People[:min(len(s.People), peopleShown)]
	people, err := tx.People(append(slices.Clone(shown), s.Manager))
	if err != nil {
		return v, err
	}
	if s.Manager != "" {
		v.Manager = cmp.Or(people[s.Manager].Name, s.Manager)
	}
	for _, id := range shown {
		v.People = append(v.People, cmp.Or(people[id].Name, id))
	}
	return v, nil
}
