package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// leaveAll deletes people at the source, in one go.
func (w *world) leaveAll(users []scim.Resource) {
	w.t.Helper()
	for _, u := range users {
		w.remove("hr", w.user, u.ID)
	}
	w.evaluate()
}

func (w *world) held() []store.HeldLeaver {
	w.t.Helper()
	held, err := w.Store.HeldLeavers(ctxOf(w), "hr")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range held {
		if a := w.state(p.ID).accounts["chat"]; !a.Leaver || !a.LeaverHeld {
			w.t.Errorf("%s is held, and the account is not: %+v", p.Name, a)
		}
	}
	return held
}

var operator = hub.Actor{Name: "ops"}

// TestReleaseOneLeaver: one real leaver passes while the mass stays held; then all.
func TestReleaseOneLeaver(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		users := w.crew(8)
		w.carriedOut()
		w.leaveAll(users[:6])
		held := w.held()
		if len(held) != 4 {
			w.t.Fatalf("%d held", len(held))
		}
		left := held[1]
		out, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", "", []string{strings.ToUpper(left.Name), left.ID})
		if err != nil || len(out.People) != 1 || out.People[0].ID != left.ID {
			w.t.Fatalf("released %+v: %v", out, err)
		}
		w.evaluate()
		if a := w.state(left.ID).accounts["chat"]; a.LeaverHeld || !a.Leaver || !a.Due || a.Desired != nil {
			w.t.Errorf("released: %+v", a)
		}
		rest := w.held()
		if len(rest) != 3 {
			w.t.Fatalf("%d are held after one was released", len(rest))
		}
		// The mass again, after one of them came back: another digest.
		old := hub.LeaversDigest("hr", rest)
		w.person(rest[0].Name)
		w.evaluate()
		if _, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", old, nil); model.CodeOf(err) != model.Refused {
			w.t.Errorf("an old digest: %v", err)
		}
		if n := len(w.held()); n != 2 {
			w.t.Errorf("%d held after a refusal", n)
		}
		out, err = w.ReleaseLeavers(ctxOf(w), operator, "hr", hub.LeaversDigest("hr", w.held()), nil)
		if err != nil || len(out.People) != 2 {
			w.t.Errorf("released %+v: %v", out, err)
		}
		w.evaluate()
		if n := len(w.held()); n != 0 {
			w.t.Errorf("%d are still held", n)
		}
		if got := w.events(left.ID); !slices.Contains(got, "identity.released") {
			w.t.Errorf("events %v", got)
		}
		if n := w.db.Int(w.t, `SELECT count(*) FROM audit WHERE action = 'source.release' AND actor = 'ops'`); n != 2 {
			w.t.Errorf("%d audit entries of releases", n)
		}
		// Who comes back and leaves again is counted anew.
		again := w.person(left.Name)
		w.evaluate()
		w.leaveAll([]scim.Resource{again})
		if n := len(w.held()); n != 1 {
			w.t.Errorf("%d held: a release is for one leaving only", n)
		}
	})
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		users := w.crew(8)
		if _, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", "0123456789abcdef", nil); model.CodeOf(err) != model.Refused {
			w.t.Errorf("nobody is held: %v", err)
		}
		w.leaveAll(users[:6])
		held := w.held()
		digest := hub.LeaversDigest("hr", held)
		before := w.counts()
		for name, tt := range map[string]struct {
			digest string
			people []string
			want   model.Code
		}{
			"nothing said":   {"", nil, model.Invalid},
			"both":           {digest, []string{held[0].ID}, model.Invalid},
			"another digest": {"x" + digest[1:], nil, model.Refused},
			"unknown":        {"", []string{"nobody"}, model.NotFound},
			"not held":       {"", []string{"u7"}, model.Refused},
			"one not held":   {"", []string{held[0].ID, "u7"}, model.Refused},
		} {
			if out, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", tt.digest, tt.people); model.CodeOf(err) != tt.want || len(out.People) > 0 {
				w.t.Errorf("%s: %v, released %v", name, err, out.People)
			}
		}
		if got := w.counts(); got != before {
			w.t.Errorf("refusals left traces: %v, were %v", got, before)
		}
		slices.Reverse(held)
		if hub.LeaversDigest("hr", held) != digest || hub.LeaversDigest("hr", held[1:]) == digest || hub.LeaversDigest("okta", held) == digest {
			w.t.Error("the digest does not name the set")
		}
	})
}

// TestEvaluationKeepsRelease: an evaluation that read a person before the release and
// stores them after it does not hold them again.
func TestEvaluationKeepsRelease(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		users := w.crew(8)
		w.leaveAll(users[:6])
		id := w.held()[0].ID
		read := w.state(id).row
		if _, err := w.ReleaseLeavers(ctxOf(w), operator, "hr", "", []string{id}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.Store.Update(ctxOf(w), func(tx *store.Tx) error { return tx.SaveIdentity(read) }); err != nil {
			w.t.Fatal(err)
		}
		if w.state(id).row.OverGuard {
			w.t.Error("held again by what was read before")
		}
	})
}

// TestPlannedLeavers: whose end was known for long passes while the mass is held, and
// does not use up the guard.
func TestPlannedLeavers(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:", 1)
	each(t, configuration, func(w *world) {
		var planned []scim.Resource
		for i := range 5 {
			planned = append(planned, w.person(fmt.Sprint("p", i), "nickName", "2027-03-09T20:00:00Z"))
		}
		users := w.crew(8)
		// Moved into the window by an export that is broken: known too late.
		late := w.person("late")
		w.evaluate()
		w.clock.Set(noon().Add(199 * time.Hour).Add(30 * time.Minute))
		w.set(late.ID, "nickName", "2027-03-09T20:00:00Z")
		w.clock.Set(noon().Add(200 * time.Hour))
		w.remove("hr", w.user, planned[0].ID) // on the very day, before the hub looks
		w.leaveAll(users[:2])
		for _, u := range planned {
			id := w.db.Strings(w.t, `SELECT id FROM identities WHERE key = ?`, u.Attrs["userName"].(string))[0]
			s := w.state(id)
			if s.row.Stage != model.Leaver || s.row.OverGuard || !s.row.LeftPlanned || s.accounts["chat"].LeaverHeld {
				w.t.Errorf("planned %s: %+v", s.row.Name, s.row)
			}
			if w.lastEvent(id, "leaver")["planned"] != true {
				w.t.Error("the event does not say that it was planned")
			}
		}
		if held := w.overGuard(append([]scim.Resource{late}, users[:2]...)); held != 1 {
			w.t.Errorf("%d of 3 unplanned leavers are held, the limit is 2", held)
		}
		// Deleted before the end comes: no plan.
		early := w.person("early", "nickName", "2027-03-15T00:00:00Z")
		w.evaluate()
		w.clock.Add(10 * time.Minute)
		w.leaveAll([]scim.Resource{early})
		if w.overGuard([]scim.Resource{early}) != 1 {
			w.t.Error("who leaves long before the end known is taken for planned")
		}
	})
}

// TestMovedEndIsKnownAnew: an end that was moved counts as known since then.
func TestMovedEndIsKnownAnew(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:", 1)
	each(t, configuration, func(w *world) {
		u := w.person("ada", "nickName", "2027-05-01T00:00:00Z")
		id := w.identityOf(u.ID)
		w.evaluate()
		w.clock.Add(24 * time.Hour)
		w.set(u.ID, "title", "x")
		if r := w.state(id).row; r.EndsKnownAt == nil || !r.EndsKnownAt.Equal(noon()) {
			w.t.Errorf("known since %v", r.EndsKnownAt)
		}
		w.set(u.ID, "nickName", "2027-03-02T12:05:00Z")
		if r := w.state(id).row; r.EndsKnownAt == nil || !r.EndsKnownAt.Equal(w.clock.Now()) {
			w.t.Errorf("known since %v", r.EndsKnownAt)
		}
		w.clock.Add(time.Hour)
		w.evaluate()
		if r := w.state(id).row; r.Stage != model.Leaver || r.LeftPlanned {
			w.t.Errorf("%+v", r)
		}
		w.set(u.ID, "nickName", "")
		if r := w.state(id).row; r.Stage != model.Active || r.EndsAt != nil || r.EndsKnownAt != nil {
			w.t.Errorf("back without an end: %+v", r)
		}
	})
}

// TestPlannedEndReleases: whom the guard holds goes at their end, if that was known
// before, though nobody has looked at the others yet.
func TestPlannedEndReleases(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:", 1)
	each(t, configuration, func(w *world) {
		users := w.crew(6)
		ends := w.person("zed", "nickName", "2027-03-05T00:00:00Z")
		id := w.identityOf(ends.ID)
		w.evaluate()
		w.clock.Add(time.Hour)
		for _, u := range users {
			w.remove("hr", w.user, u.ID)
		}
		w.evaluate()
		w.leaveAll([]scim.Resource{ends}) // the broken export drops them, too
		if s := w.state(id); !s.row.OverGuard || s.row.NextAt == nil || !s.row.NextAt.Equal(time.Date(2027, 3, 5, 0, 0, 0, 0, time.UTC)) {
			w.t.Fatalf("%+v", s.row)
		}
		held := len(w.held())
		w.clock.Set(time.Date(2027, 3, 5, 0, 0, 0, 0, time.UTC))
		w.evaluate()
		if s := w.state(id); s.row.OverGuard || !s.row.LeftPlanned || s.accounts["chat"].LeaverHeld {
			w.t.Errorf("at the end: %+v", s.row)
		}
		if n := len(w.held()); n != held-1 {
			w.t.Errorf("%d are held, were %d", n, held)
		}
	})
}

// TestDatesOfAnEndAreUrgent: what may take access goes before what waits.
func TestDatesOfAnEndAreUrgent(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		u := w.person("ada", "displayName", "Ada")
		w.evaluate()
		for op, want := range map[string]int{
			`{"op":"add","path":"title","value":"2027-03-01"}`:             1,
			`{"op":"add","path":"preferredLanguage","value":"2027-03-01"}`: 1,
			`{"op":"replace","path":"active","value":false}`:               1,
			`{"op":"add","path":"profileUrl","value":"http://x"}`:          0,
			`{"op":"add","path":"userType","value":"away"}`:                1,
		} {
			w.patch(w.user, u.ID, "["+op+"]")
			if n := w.db.Int(w.t, `SELECT count(*) FROM marks WHERE CAST(urgent AS integer) = 1`); n != want {
				w.t.Errorf("%s: %d urgent marks", op, n)
			}
			w.evaluate()
		}
	})
}
