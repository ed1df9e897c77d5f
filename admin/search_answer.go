package admin

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// What a search takes, and how many targets, roles and groups it shows beside people.
const (
	searchMost   = 200 // characters
	searchThings = 5
	unindexedMax = 100_000 // beyond which nobody counts
)

// search finds people, and on the first page targets, roles and groups.
func (a *API) search(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	text := strings.TrimSpace(q.Get("q"))
	if store.SearchForm(text) == "" || utf8.RuneCountInString(text) > searchMost {
		return nil, model.Fail(model.Invalid, "q must say what to look for: 1 to 200 characters", nil)
	}
	cursor, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return nil, err
	}
	found, next, err := a.Hub.Store.People(r.Context(), store.PeopleFilter{Text: text, After: cursor, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := SearchAnswer{Items: []SearchHit{}, Next: base64.RawURLEncoding.EncodeToString([]byte(next)), Targets: []SearchThing{}, Roles: []SearchThing{}, Groups: []SearchThing{}}
	for _, f := range found {
		hit := SearchHit{ID: f.ID, UserName: f.Name, Stage: f.Stage, Matched: f.Matched}
		hit.Name, hit.Email, _, hit.Department = spoken(f.User)
		out.Items = append(out.Items, hit)
	}
	if out.Indexing, err = a.Hub.Store.Unindexed(r.Context(), unindexedMax); err != nil || cursor != "" {
		return out, err
	}
	return out, a.searchThings(r, text, &out)
}

// searchThings adds the targets, roles and groups whose names a text is in, or begins.
func (a *API) searchThings(r *http.Request, text string, out *SearchAnswer) error {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil
	}
	form := store.SearchForm(text)
	fits := func(name string) bool { return strings.Contains(store.SearchForm(name), form) }
	var targets []string
	for _, t := range snap.Doc.Targets {
		targets = append(targets, t.Name)
		if fits(t.Name) && len(out.Targets) < searchThings {
			out.Targets = append(out.Targets, SearchThing{Name: t.Name})
		}
	}
	for _, role := range snap.Doc.Roles {
		if fits(role.Name) && len(out.Roles) < searchThings {
			out.Roles = append(out.Roles, SearchThing{Name: role.Name})
		}
	}
	sources, atTargets, err := a.Hub.Store.GroupsNamed(r.Context(), text, targets, searchThings)
	for _, g := range atTargets {
		out.Groups = append(out.Groups, SearchThing{Target: g[0], Name: g[1]})
	}
	for _, g := range sources {
		out.Groups = append(out.Groups, SearchThing{Source: g[0], Name: g[1]})
	}
	return err
}

// identities lists people: GET /identities?q=&stage=&role=&target=&department=&manager=.
func (a *API) identities(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	cursor, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return nil, err
	}
	f := store.PeopleFilter{Text: q.Get("q"), Stage: model.Stage(q.Get("stage")), Role: q.Get("role"), Target: q.Get("target"),
		Department: q.Get("department"), After: cursor, Limit: limit}
	stages := []model.Stage{"", model.Prehire, model.Active, model.Leave, model.Leaver, model.Purged}
	if !slices.Contains(stages, f.Stage) {
		return nil, model.Fail(model.Invalid, "stage must be prehire, active, leave, leaver or purged", nil)
	}
	if name := q.Get("manager"); name != "" {
		err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
			row, err := tx.FindIdentity(name)
			f.Manager = row.ID
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	rows, next, err := a.Hub.Store.People(r.Context(), f)
	if err != nil {
		return nil, err
	}
	views := make([]IdentityView, len(rows))
	for i, row := range rows {
		views[i] = viewIdentity(row.IdentityRow)
		views[i].Name, views[i].Email, views[i].Title, views[i].Department = spoken(row.User)
	}
	return list(views, base64.RawURLEncoding.EncodeToString([]byte(next))), nil
}
