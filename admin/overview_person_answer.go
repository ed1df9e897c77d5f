package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// viewTimeline is how much of a timeline stands on the page of a person.
const viewTimeline = 20

// personView is everything that is known of one person, for one page.
func (a *API) personView(r *http.Request, by Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	var out PersonView
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(mux.Vars(r)["person"])
		if err != nil {
			return err
		}
		m, err := a.presentNow(tx, row)
		if err != nil {
			return err
		}
		out = a.newPersonView(m)
		if err := a.personFacts(tx, snap, row, &out); err != nil {
			return err
		}
		if err := m.fillRoles(tx, &out); err != nil {
			return err
		}
		return a.personOpen(tx, row.ID, &out)
	})
	if err != nil {
		return nil, err
	}
	return out, a.personWork(r.Context(), by, &out)
}

func (a *API) newPersonView(m momentOf) PersonView {
	row, d := m.row, m.doc
	v := PersonView{ID: row.ID, UserName: row.Name, Stage: row.Stage, ErasedAt: row.ErasedAt,
		Dates: PersonDates{Starts: d.StartsAt, Ends: row.EndsAt, LeaveFrom: d.LeaveFrom, LeaveUntil: d.LeaveUntil, LeftAt: row.LeftAt, Next: row.NextAt,
			Held: row.OverGuard, Created: row.CreatedAt, Evaluated: row.EvaluatedAt},
		Facts: []FactView{}, Resources: []ResourceView{}, Groups: []model.Membership{}, Roles: []RoleHeld{}, Requests: []hub.RequestView{},
		Exceptions: []ExceptionView{}, Accounts: []PersonAccount{}, Findings: []model.Finding{}, Tasks: []hub.TaskView{}, Reviews: []PersonReview{}, Timeline: []store.TimelineEvent{}}
	v.Name, v.Email, v.Title, v.Department = spoken(row.User)
	return v
}

// spoken is what a person is called and what they do, as the merged record has it.
func spoken(user map[string]any) (name, email, title, department string) {
	text := func(m map[string]any, key string) string { s, _ := m[key].(string); return s }
	parts, _ := user["name"].(map[string]any)
	enterprise, _ := user[scim.URNEnterprise].(map[string]any)
	name = text(user, "displayName")
	if name == "" {
		name = text(parts, "formatted")
	}
	if name == "" {
		if name = text(parts, "givenName"); name != "" && text(parts, "familyName") != "" {
			name += " "
		}
		name += text(parts, "familyName")
	}
	emails, _ := user["emails"].([]any)
	for _, e := range emails {
		m, _ := e.(map[string]any)
		if primary, _ := m["primary"].(bool); email == "" || primary {
			email = text(m, "value")
		}
	}
	return name, email, text(user, "title"), text(enterprise, "department")
}

// personFacts fills in the facts, with their sources, and who else says what.
func (a *API) personFacts(tx *store.Tx, snap *hub.Snapshot, row store.IdentityRow, v *PersonView) error {
	facts, err := tx.Facts([]string{row.ID})
	if err != nil {
		return err
	}
	users := facts.Users[row.ID]
	others := a.disagreements(users)
	flat := model.Flat(a.shown(row.User))
	for _, path := range slices.Sorted(maps.Keys(flat)) {
		v.Facts = append(v.Facts, FactView{Path: path, Value: flat[path], Source: model.OriginOf(row.Origin, path),
			Authority: model.AuthorityOf(snap.Doc.Identity.Authority, path, snap.Doc.SourceNames()), Others: others[path]})
	}
	for _, u := range users {
		res := ResourceView{Source: u.Source, ResourceID: u.ID, Modified: u.Modified}
		res.UserName, _ = u.Attrs["userName"].(string)
		res.ExternalID, _ = u.Attrs["externalId"].(string)
		if active, said := u.Attrs["active"].(bool); said {
			res.Active = &active
		}
		v.Resources = append(v.Resources, res)
	}
	v.Groups = append(v.Groups, facts.Groups[row.ID]...)
	v.Waiting, err = tx.Marked(row.ID)
	return err
}

// fillRoles fills in the roles and the accounts with their reasons.
func (m momentOf) fillRoles(tx *store.Tx, v *PersonView) error {
	for _, g := range m.doc.Grants {
		for _, r := range g.Because {
			if err := m.readReason(tx, r); err != nil {
				return err
			}
		}
		e := Explanation{Role: g.Role}
		m.fill(&e, g.Because)
		v.Roles = append(v.Roles, RoleHeld{Role: g.Role, Because: m.views(g.Because), ApprovedBy: e.ApprovedBy, From: g.From, Until: e.Until,
			HandOver: e.HandOver, NextReview: e.NextReview, Request: e.Request, Exception: e.Exception})
	}
	rows, err := tx.AccountsOf([]string{m.row.ID})
	for _, row := range rows {
		acc := PersonAccount{AccountAt: AccountAt{row.Target, viewAccount(row)}, Leaver: row.Leaver, Attempts: row.Attempts, Differences: differences(row)}
		if row.Desired != nil {
			acc.Groups = row.Desired.Groups
		}
		v.Accounts = append(v.Accounts, acc)
	}
	return err
}

// differences says in words how far an account is from what it should be: what is to be
// written, and what somebody else changed.
func differences(row model.AccountRow) (out []string) {
	add := func(prefix string, list []string) {
		for _, words := range list {
			out = append(out, prefix+words)
		}
	}
	if row.Due || row.State == model.StateHeld {
		add("to do: ", accountsDiffer(row.Applied, row.Desired))
	}
	if row.Drift != "" && row.Applied != nil {
		add("changed by somebody else: ", accountsDiffer(row.Applied, row.Observed))
	}
	return out
}

// accountsDiffer says in words what makes one account the other.
func accountsDiffer(a, b *model.Account) (out []string) {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil:
		return []string{"the account is to be made"}
	case b == nil:
		return []string{"the account is to go"}
	case a.Active && !b.Active:
		out = append(out, "it becomes inactive")
	case !a.Active && b.Active:
		out = append(out, "it becomes active")
	}
	for _, g := range missingFrom(b.Groups, a.Groups) {
		out = append(out, "joins the group "+g)
	}
	for _, g := range missingFrom(a.Groups, b.Groups) {
		out = append(out, "leaves the group "+g)
	}
	return append(out, attributesDiffer(a, b)...)
}

// valueWords is a value of an attribute for people.
func valueWords(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if runes := []rune(string(text)); len(runes) > 120 {
		return string(runes[:120]) + "…"
	}
	return string(text)
}

// personOpen fills in what is open about a person, and whom they belong with.
func (a *API) personOpen(tx *store.Tx, id string, v *PersonView) error {
	about, err := tx.About([]string{id})
	if err != nil {
		return err
	}
	if v.Requests, err = hub.ViewRequests(tx, about.Requests[id]); err != nil {
		return err
	}
	for _, x := range about.Exceptions[id] {
		v.Exceptions = append(v.Exceptions, exceptionAt(x, v.UserName, tx.Now))
	}
	if v.MergedFrom, err = tx.MergedFrom(id); err != nil {
		return err
	}
	around, err := tx.Around(id, maxGlance)
	if err != nil {
		return err
	}
	if v.Reports = around.Reports; around.ManagerID != "" {
		v.Manager = &PersonRef{around.ManagerID, around.ManagerName}
	}
	items, err := tx.ReviewItemsAbout(id)
	if err != nil {
		return err
	}
	for _, item := range items {
		if item.State != model.ItemPending && item.State != model.ItemDecided {
			continue
		}
		c, err := tx.Campaign(item.Review)
		if err != nil {
			return err
		}
		due := c.Due
		v.Reviews = append(v.Reviews, PersonReview{Review: c.ID, Item: item.ID, Name: c.Name, Role: item.Role, Target: item.Target, Group: item.Group, Due: &due})
	}
	run, found, err := tx.LastLeaverRun(id, model.RunLeaver)
	if err == nil && found {
		view := a.leaverView(run)
		v.Leaver = &view
	}
	return err
}

// personWork fills in what is read by itself.
func (a *API) personWork(ctx context.Context, by Caller, v *PersonView) (err error) {
	found, _, _, err := a.Hub.Store.Findings(ctx, store.FindingFilter{Identity: v.ID, Limit: 100})
	if err != nil {
		return err
	}
	for _, f := range found {
		f.Owner = a.sourceOwner(f.Source)
		v.Findings = append(v.Findings, f)
	}
	tasks, _, err := a.Hub.Tasks(ctx, by.who(), hub.TaskQuery{For: v.ID, Limit: 100, SeeAll: true})
	if err != nil {
		return err
	}
	v.Tasks = append(v.Tasks, tasks...)
	last, err := a.Hub.Store.LastEvents(ctx, v.ID, viewTimeline)
	v.Timeline = append(v.Timeline, last...)
	return err
}
