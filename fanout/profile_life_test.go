package fanout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// TestAShortLifeAtEveryApplication takes a few people through joining, moving, leaving
// and coming back at each simulated application, with nothing done there that a
// careful client does not do.
func TestAShortLifeAtEveryApplication(t *testing.T) {
	t.Parallel()
	for _, name := range ProfileNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shortLife(t, name)
		})
	}
}

// somebody is an account that every application takes.
func somebody(n int, groups ...string) *model.Account {
	address := fmt.Sprintf("p%02d@ex.com", n)
	return &model.Account{UserName: address, Active: true, Groups: groups, Attrs: map[string]any{
		"externalId": fmt.Sprint("E", n), "displayName": fmt.Sprint("Person ", n), "name.givenName": "Person", "name.familyName": fmt.Sprint("N", n),
		"title": "Engineer", "emails": []any{map[string]any{"value": address, "type": "work", "primary": true}},
	}}
}

func shortLife(t *testing.T, name string) {
	t.Helper()
	const pace, people = 500, 12
	a, err := app.New(app.Options{Profile: name, Pace: pace})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := ProfileNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, a, a.Handler(), func(target *model.Target) {
		target.Profile = name
		target.Overrides = map[string]any{"rate": map[string]any{"buckets": faster(profile.Rate.Buckets, pace)}, "eventual_consistency_s": 0}
		target.Rate.Concurrency = 0
	})
	groups := []string{"eng", "all hands"}
	if !profile.Has("Group") {
		groups = nil
	}
	w.start()
	rows := make([]model.AccountRow, people)
	for i := range rows {
		rows[i] = model.AccountRow{Identity: fmt.Sprint("id", i), Desired: somebody(i, groups...)}
	}
	w.want(rows...)
	w.allIn(model.StateInSync)
	for _, userName := range a.Invited() {
		a.Accept(userName)
	}
	members(w, groups, people)

	moved := somebody(1, groups...)
	moved.Attrs["title"] = "Manager"
	if groups != nil {
		moved.Groups = groups[:1]
	}
	now := time.Now()
	w.want(model.AccountRow{Identity: "id1", Desired: moved}, model.AccountRow{Identity: "id2", Leaver: true, LeaverAt: &now})
	w.until("moved and left", func(rows map[string]model.AccountRow) bool {
		return rows["id1"].State == model.StateInSync && !rows["id1"].Due && rows["id2"].State == model.StateDisabled
	})
	users := w.users()
	if users["p01@ex.com"]["title"] != "Manager" || users["p02@ex.com"]["active"] != false {
		t.Errorf("moved %v\nleft %v", users["p01@ex.com"], users["p02@ex.com"])
	}
	id := users["p02@ex.com"]["id"]
	if groups != nil && memberCount(w.groups()["all hands"]) > people-1 {
		t.Errorf("moved and still in %v", w.groups()["all hands"])
	}

	back := somebody(2, groups...)
	back.Attrs["title"] = "Director"
	w.want(model.AccountRow{Identity: "id2", Desired: back})
	w.allIn(model.StateInSync)
	users = w.users()
	if u := users["p02@ex.com"]; u["active"] != true || u["title"] != "Director" || u["id"] != id || len(users) != people {
		t.Errorf("came back as %v of %d", u, len(users))
	}
	members(w, groups, people)
	if s := a.Stats(); len(s.Forbidden) > 0 || len(s.Irreversible) > 0 || s.DuplicatesRefused > 0 {
		t.Errorf("forbidden %v, irreversible %v, %d duplicates refused", s.Forbidden, s.Irreversible, s.DuplicatesRefused)
	}
}

// members holds the sizes of groups: all are in the first, and all but who moved in
// the second.
func members(w *world, groups []string, most int) {
	w.t.Helper()
	have := w.groups()
	for i, name := range groups {
		if n := memberCount(have[name]); n > most || n < most-i {
			w.t.Errorf("%d members of %s", n, name)
		}
	}
}

// faster are buckets that allow as many times as much in their time.
func faster(buckets []model.Bucket, pace int) []model.Bucket {
	out := slices.Clone(buckets)
	for i := range out {
		out[i].Requests *= pace
		out[i].Burst *= pace
	}
	return out
}
