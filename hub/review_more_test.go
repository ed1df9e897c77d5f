package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// TestReviewOfRequestedRole: what somebody asked for is revoked as the request, a later
// approval gives it again, and an end that a reviewer sets comes.
func TestReviewOfRequestedRole(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		ann := w.identityOf(w.managed("ann", "Engineer", boss.ID))
		w.evaluate()
		ask := func() {
			t.Helper()
			r, err := w.AskRequest(t.Context(), asPerson("ann"), hub.Ask{Role: "admin", Reason: "on call"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.DecideRequest(t.Context(), asPerson("boss"), r.ID, hub.Verdict{Approve: true}); err != nil {
				t.Fatal(err)
			}
			w.evaluate()
		}
		ask()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{People: []string{"ann"}}})
		items := w.items(v.ID)
		if a := items["ann/admin"].Access; len(items) != 3 || a.ApprovedBy != "boss" || a.Request == "" {
			t.Fatalf("items %+v", items)
		}
		until := w.clock.Now().Add(48 * time.Hour)
		id := items["ann/admin"].ID
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, id, hub.ReviewVerdict{Verdict: "until", Until: &until}); err != nil {
			t.Fatal(err)
		}
		w.evaluate()
		w.clock.Add(49 * time.Hour)
		w.evaluate()
		if roles := w.state(ann).roles; slices.Contains(roles, "admin") {
			t.Fatalf("kept beyond the end: %v", roles)
		}
		list, _, err := w.Requests(t.Context(), ops(), hub.RequestQuery{Role: "admin", Limit: 10, SeeAll: true})
		if err != nil || len(list) != 1 || list[0].State != model.RequestRevoked || !strings.Contains(list[0].Why, "in a review") {
			t.Fatalf("requests %+v %v", list, err)
		}
		w.clock.Add(time.Hour)
		ask()
		if roles := w.state(ann).roles; !slices.Contains(roles, "admin") {
			t.Fatalf("approved since: %v", roles)
		}
		if left, _, err := w.Exclusions(t.Context(), "ann", false, "", 10); err != nil || len(left) != 0 {
			t.Errorf("exclusions %+v %v", left, err)
		}
	})
}

// TestReviewStages: the second stage sees what the first decided, and decides alone.
func TestReviewStages(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		ann := w.identityOf(w.managed("ann", "Engineer", boss.ID))
		w.managed("sec", "Security", boss.ID)
		w.evaluate()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "engineer"}, Stages: []model.ReviewStage{
			{Reviewers: []string{"manager"}, Within: time.Hour}, {Reviewers: []string{"role:security"}, Within: time.Hour}}})
		item := w.items(v.ID)["ann/engineer"]
		if _, err := w.DecideReview(t.Context(), asPerson("sec"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "keep"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("not asked yet: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "left the team"}); err != nil {
			t.Fatal(err)
		}
		w.reviews()
		if roles := w.state(ann).roles; !slices.Contains(roles, "engineer") {
			t.Fatalf("the first stage took it: %v", roles)
		}
		item = w.items(v.ID)["ann/engineer"]
		if item.State != model.ItemPending || item.Stage != 1 || len(item.Earlier) != 1 || item.Earlier[0].Reason != "left the team" || !slices.Equal(item.Asked, []string{"role:security"}) {
			t.Fatalf("in the second stage: %+v", item.ReviewItem)
		}
		if n := len(w.inbox("sec")); n != 1 {
			t.Errorf("%d items wait for sec", n)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("sec"), v.ID, item.ID, hub.ReviewVerdict{Verdict: "keep", Reason: "on call"}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.inbox("sec")); n != 0 {
			t.Errorf("%d items still wait for sec", n)
		}
		w.clock.Add(2 * time.Hour)
		w.reviews()
		if item = w.items(v.ID)["ann/engineer"]; item.State != model.ItemKept || !slices.Contains(w.state(ann).roles, "engineer") {
			t.Errorf("closed: %+v", item.ReviewItem)
		}
	})
}

func (w *world) inbox(person string) []hub.ReviewItemView {
	w.t.Helper()
	list, _, err := w.ReviewItems(w.t.Context(), asPerson(person), hub.ReviewItemQuery{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestReviewBulk: nobody keeps many without having looked, and what is of high risk is
// decided by itself.
func TestReviewBulk(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		for _, name := range []string{"a", "b", "c", "d"} {
			w.managed(name, "Clerk", boss.ID)
		}
		w.managed("eng", "Engineer", boss.ID)
		w.evaluate()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Manager: "boss"}})
		items := w.items(v.ID)
		ref := func(keys ...string) (refs []hub.ReviewItemRef) {
			for _, k := range keys {
				refs = append(refs, hub.ReviewItemRef{ID: items[k].ID, Version: items[k].Version})
			}
			return refs
		}
		keep := func(refs []hub.ReviewItemRef, want model.Code) hub.ReviewBulkResult {
			t.Helper()
			out, err := w.DecideReviews(t.Context(), asPerson("boss"), v.ID, hub.ReviewBulk{Items: refs, Verdict: hub.ReviewVerdict{Verdict: "keep"}})
			if (err == nil) != (want == "") || err != nil && model.CodeOf(err) != want {
				t.Errorf("%v: %v", refs, err)
			}
			return out
		}
		keep(ref("a/employee", "b/employee"), model.Refused) // not looked at
		all := ref("a/employee", "b/employee", "c/employee", "d/employee", "eng/engineer")
		var ids []string
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		if n, err := w.SeeReviewItems(t.Context(), asPerson("boss"), false, v.ID, ids); err != nil || n != 5 {
			t.Fatal(n, err)
		}
		if n, err := w.SeeReviewItems(t.Context(), asPerson("a"), false, v.ID, ids); err != nil || n != 0 {
			t.Fatal("what others are asked about was seen", n, err)
		}
		keep(all[:4], model.Refused)                           // too many
		keep(ref("a/employee", "eng/engineer"), model.Refused) // of high risk
		if out := keep(all[:2], ""); out.Decided != 2 || len(out.Failed) != 0 {
			t.Errorf("%+v", out)
		}
		if out := keep(append(all[:1], all[2]), ""); out.Decided != 1 || len(out.Failed) != 1 { // all[0] is another version by now
			t.Errorf("%+v", out)
		}
		out, err := w.DecideReviews(t.Context(), asPerson("boss"), v.ID, hub.ReviewBulk{Filtered: true, Risk: "high", Verdict: hub.ReviewVerdict{Verdict: "revoke", Reason: "over"}})
		if err != nil || out.Decided != 1 {
			t.Errorf("%+v %v", out, err)
		}
		r, err := w.ReviewReport(t.Context(), ops(), true, v.ID)
		if err != nil || len(r.Reviewers) != 1 || r.Reviewers[0].Decided != 4 || r.Reviewers[0].Bulk != 4 || r.Reviewers[0].Keep != 3 {
			t.Errorf("%+v %v", r.Reviewers, err)
		}
	})
}

// TestReviewAfterMove: who moves is looked at by the new manager; what is lost meanwhile
// closes itself.
func TestReviewAfterMove(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		one, two := w.person("one", "title", "Boss"), w.person("two", "title", "Boss")
		ann := w.managed("ann", "Engineer", one.ID)
		w.reviews()
		w.clock.Add(time.Hour)
		w.patch(w.user, ann, `[{"op":"replace","path":"`+scim.URNEnterprise+`:manager.value","value":"`+two.ID+`"}]`)
		w.reviews()
		list, _, err := w.Reviews(t.Context(), ops(), hub.ReviewQuery{Limit: 10, SeeAll: true})
		if err != nil || len(list) != 1 || list[0].Origin != model.CampaignMove || list[0].Why != "another manager: two" || list[0].Counts.Pending != 2 {
			t.Fatalf("%+v %v", list, err)
		}
		if in := w.inbox("two"); len(in) != 2 || in[0].Hints.Moved == nil {
			t.Fatalf("the new manager is asked: %+v", in)
		}
		w.patch(w.user, ann, `[{"op":"replace","path":"title","value":"Clerk"}]`)
		w.reviews()
		if i := w.items(list[0].ID)["ann/engineer"]; i.State != model.ItemGone {
			t.Errorf("lost meanwhile: %+v", i.ReviewItem)
		}
		w.patch(w.user, ann, `[{"op":"replace","path":"`+scim.URNEnterprise+`:manager.value","value":"`+one.ID+`"}]`)
		w.evaluate()
		if i := w.items(list[0].ID)["ann/employee"]; !slices.Equal(i.WaitsFor, []string{"one"}) {
			t.Errorf("another manager is asked: %+v", i.WaitsFor)
		}
	})
}

// TestReviewDeputy: a deputy decides in the place of who is asked, and not about
// themselves, nor for whom it is about.
func TestReviewDeputy(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		w.managed("ann", "Clerk", boss.ID)
		w.managed("dep", "Clerk", boss.ID)
		w.managed("sec", "Security", boss.ID)
		w.managed("sec2", "Security", boss.ID)
		w.evaluate()
		for _, person := range []string{"boss", "sec"} {
			if _, err := w.AddDeputy(t.Context(), ops(), hub.NewDeputy{Person: person, Deputy: "dep"}); err != nil {
				t.Fatal(err)
			}
		}
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "employee"}})
		items := w.items(v.ID)
		if _, err := w.DecideReview(t.Context(), asPerson("dep"), v.ID, items["dep/employee"].ID, hub.ReviewVerdict{Verdict: "keep"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("a deputy about themselves: %v", err)
		}
		now, err := w.DecideReview(t.Context(), asPerson("dep"), v.ID, items["ann/employee"].ID, hub.ReviewVerdict{Verdict: "keep"})
		if err != nil || now.Decision.DeputyOf != w.identityOf(boss.ID) {
			t.Errorf("%+v %v", now.Decision, err)
		}
		v = w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "security"}, Stages: []model.ReviewStage{{Reviewers: []string{"role:security"}, Within: time.Hour}}})
		if _, err := w.DecideReview(t.Context(), asPerson("dep"), v.ID, w.items(v.ID)["sec/security"].ID, hub.ReviewVerdict{Verdict: "keep"}); model.CodeOf(err) != model.Forbidden {
			t.Errorf("a deputy in the place of whom it is about: %v", err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("dep"), v.ID, w.items(v.ID)["sec2/security"].ID, hub.ReviewVerdict{Verdict: "keep"}); err != nil {
			t.Errorf("a deputy of one who holds the role: %v", err)
		}
	})
}

// TestReviewScheduled: a campaign of the configuration starts once, however many
// replicas look, and again when its time has come; those who are asked are told and
// reminded.
func TestReviewScheduled(t *testing.T) {
	t.Parallel()
	text := strings.Replace(reviewed, "reviews:\n", "reviews:\n  campaigns:\n  - {name: eng, scope: {role: engineer}, every: 30d, due: 5d, remind: 2d, escalate: {after: 4d, to: [\"role:security\"]}, undecided: escalate}\n", 1)
	each(t, text, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		w.managed("ann", "Engineer", boss.ID)
		w.managed("sec", "Security", boss.ID)
		w.evaluate()
		notices := func() (types []string) {
			err := w.Store.View(t.Context(), func(tx *store.Tx) error {
				list, _, err := tx.Notices(store.NoticeFilter{Limit: 100})
				for _, n := range list {
					if kind, ok := strings.CutPrefix(n.Type, "review."); ok {
						types = append(types, kind)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(types)
			return types
		}
		day := func(n int) {
			for range n {
				w.clock.Add(24 * time.Hour)
				w.reviews()
			}
		}
		w.reviews()
		day(2)
		if got := strings.Join(notices(), " "); got != "started reminder" {
			t.Fatalf("after two days: %s", got)
		}
		day(2)
		if got := w.inbox("sec"); len(got) != 1 || !got[0].Escalated {
			t.Fatalf("escalated: %+v", got)
		}
		day(1)
		list, _, err := w.Reviews(t.Context(), ops(), hub.ReviewQuery{Limit: 10, SeeAll: true})
		if err != nil || len(list) != 1 || list[0].State != model.CampaignOpen {
			t.Fatalf("extended once: %+v %v", list, err)
		}
		day(5)
		if got := notices(); got[len(got)-1] != "closed" || !slices.Contains(got, "escalated") {
			t.Fatalf("closed: %v", got)
		}
		if i := w.items(list[0].ID)["ann/engineer"]; i.State != model.ItemUndecided {
			t.Errorf("undecided: %+v", i.ReviewItem)
		}
		day(21)
		if list, _, err = w.Reviews(t.Context(), ops(), hub.ReviewQuery{Limit: 10, SeeAll: true}); err != nil || len(list) != 2 {
			t.Errorf("a month later: %+v %v", list, err)
		}
	})
}

// TestReviewOfMirroredGroup: a group that no role gives is taken away by itself, and an
// account that is nobody's is told of until it is gone.
func TestReviewOfMirroredGroup(t *testing.T) {
	t.Parallel()
	text := strings.Replace(reviewed, "git: {url: http://127.0.0.1:2, profile: generic}", "git: {url: http://127.0.0.1:2, profile: generic, groups: {mirror: ['displayName sw \"app-\"']}}", 1)
	each(t, text, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		ann := w.managed("ann", "Engineer", boss.ID)
		w.team("app-x", ann)
		w.evaluate()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Target: "git"}})
		list, _, err := w.ReviewItems(t.Context(), ops(), hub.ReviewItemQuery{Review: v.ID, Limit: 10, SeeAll: true})
		if err != nil || len(list) != 2 || list[1].Group != "app-x" || list[1].Target != "git" {
			t.Fatalf("%+v %v", list, err)
		}
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, list[1].ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "over"}); err != nil {
			t.Fatal(err)
		}
		w.evaluate()
		if a := w.state(w.identityOf(ann)).accounts["git"]; a.Desired == nil || !slices.Equal(a.Desired.Groups, []string{"engineers"}) {
			t.Errorf("desired %+v", a.Desired)
		}
		if i, err := w.ShownReviewItem(t.Context(), ops(), true, v.ID, list[1].ID); err != nil || i.State != model.ItemEvaluated {
			t.Errorf("%+v %v", i, err)
		}
	})
}

// TestReviewOfErased: of somebody who was erased nothing personal is left in a review,
// and what was decided stays sealed.
func TestReviewOfErased(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		t := w.t
		boss := w.person("boss", "title", "Boss")
		ann := w.managed("ann", "Engineer", boss.ID)
		w.evaluate()
		id := w.identityOf(ann)
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "engineer"}})
		if _, err := w.DecideReview(t.Context(), asPerson("boss"), v.ID, w.items(v.ID)["ann/engineer"].ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "ann is lazy"}); err != nil {
			t.Fatal(err)
		}
		closed, err := w.CloseReview(t.Context(), ops(), v.ID, hub.ReviewClosing{})
		if err != nil || closed.State != model.CampaignClosed {
			t.Fatal(closed.State, err)
		}
		seal := w.items(v.ID)["ann/engineer"].Sealed
		w.remove("hr", w.user, ann)
		w.evaluate()
		if _, err := w.db.SQL.ExecContext(t.Context(), `DELETE FROM accounts`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Erase(t.Context(), hub.Actor{Name: "ops"}, id, true); err != nil {
			t.Fatal(err)
		}
		item := w.items(v.ID)[id+"/engineer"]
		if item.Sealed != seal || seal == "" || item.Decision.Reason != "" || len(item.Access.Why) > 0 {
			t.Errorf("%+v %+v", item.ReviewItem, item.Decision)
		}
		for _, column := range []string{"review_items", "exclusions"} {
			for _, doc := range w.db.Strings(t, `SELECT doc FROM `+column) {
				if strings.Contains(doc, "ann") || strings.Contains(doc, "lazy") {
					t.Errorf("left in %s: %s", column, doc)
				}
			}
		}
	})
}

// TestReviewLinkTakesExclusionsAlong: what a reviewer took from one of two people who turn out
// to be one stays taken, and goes back when they are parted.
func TestReviewLinkTakesExclusionsAlong(t *testing.T) {
	t.Parallel()
	each(t, askedAcross, func(w *world) {
		t := w.t
		resource, p := w.pushed("okta", "ada.okta")
		_, q := w.pushed("hr", "bob")
		w.evaluate()
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{People: []string{p}}})
		for _, i := range w.items(v.ID) {
			if _, err := w.DecideReview(t.Context(), ops(), v.ID, i.ID, hub.ReviewVerdict{Verdict: "revoke", Reason: "over"}); err != nil {
				t.Fatal(err)
			}
		}
		w.evaluate()
		w.wantRoles(p)
		w.link(p, q)
		w.wantRoles(q)
		w.unlink(q, "okta", resource)
		w.wantRoles(q, "employee")
		w.wantRoles(p)
	})
}
