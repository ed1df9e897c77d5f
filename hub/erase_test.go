package hub_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// marker is in everything that is personal of whom the tests erase.
const marker = "zzyzx"

// findMarker lists the places in the whole database in which the marker is, whatever
// tables and columns there are.
func (w *world) findMarker() (places []string) {
	w.t.Helper()
	columns := `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1`
	if w.db.Dialect == storetest.Postgres {
		columns = `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1`
	}
	for _, place := range w.db.Strings(w.t, columns) {
		table, column, _ := strings.Cut(place, ".")
		if n := w.db.Int(w.t, fmt.Sprintf(`SELECT count(*) FROM %s WHERE lower(CAST(%s AS text)) LIKE ?`, table, column), "%"+marker+"%"); n > 0 {
			places = append(places, fmt.Sprintf("%s in %d rows", place, n))
		}
	}
	return places
}

// wholeLife makes somebody of whom the hub knows as much as it can, who then leaves.
func (w *world) wholeLife() (id string, resource scim.Resource) {
	w.t.Helper()
	u := w.person("Zzyzx@x", "displayName", "Wanda Zzyzx", "externalId", "E-zzyzx", "title", "2027-12-31", "password", "zzyzx-password",
		"emails", []any{map[string]any{"value": "wanda@zzyzx.example", "type": "work"}},
		"name", map[string]any{"familyName": "Zzyzx"})
	id = w.identityOf(u.ID)
	w.team("zz", u.ID)
	w.evaluate()
	w.carriedOut()
	w.set(u.ID, "displayName", "Walda Zzyzx")
	w.set(u.ID, "nickName", "zzyzx")
	request, err := json.Marshal(model.Request{ID: "q1", Identity: id, AskedBy: id, Actor: "Zzyzx@x", Role: "writer", State: model.RequestPending, Reason: "zzyzx wants it",
		Facts: model.Facts{"title": "zzyzx"}, Asked: []string{"i2"}, Steps: []model.Step{{Approvers: []string{"manager"}, Decisions: []model.Approval{{Approver: "i2", Actor: "boss", Reason: "for zzyzx"}}}},
		Review: &model.Review{Why: "moved", Step: model.Step{Decisions: []model.Approval{{Reason: "zzyzx"}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.db.Exec(w.t, `INSERT INTO requests (id, identity_id, role, state, live, asked_by, created_at, version, doc) VALUES ('q1', ?, 'writer', 'ended', FALSE, ?, 1, 1, ?)`, id, id, string(request))
	w.db.Exec(w.t, `INSERT INTO exceptions (id, identity_id, roles, owner, reason, made_by, from_at, until_at, made_at) VALUES ('x1', ?, '[]', 'i2', 'zzyzx may', 'ops', 1, 2, 1)`, id)
	w.db.Exec(w.t, `UPDATE accounts SET last_error = 'Zzyzx@x is refused', observed = applied WHERE identity_id = ?`, id)
	w.addTask(model.Task{Kind: model.TaskManual, Target: "git", Identity: id, UserName: "Zzyzx@x", What: "make Zzyzx@x", Changes: []model.Change{{Verb: model.Create, UserName: "Zzyzx@x"}}, LastError: "zzyzx"})
	if err := w.Store.AuditChanges(ctxOf(w), "chat", []model.Change{{Verb: model.Update, Identity: id, UserName: "Zzyzx@x"}}); err != nil {
		w.t.Fatal(err)
	}
	return id, u
}

func TestErase(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		other := w.identityOf(w.person("other", "displayName", "W").ID)
		id, u := w.wholeLife()
		if _, err := w.Erase(ctxOf(w), operator, id, true); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "active") {
			w.t.Errorf("at work: %v", err)
		}
		w.remove("hr", w.user, u.ID)
		if _, err := w.Erase(ctxOf(w), operator, id, true); err == nil {
			w.t.Error("erased before the leaving was evaluated")
		}
		w.evaluate()
		before := w.counts()
		if _, err := w.Erase(ctxOf(w), operator, id, true); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "chat") {
			w.t.Errorf("with an active account: %v", err)
		}
		if got := w.counts(); got != before || len(w.findMarker()) < 8 {
			w.t.Errorf("a refusal changed something: %v, were %v; %q", got, before, w.findMarker())
		}
		w.carriedOut()
		w.db.Exec(w.t, `UPDATE accounts SET because = '{"":[{"role":"zzyzx"}]}' WHERE identity_id = ?`, id)
		w.db.Exec(w.t, `UPDATE accounts SET user_name = 'zzyzx', due = TRUE, next_at = ? WHERE identity_id = ? AND target = 'chat'`, noon().Add(time.Hour).UnixMicro(), id)
		out, err := w.Erase(ctxOf(w), operator, "ZZYZX@x", false)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(out.Remaining) != 2 || out.Remaining[0].Target != "chat" || out.Remaining[0].RemoteID != "r-"+id || out.Remaining[0].DeletesAt == nil || out.Remaining[1].DeletesAt != nil || out.Entries == 0 {
			w.t.Errorf("%+v", out)
		}
		if places := w.findMarker(); len(places) > 0 {
			w.t.Errorf("still there: %q", places)
		}
		s := w.state(id)
		if s.row.Stage != model.Purged || s.row.Name != id || s.row.ErasedAt == nil || len(s.row.User) > 0 || len(s.accounts) != 2 {
			w.t.Errorf("%+v %v", s.row, s.accounts)
		}
		if _, faults, err := w.Store.VerifyAudit(ctxOf(w)); len(faults) > 0 || err != nil {
			w.t.Errorf("the audit trail does not hold any more: %v %v", faults, err)
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM audit WHERE action = 'identity.erase' AND actor = 'ops' AND identity_id = ?`, id); n != 1 {
			w.t.Errorf("%d entries say so", n)
		}
		if s := w.state(other); s.row.Stage != model.Active || len(s.roles) != 2 {
			w.t.Errorf("somebody else: %+v %v", s.row, s.roles)
		}
		if _, err := w.Erase(ctxOf(w), operator, id, false); model.CodeOf(err) != model.Conflict {
			w.t.Errorf("erased twice: %v", err)
		}
		// A mark, whoever made it, brings nothing back, and the name is somebody new's.
		update(w, "anybody", id)
		w.evaluate()
		if s := w.state(id); s.row.Stage != model.Purged || len(w.marked()) > 0 {
			w.t.Errorf("evaluated again: %+v", s.row)
		}
		fresh := w.identityOf(w.person("Zzyzx@x", "externalId", "E-zzyzx", "displayName", "Z").ID)
		w.evaluate()
		if fresh == id {
			w.t.Error("somebody erased came back")
		}
		w.wantStage(fresh, model.Active)
		w.wantStage(id, model.Purged)
	})
}

// TestEraseByForce removes what a source still says, too.
func TestEraseByForce(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		id, u := w.wholeLife()
		w.enable(u.ID, false)
		w.carriedOut()
		if _, err := w.Erase(ctxOf(w), operator, id, false); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "hr/"+u.ID) {
			w.t.Errorf("described by a source: %v", err)
		}
		out, err := w.Erase(ctxOf(w), operator, id, true)
		if err != nil || out.Resources != 1 {
			w.t.Fatalf("%+v: %v", out, err)
		}
		if places := w.findMarker(); len(places) > 0 {
			w.t.Errorf("still there: %q", places)
		}
		if _, err := w.Get(ctxOf(w), by("hr"), w.user, u.ID, scim.Fields{}); err == nil {
			w.t.Error("the source still has the resource")
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM group_members`); n != 0 {
			w.t.Error("still a member of groups")
		}
		if _, faults, err := w.Store.VerifyAudit(ctxOf(w)); len(faults) > 0 || err != nil {
			w.t.Errorf("audit: %v %v", faults, err)
		}
		again := w.identityOf(w.person("Zzyzx@x", "displayName", "Z").ID)
		w.evaluate()
		if again == id {
			w.t.Error("somebody erased came back")
		}
	})
}

// TestEraseNamesWhatIsOpen: each account by which somebody may still get in is named.
func TestEraseNamesWhatIsOpen(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Wanda")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.carriedOut()
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		w.carriedOut()
		for change, want := range map[string]string{
			`applied = '{"userName":"a","active":true}'`:           "active",
			`sent = '[{"userName":"a","active":true}]'`:            "not heard",
			`owned = 'creating'`:                                   "not heard",
			`due = TRUE, state = 'failed'`:                         "under way",
			`due = TRUE, state = 'pending'`:                        "under way",
			`leaver_held = TRUE`:                                   "guard",
			`desired = '{"userName":"a","active":false}'`:          "due",
			`due = TRUE, state = 'drifted', drift = 'changed'`:     "under way",
			`applied = '{"userName":"a","active":true}', due=TRUE`: "active",
		} {
			w.db.Exec(w.t, `UPDATE accounts SET `+change+` WHERE target = 'wiki' AND identity_id = ?`, id)
			_, err := w.Erase(ctxOf(w), operator, "ada", false)
			if model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "wiki") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "chat") {
				w.t.Errorf("%s: %v", change, err)
			}
			w.db.Exec(w.t, `UPDATE accounts SET desired = NULL, owned = 'created', sent = NULL, leaver_held = FALSE, drift = ''`)
			w.carriedOut()
		}
		if _, err := w.Erase(ctxOf(w), operator, "ada", false); err != nil {
			w.t.Error(err)
		}
		if _, err := w.Erase(ctxOf(w), operator, "nobody", false); model.CodeOf(err) != model.NotFound {
			w.t.Errorf("nobody: %v", err)
		}
	})
}

// TestEraseTakesThoseMergedAlong: an identity that turned out to be another is erased
// with it.
func TestEraseTakesThoseMergedAlong(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		id, u := w.wholeLife()
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		w.carriedOut()
		w.db.Exec(w.t, `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings, merged_into)
SELECT 'shell', name, key, stage, user_doc, origin, 1, 1, '', FALSE, '[]', id FROM identities WHERE id = ?`, id)
		if _, err := w.Erase(ctxOf(w), operator, "shell", false); err != nil { // its id leads to the person
			w.t.Fatal(err)
		}
		if places := w.findMarker(); len(places) > 0 {
			w.t.Errorf("still there: %q", places)
		}
		if s := w.state("shell"); s.row.ErasedAt == nil || s.row.Stage != model.Purged {
			w.t.Errorf("%+v", s.row)
		}
	})
}

// TestPurgeAfter: erased by the clock when nobody describes them any more and all
// access is off; not before, and not if they come back.
func TestPurgeAfter(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(life, "identity:\n", "identity:\n  purge_after: 720h\n", 1)
	each(t, configuration, func(w *world) {
		id, u := w.wholeLife()
		stays := w.person("inactive", "displayName", "I")
		back := w.person("back", "displayName", "B", "externalId", "B1")
		backID := w.identityOf(back.ID)
		w.evaluate()
		w.carriedOut()
		w.remove("hr", w.user, u.ID)
		w.remove("hr", w.user, back.ID)
		w.enable(stays.ID, false)
		if _, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", "", []string{"inactive"}); err != nil && model.CodeOf(err) != model.Refused {
			w.t.Fatal(err)
		}
		w.evaluate()
		if r := w.state(id).row; r.NextAt == nil || !r.NextAt.Equal(noon().Add(720*time.Hour)) {
			w.t.Errorf("looked at again at %v", r.NextAt)
		}
		w.clock.Add(719 * time.Hour)
		w.person("back", "displayName", "B", "externalId", "B1")
		w.evaluate()
		w.wantStage(id, model.Leaver)
		w.clock.Add(2 * time.Hour)
		w.evaluate()
		w.wantStage(id, model.Leaver) // the accounts are not off yet
		w.db.Exec(w.t, `UPDATE identities SET over_guard = FALSE`)
		w.carriedOut()
		w.db.Exec(w.t, `UPDATE accounts SET leaver_held = FALSE`)
		w.clock.Add(2 * time.Hour)
		w.evaluate()
		w.wantStage(id, model.Purged)
		if places := w.findMarker(); len(places) > 0 {
			w.t.Errorf("still there: %q", places)
		}
		w.wantStage(backID, model.Active)
		w.wantStage(w.identityOf(stays.ID), model.Leaver) // the source still describes them
		if got := w.events(id); !slices.Equal(got[len(got)-1:], []string{"identity.purged"}) {
			w.t.Errorf("events %v", got)
		}
		if n := len(w.marked()); n != 0 {
			w.t.Errorf("%d marks left", n)
		}
	})
}

// TestOlderConfigurationErasesNobody: what cannot be undone is left to whoever has the
// configuration that is active.
func TestOlderConfigurationErasesNobody(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(life, "identity:\n", "identity:\n  purge_after: 720h\n", 1)
	each(t, configuration, func(w *world) {
		apply := func(text string, base int64) *hub.Snapshot {
			snap, err := w.Apply(ctxOf(w), operator, "hub.yaml", []byte(text), base)
			if err != nil {
				w.t.Fatal(err)
			}
			return snap
		}
		w.Activate(apply(configuration, 0))
		u := w.person("ada", "displayName", "A")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		newer := apply(life, 1)
		w.clock.Add(1000 * time.Hour)
		for range 3 {
			if _, err := w.EvaluateBatch(ctxOf(w)); err != nil {
				w.t.Fatal(err)
			}
		}
		w.wantStage(id, model.Leaver)
		w.Activate(newer)
		w.clock.Add(time.Hour)
		w.evaluate()
		w.wantStage(id, model.Leaver)
		if r := w.state(id).row; r.NextAt != nil {
			w.t.Errorf("a timer without a rule: %v", r.NextAt)
		}
		w.Activate(apply(configuration, 2))
		w.evaluate()
		w.wantStage(id, model.Purged)
	})
}

// TestNothingIsStoredOfWhoWasErased: an evaluation that read somebody before the
// erasure brings nothing back.
func TestNothingIsStoredOfWhoWasErased(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		id, u := w.wholeLife()
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		w.carriedOut()
		read := w.state(id).row
		if _, err := w.Erase(ctxOf(w), operator, id, false); err != nil {
			w.t.Fatal(err)
		}
		if err := w.Store.Update(ctxOf(w), func(tx *store.Tx) error { return tx.SaveIdentity(read) }); err != nil {
			w.t.Fatal(err)
		}
		if places := w.findMarker(); len(places) > 0 {
			w.t.Errorf("back again: %q", places)
		}
	})
}

// TestEraseDespiteTargetsThatAreGone: what cannot be done any more is told, not waited for.
func TestEraseDespiteTargetsThatAreGone(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.carriedOut()
		w.db.Exec(w.t, `UPDATE accounts SET target = 'old' WHERE identity_id = ?`, id)
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		out, err := w.Erase(ctxOf(w), operator, "ada", false)
		if err != nil || len(out.Remaining) != 1 || !out.Remaining[0].Active || out.Remaining[0].Target != "old" {
			w.t.Errorf("%+v: %v", out, err)
		}
	})
}
