package hub_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// notices are what is to be told, the oldest first.
func (w *world) notices(kind string) (out []store.Notice) {
	w.t.Helper()
	err := w.Store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		out, _, err = tx.Notices(store.NoticeFilter{Type: kind, Limit: 100})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(out)
	return out
}

func said(n store.Notice) string { body, _ := json.Marshal(n.Data); return string(body) }

// TestApproversAreTold: who is asked, reminded, asked in their place, and told the end.
func TestApproversAreTold(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		prod := o.ask(as("alice"), hub.Ask{Role: "prod", Reason: "incident"})
		first := o.notices("approval.wanted")
		if len(first) != 1 || !slices.Equal(first[0].Asked, []string{o.ids["bob"]}) || first[0].Subject != "request/"+prod.ID || first[0].Identity != o.ids["alice"] {
			t.Fatalf("asked: %+v", first)
		}
		if text := said(first[0]); !strings.Contains(text, `"for":"alice"`) || !strings.Contains(text, `"reason":"incident"`) || !strings.Contains(text, `"role":"prod"`) {
			t.Errorf("says %s", text)
		}
		o.wait(2 * day)
		if n := o.notices("approval.reminder"); len(n) != 1 || !slices.Equal(n[0].Asked, first[0].Asked) {
			t.Errorf("reminded: %+v", n)
		}
		o.approve(prod.ID, as("bob"))
		if n := o.notices("approval.wanted"); len(n) != 2 || !slices.Equal(n[1].Asked, []string{"role:security"}) {
			t.Errorf("the next step: %+v", n)
		}
		if err := o.decide(as("sam"), prod.ID, false); err != nil {
			t.Fatal(err)
		}
		n := o.notices("approval.decided")
		if len(n) != 1 || !slices.Equal(n[0].Asked, []string{o.ids["alice"]}) || !strings.Contains(said(n[0]), `"state":"denied"`) {
			t.Errorf("decided: %+v", n)
		}

		one := o.ask(as("bob"), hub.Ask{Role: "one", For: "alice"})
		if one.State != model.RequestApproved && len(o.notices("approval.wanted")) == 2 {
			t.Error("nobody is asked")
		}
		if err := o.eraseOf("alice"); err == nil {
			if left := o.db.Int(t, `SELECT count(*) FROM notices WHERE identity_id = ?`, o.ids["alice"]); left > 0 {
				t.Errorf("%d notices about somebody erased", left)
			}
		} else {
			t.Fatal(err)
		}
	})
}

// eraseOf takes what is personal of somebody out of the store.
func (o *office) eraseOf(name string) error {
	o.remove("hr", o.user, o.res[name].ID)
	o.evaluate()
	return o.Store.Update(o.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Erase(o.ids[name])
		return err
	})
}

// TestTimeIsTold: overdue tasks and credentials near their end, each once.
func TestTimeIsTold(t *testing.T) {
	t.Parallel()
	each(t, requests, func(w *world) {
		text := strings.Replace(requests, "hr: {dialect: rfc", `hr: {tokens: [{name: main, secret: "${env:PATH}", expires: `+w.clock.Now().Add(20*day).Format(time.DateOnly)+`}], dialect: rfc`, 1)
		active, _, err := w.Store.ActiveConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		snap, err := w.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), active.Version)
		if err != nil {
			t.Fatal(err)
		}
		w.Activate(snap)
		err = w.Store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.AddTask(model.Task{ID: "t1", Kind: model.TaskManual, Target: "git", Digest: "d", What: "take the badge", Assignee: "role:security", Due: tx.Now.Add(day)})
		})
		if err != nil {
			t.Fatal(err)
		}
		look := func() (overdue, ending int) {
			t.Helper()
			for range 2 {
				if err := w.NoticeTime(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return len(w.notices("task.overdue")), len(w.notices("credential.expiring"))
		}
		if overdue, ending := look(); overdue != 0 || ending != 1 || len(w.notices("task.created")) != 1 {
			t.Errorf("at first %d overdue, %d ending", overdue, ending)
		}
		w.clock.Add(2 * day)
		if overdue, ending := look(); overdue != 1 || ending != 1 {
			t.Errorf("later %d overdue, %d ending", overdue, ending)
		}
		w.clock.Add(12 * day)
		if _, ending := look(); ending != 2 || !strings.Contains(said(w.notices("credential.expiring")[1]), `"days":7`) {
			t.Errorf("in the last week %d", ending)
		}
		if n := w.notices("task.overdue"); !slices.Equal(n[0].Asked, []string{"role:security"}) {
			t.Errorf("asked %v", n[0].Asked)
		}
		if n := w.notices("config.activated"); len(n) == 0 {
			t.Error("a new version is not told")
		}
	})
}
