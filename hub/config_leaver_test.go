package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// TestConfigurationMakesNoUrgentLeavers: people whom a change of the configuration makes
// leavers are not leavers that a source named one by one: their accounts go in the
// ordinary lane, where the guard of the target counts them. What they asked for stays
// for a while, and all is as it was when the configuration is mended.
func TestConfigurationMakesNoUrgentLeavers(t *testing.T) {
	t.Parallel()
	right := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:\n  extra: {request: {by: self, approve: []}, grants: [{target: wiki}]}", 1)
	wrong := strings.Replace(right, "end: nickName", "end: displayName", 1)
	each(t, right, func(w *world) {
		w.apply(right)
		var users []scim.Resource
		for i := range 8 {
			users = append(users, w.person(fmt.Sprint("u", i), "displayName", "2020-01-01"))
		}
		w.evaluate()
		first := w.identityOf(users[0].ID)
		asked, err := w.AskRequest(ctxOf(w), hub.Who{Name: "ops", Operator: true, Override: true}, hub.Ask{Role: "extra", For: first})
		if err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		w.carriedOut()
		w.clock.Add(2 * time.Hour)
		w.apply(wrong)
		w.evaluate()
		for _, u := range users {
			s := w.state(w.identityOf(u.ID))
			if a := s.accounts["chat"]; s.row.Stage != model.Leaver || a.Leaver || a.LeaverHeld || a.Desired != nil || !a.Due {
				w.t.Errorf("%s (%s): lane of leavers %v", s.row.Name, s.row.Stage, a.Leaver)
			}
			if w.lastEvent(s.row.ID, "leaver")["by_configuration"] != true {
				w.t.Error("the event does not say that it is the configuration")
			}
		}
		w.clock.Add(time.Hour)
		// A mark that comes by itself makes it no word of the source.
		w.db.Exec(w.t, `UPDATE identities SET next_at = 1 WHERE id = ?`, first)
		w.evaluate()
		if w.state(first).accounts["chat"].Leaver {
			w.t.Error("a moment that came made a leaver by the configuration a pressing one")
		}
		// The source's own word does.
		w.patch(w.user, users[1].ID, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		if s := w.state(w.identityOf(users[1].ID)); !s.accounts["chat"].Leaver || s.row.LeftSource != "hr" || !s.row.LeftAt.Equal(w.clock.Now()) {
			w.t.Errorf("made inactive by the source: %+v", s.row)
		}
		w.clock.Add(time.Hour)
		w.apply(right)
		w.evaluate()
		w.wantRoles(first, "employee", "extra")
		w.apply(wrong)
		w.evaluate()
		w.clock.Add(8 * 24 * time.Hour)
		w.evaluate()
		if r := w.db.Strings(w.t, `SELECT state FROM requests WHERE id = ?`, asked.ID); r[0] != string(model.RequestEnded) {
			w.t.Errorf("a week after they left: the request is %v", r)
		}
	})
}

// TestEndsThatAnExportInvented: an export that sets everybody's end to a day that is
// still to come makes no plan of it: of what is known for less than a week no more pass
// than the guard allows, and whoever is held is not let go by being looked at again.
func TestEndsThatAnExportInvented(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:", 1)
	each(t, configuration, func(w *world) {
		for ahead, want := range map[time.Duration]int{23 * time.Hour: 6, 3 * 24 * time.Hour: 4, 8 * 24 * time.Hour: 0} { // of 8, the limit is 2
			w.t.Log(ahead)
			end := w.clock.Now().Add(ahead)
			var users []scim.Resource
			for i := range 8 {
				users = append(users, w.person(fmt.Sprint("u", int(ahead.Hours()), "-", i)))
			}
			w.evaluate()
			for _, u := range users {
				w.set(u.ID, "nickName", end.Format(time.RFC3339))
			}
			w.evaluate()
			w.clock.Set(end)
			w.evaluate()
			if n := w.overGuard(users); n != want {
				w.t.Errorf("known %v before: %d are held, want %d", ahead, n, want)
			}
			w.clock.Add(2 * time.Hour)
			for _, u := range users {
				w.set(u.ID, "title", "x")
			}
			w.evaluate()
			if n := w.overGuard(users); n != want {
				w.t.Errorf("known %v before: %d are held when they are looked at again, want %d", ahead, n, want)
			}
			w.clock.Add(24 * time.Hour)
		}
	})
}
