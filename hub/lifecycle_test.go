package hub_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// life reads dates from attributes that any user may have.
const life = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 2}}
identity:
  start: nickName
  last: title
  timezone: Europe/Berlin
  leave: {when: 'user.userType == "away"', from: preferredLanguage, until: locale}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  writer: {when: 'user.displayName.startsWith("W")', grants: [{target: wiki, group: writers}, {target: chat, group: w}]}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  wiki: {url: http://127.0.0.1:2, profile: generic}
`

// set replaces an attribute of somebody whom hr describes, and evaluates.
func (w *world) set(id, attribute, value string) {
	w.t.Helper()
	w.patch(w.user, id, fmt.Sprintf(`[{"op":"replace","path":%q,"value":%q}]`, attribute, value))
	w.evaluate()
}

func (w *world) enable(id string, active bool) {
	w.t.Helper()
	w.patch(w.user, id, fmt.Sprintf(`[{"op":"replace","path":"active","value":%v}]`, active))
	w.evaluate()
}

// carriedOut stands for a worker: what is desired is what was applied.
func (w *world) carriedOut() {
	w.t.Helper()
	w.db.Exec(w.t, `UPDATE accounts SET owned = 'created', remote_id = 'r-' || identity_id, applied = desired, enabled = TRUE, due = FALSE, state = 'in_sync' WHERE desired IS NOT NULL`)
	w.db.Exec(w.t, `UPDATE accounts SET applied = '{"userName":"Gone Person","active":false}', observed = '{"userName":"Gone Person","active":false}', enabled = FALSE, due = FALSE, state = 'disabled' WHERE desired IS NULL AND remote_id <> ''`)
}

func (w *world) at(text string) {
	w.t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.clock.Set(at)
	w.evaluate()
}

func (w *world) wantStage(id string, want model.Stage) {
	w.t.Helper()
	if got := w.state(id).row.Stage; got != want {
		w.t.Errorf("%s: stage %q, want %q", w.clock.Now().Format(time.RFC3339), got, want)
	}
}

// lastEvent is the data of the last event of a type.
func (w *world) lastEvent(id, kind string) map[string]any {
	w.t.Helper()
	docs := w.db.Strings(w.t, `SELECT data FROM events WHERE identity_id = ? AND type = ? ORDER BY id`, id, "identity."+kind)
	if len(docs) == 0 {
		w.t.Fatalf("no event %s, but %v", kind, w.events(id))
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(docs[len(docs)-1]), &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestLeave(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.carriedOut()
		w.set(u.ID, "userType", "away")
		w.wantStage(id, model.Leave)
		w.wantRoles(id, "employee")
		if a := w.state(id).accounts["chat"]; a.Desired == nil || a.Desired.Active || a.Leaver || !a.Due {
			w.t.Errorf("away: %+v", a)
		}
		// Held while away, but without an account that was not there.
		w.set(u.ID, "displayName", "Willa")
		w.wantRoles(id, "employee", "writer")
		s := w.state(id)
		if _, made := s.accounts["wiki"]; made {
			w.t.Error("an account is made for somebody away")
		}
		if g := s.accounts["chat"].Desired.Groups; !slices.Equal(g, []string{"w"}) {
			w.t.Errorf("groups while away: %v", g)
		}
		// Made inactive by the source, as most do: away nevertheless.
		w.enable(u.ID, false)
		w.wantStage(id, model.Leave)
		w.wantRoles(id, "employee", "writer")
		w.enable(u.ID, true)
		w.set(u.ID, "userType", "")
		w.wantStage(id, model.Active)
		s = w.state(id)
		if a := s.accounts["chat"]; a.Desired == nil || !a.Desired.Active || !a.Due {
			w.t.Errorf("back: %+v", a)
		}
		if a := s.accounts["wiki"]; a.Desired == nil || !a.Desired.Active {
			w.t.Errorf("back, at the new target: %+v", a)
		}
		if diff := cmp.Diff([]string{"identity.joiner", "identity.leave", "identity.mover", "identity.return"}, w.events(id)); diff != "" {
			w.t.Errorf("events:\n%s", diff)
		}
	})
}

// TestLeaveBeforeTheAccount: an account that still waits to be made is not made for
// somebody who is away by then.
func TestLeaveBeforeTheAccount(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.set(u.ID, "userType", "away")
		if a := w.state(id).accounts["chat"]; a.Desired != nil || a.Due || a.State != model.StateDeleted {
			w.t.Errorf("away before it was made: %+v", a)
		}
		w.set(u.ID, "userType", "")
		if a := w.state(id).accounts["chat"]; a.Desired == nil || !a.Due {
			w.t.Errorf("back: %+v", a)
		}
	})
}

// TestLifeByDates goes through a whole employment by the clock alone.
func TestLifeByDates(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada", "nickName", "2027-03-10", "title", "2027-05-31",
			"preferredLanguage", "2027-04-01", "locale", "2027-04-11", "timezone", "Pacific/Honolulu", "active", false)
		id := w.identityOf(u.ID)
		w.evaluate()
		w.at("2027-03-09T22:59:59Z")
		w.wantStage(id, model.Prehire)
		w.enable(u.ID, true)
		w.at("2027-03-09T23:00:00Z") // midnight in Berlin, whatever their own zone is
		w.wantStage(id, model.Active)
		w.at("2027-03-31T21:59:59Z")
		w.wantStage(id, model.Active)
		w.at("2027-03-31T22:00:00Z")
		w.wantStage(id, model.Leave)
		w.at("2027-04-10T22:00:00Z")
		w.wantStage(id, model.Active)
		w.at("2027-05-31T21:59:59Z")
		w.wantStage(id, model.Active)
		w.at("2027-05-31T22:00:00Z") // the last day is over
		w.wantStage(id, model.Leaver)
		if diff := cmp.Diff([]string{"identity.prehire", "identity.joiner", "identity.leave", "identity.return", "identity.leaver"}, w.events(id)); diff != "" {
			w.t.Errorf("events:\n%s", diff)
		}
	})
}

// TestUnclearDates: dates that contradict one another, or cannot be read, let nobody
// in and shut nobody out.
func TestUnclearDates(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		for name, tt := range map[string]struct {
			before  []any // pairs of attributes; they lead to stage was
			was     model.Stage
			then    map[string]string
			want    model.Stage
			finding bool
		}{
			"end before start, active":      {nil, model.Active, map[string]string{"nickName": "2027-01-10", "title": "2027-01-01"}, model.Active, true},
			"end before start, prehire":     {[]any{"nickName", "2027-04-01"}, model.Prehire, map[string]string{"title": "2027-03-01"}, model.Prehire, true},
			"rehired with the old end":      {[]any{"title", "2027-02-01"}, model.Leaver, map[string]string{"nickName": "2027-02-20"}, model.Leaver, true},
			"never came: ends as it starts": {[]any{"nickName", "2027-02-20", "title", "2027-02-19"}, model.Leaver, nil, model.Leaver, false},
			"one day":                       {[]any{"nickName", "2027-03-01", "title", "2027-03-01"}, model.Active, nil, model.Active, false},
			"leave unreadable, active":      {nil, model.Active, map[string]string{"preferredLanguage": "soon"}, model.Active, true},
			"leave's end unreadable, here":  {nil, model.Active, map[string]string{"preferredLanguage": "2027-01-01", "locale": "soon"}, model.Active, true},
			"leave unreadable, away":        {[]any{"preferredLanguage", "2027-02-01"}, model.Leave, map[string]string{"preferredLanguage": "soon"}, model.Leave, true},
			"leave ends before it begins":   {[]any{"preferredLanguage", "2027-02-01"}, model.Leave, map[string]string{"locale": "2027-01-01"}, model.Leave, true},
			"start unreadable, inactive":    {[]any{"nickName", "2027-04-01", "active", false}, model.Prehire, map[string]string{"nickName": "spring"}, model.Prehire, true},
			"end unreadable, away":          {[]any{"preferredLanguage", "2027-02-01"}, model.Leave, map[string]string{"title": "x"}, model.Leave, true},
			"end unreadable, leave begins":  {nil, model.Active, map[string]string{"title": "x", "preferredLanguage": "2027-02-01"}, model.Leave, true},
		} {
			u := w.person(strings.ReplaceAll(name, " ", "-"), append([]any{"displayName", "A"}, tt.before...)...)
			id := w.identityOf(u.ID)
			w.evaluate()
			if got := w.state(id).row.Stage; got != tt.was {
				w.t.Errorf("%s: begins as %s, want %s", name, got, tt.was)
			}
			var ops []string
			for path, value := range tt.then {
				ops = append(ops, fmt.Sprintf(`{"op":"add","path":%q,"value":%q}`, path, value))
			}
			if len(ops) > 0 {
				w.patch(w.user, u.ID, "["+strings.Join(ops, ",")+"]")
			}
			w.evaluate()
			s := w.state(id)
			if s.row.Stage != tt.want || (len(s.row.Findings) > 0) != tt.finding {
				w.t.Errorf("%s: %s with findings %q, want %s", name, s.row.Stage, s.row.Findings, tt.want)
			}
		}
		fresh := w.identityOf(w.person("fresh", "displayName", "F", "nickName", "2027-02-02", "title", "2027-01-01").ID)
		w.evaluate()
		w.wantStage(fresh, model.Prehire)
	})
}

// TestLeaveRuleFails: a rule that cannot be decided sends nobody away and brings
// nobody back.
func TestLeaveRuleFails(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(life, `user.userType == "away"`, `user.emails[0].value == "away@x"`, 1)
	each(t, configuration, func(w *world) {
		mail := func(address string) []any { return []any{map[string]any{"value": address, "type": "work"}} }
		here := w.person("here", "displayName", "H", "emails", mail("here@x"))
		gone := w.person("gone", "displayName", "G", "emails", mail("away@x"))
		hereID, goneID := w.identityOf(here.ID), w.identityOf(gone.ID)
		w.evaluate()
		for _, u := range []string{here.ID, gone.ID} {
			w.patch(w.user, u, `[{"op":"remove","path":"emails"}]`)
		}
		w.evaluate()
		w.wantStage(hereID, model.Active)
		w.wantStage(goneID, model.Leave)
		for _, id := range []string{hereID, goneID} {
			if s := w.state(id); len(s.row.Findings) != 1 || !strings.Contains(s.row.Findings[0], "leave") {
				w.t.Errorf("findings %q", s.row.Findings)
			}
		}
		fresh := w.identityOf(w.person("fresh", "displayName", "F").ID)
		w.evaluate()
		w.wantStage(fresh, model.Active)
	})
}

// TestContractorExtended: a later end before the end comes is no interruption; after
// it the same person comes back.
func TestContractorExtended(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada", "title", "2027-03-31")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.carriedOut()
		before := w.state(id).accounts["chat"]
		w.set(u.ID, "title", "2027-04-30")
		w.at("2027-04-02T00:00:00Z")
		w.wantStage(id, model.Active)
		if a := w.state(id).accounts["chat"]; a.Generation != before.Generation && a.Desired == nil {
			w.t.Errorf("interrupted: %+v", a)
		}
		w.set(u.ID, "title", "2027-04-20")
		w.at("2027-04-21T00:00:00Z")
		w.wantStage(id, model.Leaver)
		w.carriedOut()
		w.set(u.ID, "title", "2027-06-30")
		w.wantStage(id, model.Active)
		if a := w.state(id).accounts["chat"]; a.Desired == nil || a.RemoteID != before.RemoteID {
			w.t.Errorf("after the extension: %+v", a)
		}
		if diff := cmp.Diff([]string{"identity.joiner", "identity.extended", "identity.shortened", "identity.leaver", "identity.rehire"}, w.events(id)); diff != "" {
			w.t.Errorf("events:\n%s", diff)
		}
		if facts := w.lastEvent(id, "extended")["facts"]; fmt.Sprint(facts) != "[map[attribute:title from:2027-03-31 source:hr to:2027-04-30]]" {
			w.t.Errorf("facts of the extension: %v", facts)
		}
	})
}

// TestMoverSaysWhat: an event tells what was gained, kept and lost, and which facts
// changed on whose word.
func TestMoverSaysWhat(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		u := w.person("ada", "title", "Engineer", "nickName", "a", "emails", []any{map[string]any{"value": "a@x", "type": "work"}})
		id := w.identityOf(u.ID)
		w.evaluate()
		w.patch(w.user, u.ID, `[{"op":"replace","path":"title","value":"Painter"},{"op":"replace","path":"nickName","value":"b"},
			{"op":"replace","path":"userName","value":"ada.b"},{"op":"replace","path":"emails","value":[{"value":"a@docs.example","type":"work"}]}]`)
		w.evaluate()
		got := w.lastEvent(id, "mover")
		want := map[string]any{"stage": "active", "before": "active", "version": 1.0, "gained": []any{"writer"}, "lost": []any{"engineer"}, "kept": []any{"employee"},
			"facts": []any{
				map[string]any{"attribute": "emails", "from": []any{map[string]any{"type": "work", "value": "a@x"}}, "to": []any{map[string]any{"type": "work", "value": "a@docs.example"}}, "source": "hr"},
				map[string]any{"attribute": "title", "from": "Engineer", "to": "Painter", "source": "hr"},
				map[string]any{"attribute": "userName", "from": "ada", "to": "ada.b", "source": "hr"},
			}}
		if diff := cmp.Diff(want, got); diff != "" {
			w.t.Errorf("the event (-want +got):\n%s", diff)
		}
		w.patch(w.user, u.ID, `[{"op":"replace","path":"userName","value":"ada.c"}]`)
		w.evaluate()
		if got := w.lastEvent(id, "rename"); got["facts"] == nil {
			w.t.Errorf("rename: %v", got)
		}
		if s := w.state(id); s.row.Name != "ada.c" || s.accounts["chat"].Desired.UserName != "ada.c" {
			w.t.Errorf("after the rename: %+v", s.row)
		}
		events := len(w.events(id))
		w.patch(w.user, u.ID, `[{"op":"replace","path":"nickName","value":"c"}]`)
		w.evaluate()
		if n := len(w.events(id)); n != events {
			w.t.Errorf("an event for what nobody reads: %v", w.events(id))
		}
	})
}

// TestTransitionsOfLeave adds the rows about leave to those of TestTransition.
func TestTransitionsOfLeave(t *testing.T) {
	t.Parallel()
	role := []string{"r"}
	for _, tt := range []struct {
		before, after model.Stage
		gained        []string
		want          string
	}{
		{model.Active, model.Leave, nil, "leave"},
		{model.Leave, model.Active, role, "return"},
		{model.Leave, model.Leave, role, "mover"},
		{model.Leave, model.Leaver, nil, "leaver"},
		{model.Leaver, model.Leave, nil, "leave"},
		{"", model.Leave, role, "leave"},
		{model.Leaver, model.Prehire, nil, "prehire"},
		{model.Prehire, model.Prehire, nil, ""},
	} {
		if got := hub.Transition(tt.before, tt.after, tt.gained, nil); got != tt.want {
			t.Errorf("%q to %q: %q, want %q", tt.before, tt.after, got, tt.want)
		}
	}
}

// TestRecreatedWithinMoments: a source that deletes and makes somebody again under a
// new id interrupts nothing, if the hub did not look in between.
func TestRecreatedWithinMoments(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string]string{"one source": life, "more sources": strings.Replace(twoSources, "match: [", "purge_after: 720h\n  match: [", 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, configuration, func(w *world) {
				u := w.person("ada", "displayName", "Ada", "externalId", "E1")
				id := w.identityOf(u.ID)
				w.evaluate()
				w.carriedOut()
				before := w.state(id)
				w.remove("hr", w.user, u.ID)
				again := w.person("ada", "displayName", "Ada", "externalId", "E1")
				w.evaluate()
				after := w.state(id)
				if w.identityOf(again.ID) != id || after.accounts["chat"].Generation != before.accounts["chat"].Generation || after.accounts["chat"].Due {
					w.t.Errorf("interrupted: %+v", after.accounts["chat"])
				}
				if diff := cmp.Diff([]string{"identity.joiner"}, w.events(id)); diff != "" {
					w.t.Errorf("events:\n%s", diff)
				}
			})
		})
	}
}
