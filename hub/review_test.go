package hub_test

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const reviewed = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 50}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer: {when: 'user.title == "Engineer"', risk: high, grants: [{target: git, group: engineers}]}
  senior: {when: 'user.title == "Senior"', inherits: [engineer]}
  admin: {request: {by: anyone, approve: [manager]}, grants: [{target: git, group: admins}]}
  security: {when: 'user.title == "Security"'}
reviews:
  bulk_keeps: 3
  on_move: {within: 7d}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  git: {url: http://127.0.0.1:2, profile: generic}
`

func (w *world) reviews() {
	w.t.Helper()
	for range 200 {
		w.evaluate()
		worked, err := w.ReviewStep(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if !worked {
			return
		}
	}
	w.t.Fatal("reviews never come to rest")
}

func (w *world) managed(userName, title, manager string) string {
	w.t.Helper()
	r := w.person(userName, "title", title, scim.URNEnterprise, map[string]any{"department": "dev", "manager": map[string]any{"value": manager}})
	return r.ID
}

func (w *world) ask(who hub.Who, n hub.NewReview) hub.ReviewView {
	w.t.Helper()
	if n.Stages == nil {
		n.Stages = []model.ReviewStage{{Reviewers: []string{"manager"}, Within: 14 * 24 * time.Hour}}
	}
	v, err := w.StartReview(w.t.Context(), who, n)
	if err != nil {
		w.t.Fatal(err)
	}
	w.reviews()
	return v
}

func (w *world) items(review string) map[string]hub.ReviewItemView {
	w.t.Helper()
	out := map[string]hub.ReviewItemView{}
	list, next, err := w.ReviewItems(w.t.Context(), ops(), hub.ReviewItemQuery{Review: review, Limit: 100, SeeAll: true})
	if err != nil || next != "" {
		w.t.Fatal(err, next)
	}
	for _, i := range list {
		out[i.Person+"/"+i.Role] = i
	}
	return out
}

func ops() hub.Who { return hub.Who{Name: "ops", Operator: true, Override: true} }

func asPerson(person string) hub.Who { return hub.Who{Name: "t-" + person, Person: person} }

// written has all accounts at targets as they should be.
func (w *world) written() {
	w.t.Helper()
	for _, target := range []string{"chat", "git"} {
		err := w.Store.Update(w.t.Context(), func(tx *store.Tx) error { return nil })
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.db.SQL.ExecContext(w.t.Context(), `UPDATE accounts SET applied = desired, state = 'in_sync', due = FALSE WHERE target = '`+target+`'`); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestReviewRevokesWhatARuleGives(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		ann, bob := w.managed("ann", "Engineer", boss.ID), w.managed("bob", "Engineer", boss.ID)
		w.evaluate()
		w.written()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "engineer"}})
		items := w.items(v.ID)
		if len(items) != 2 || len(items["ann/engineer"].WaitsFor) != 1 || items["ann/engineer"].WaitsFor[0] != "boss" {
			t.Fatalf("items %+v", items)
		}
		if i := items["ann/engineer"]; i.Hints.Risk != "high" || len(i.Access.Why) != 1 || i.Hints.Peers != 1 || i.Hints.Holding != 1 || i.Access.Gives[0].Group != "engineers" {
			t.Errorf("hints %+v %+v", i.Hints, i.Access)
		}
		item := items["ann/engineer"]
		if _, err := w.DecideReview(t.Context(), asPerson("ann"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "keep"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("ann reviews herself: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("bob"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "keep"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("bob is not asked: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "revoke"}); model.CodeOf(err) != model.Invalid {
			t.Errorf("no reason: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "changed team", Version: 7}); model.CodeOf(err) != model.Conflict {
			t.Errorf("another version: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "changed team", Version: item.Version}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, items["bob/engineer"].ID, hub.ReviewVerdict{Verdict: "keep"}); err != nil {
			t.Fatal(err)
		}
		w.reviews()
		if s := w.state(w.identityOf(ann)); len(s.roles) != 1 || s.roles[0] != "employee" {
			t.Fatalf("ann holds %v", s.roles)
		}
		if s := w.state(w.identityOf(bob)); len(s.roles) != 2 {
			t.Fatalf("bob holds %v", s.roles)
		}
		item = w.items(v.ID)["ann/engineer"]
		if item.State != model.ItemEvaluated {
			t.Fatalf("after evaluation: %+v", item)
		}
		w.clock.Add(time.Minute)
		w.reviews()
		if item = w.items(v.ID)["ann/engineer"]; item.State != model.ItemEvaluated || item.Carried.Note == "" {
			t.Fatalf("the target still has it: %+v %+v", item, item.Carried)
		}
		w.written()
		w.clock.Add(10 * time.Minute)
		w.reviews()
		if item = w.items(v.ID)["ann/engineer"]; item.State != model.ItemRevoked || item.Carried.VerifiedAt == nil {
			t.Fatalf("seen to be gone: %+v %+v", item, item.Carried)
		}
		w.patch(w.user, ann, `[{"op":"replace","path":"displayName","value":"Ann A"}]`)
		w.evaluate()
		if s := w.state(w.identityOf(ann)); len(s.roles) != 1 {
			t.Fatalf("the rule gave it again: %v", s.roles)
		}
		w.clock.Add(2 * time.Hour)
		w.reviews()
		r, err := w.ReviewReport(t.Context(), ops(), true, v.ID)
		if err != nil || r.Review.State != model.CampaignClosed || r.Digest == "" || r.Review.Counts.Kept != 1 || r.Review.Counts.Revoked != 1 || r.Review.Counts.Items != 2 {
			t.Fatalf("report %+v %v", r, err)
		}
		w.patch(w.user, ann, `[{"op":"replace","path":"title","value":"Senior"}]`)
		w.evaluate()
		if s := w.state(w.identityOf(ann)); len(s.roles) != 3 {
			t.Fatalf("other facts give it again: %v", s.roles)
		}
	})
}
