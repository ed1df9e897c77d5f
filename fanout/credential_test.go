package fanout

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestWarning(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, c := range []struct {
		left   time.Duration
		warned int
		want   int
	}{
		{31 * day, 0, 0}, {30 * day, 0, 30}, {29 * day, 30, 0}, {14 * day, 30, 14}, {10 * day, 0, 14}, {6 * day, 14, 7},
		{3*day + time.Minute, 7, 0}, {3 * day, 7, 3}, {day, 3, 1}, {time.Hour, 1, 0}, {-day, 0, 1}, {-day, 1, 0},
	} {
		expires := noon.Add(c.left)
		if got := warning(&expires, c.warned, noon); got != c.want {
			t.Errorf("%v left, warned at %d: %d, want %d", c.left, c.warned, got, c.want)
		}
	}
	if warning(nil, 0, noon) != 0 {
		t.Error("a credential without an end is warned of")
	}
}

func TestNextCredential(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { v := noon.Add(d); return &v }
	two := func(using string, change func(present, next *store.Credential)) []store.Credential {
		list := []store.Credential{{Slot: model.SlotPresent, InUse: using == model.SlotPresent}, {Slot: model.SlotNext, InUse: using == model.SlotNext}}
		if change != nil {
			change(&list[0], &list[1])
		}
		return list
	}
	fresh := func(p, n *store.Credential) { n.TestedAt = at(-time.Hour) }
	for _, c := range []struct {
		name  string
		facts credentialFacts
		want  credentialStep
	}{
		{"one slot", credentialFacts{Slots: two(model.SlotPresent, nil)[:1], Refused: "401"}, credentialStep{}},
		{"a new one is tried, and not used", credentialFacts{Slots: two(model.SlotPresent, nil)}, credentialStep{Test: model.SlotNext}},
		{"it was tried", credentialFacts{Slots: two(model.SlotPresent, fresh)}, credentialStep{}},
		{"asked for", credentialFacts{Slots: two(model.SlotPresent, fresh), Wanted: true}, credentialStep{model.SlotNext, "asked for"}},
		{"refused", credentialFacts{Slots: two(model.SlotPresent, fresh), Refused: "401"}, credentialStep{model.SlotNext, "the one in use is refused"}},
		{"owner leaves", credentialFacts{Slots: two(model.SlotPresent, fresh), OwnerLeaves: true}, credentialStep{model.SlotNext, "the owner of the one in use leaves"}},
		{"about to end", credentialFacts{Slots: two(model.SlotPresent, fresh), Expires: map[string]*time.Time{model.SlotPresent: at(time.Hour)}},
			credentialStep{model.SlotNext, "the one in use ends on " + noon.Add(time.Hour).Format(time.DateOnly)}},
		{"ends next month", credentialFacts{Slots: two(model.SlotPresent, fresh), Expires: map[string]*time.Time{model.SlotPresent: at(720 * time.Hour)}}, credentialStep{}},
		{"the next one has ended itself", credentialFacts{Slots: two(model.SlotPresent, nil), Refused: "401", Expires: map[string]*time.Time{model.SlotNext: at(-time.Hour)}},
			credentialStep{Test: model.SlotNext}},
		{"refused lately", credentialFacts{Refused: "401", Slots: two(model.SlotPresent, func(_, n *store.Credential) { n.Refused, n.Tries, n.TestedAt = "401", 3, at(-time.Minute) })}, credentialStep{}},
		{"refused a while ago", credentialFacts{Refused: "401", Slots: two(model.SlotPresent, func(_, n *store.Credential) { n.Refused, n.Tries, n.TestedAt = "401", 3, at(-time.Hour) })},
			credentialStep{model.SlotNext, "the one in use is refused"}},
		{"the next one is in use and refused", credentialFacts{Slots: two(model.SlotNext, nil), Refused: "401"}, credentialStep{model.SlotPresent, "the one in use is refused"}},
		{"the next one is in use and well", credentialFacts{Slots: two(model.SlotNext, func(p, _ *store.Credential) { p.TestedAt = at(-time.Hour) }), Wanted: true}, credentialStep{model.SlotPresent, ""}},
	} {
		if got := nextStep(c.facts, noon); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// A configuration in which the next credential has become the first one goes on with it.
func TestKnownCredentials(t *testing.T) {
	t.Parallel()
	auth := func(first, second string) model.Auth {
		a := model.Auth{Bearer: model.NewSecret("${env:" + first + "}")}
		if second != "" {
			a.Next = &model.NextAuth{Secret: model.NewSecret("${env:" + second + "}")}
		}
		return a
	}
	have := known(nil, credentialSlots(auth("OLD", "NEW")), noon)
	if len(have) != 2 || !have[0].InUse || have[1].InUse {
		t.Fatalf("%+v", have)
	}
	have[0].InUse, have[1].InUse, have[0].Warned = false, true, 7
	moved := known(have, credentialSlots(auth("NEW", "")), noon.Add(time.Hour))
	if len(moved) != 1 || !moved[0].InUse || !moved[0].FirstSeen.Equal(noon) || moved[0].Warned != 0 {
		t.Errorf("moved: %+v", moved)
	}
	other := known(have, credentialSlots(auth("OTHER", "THIRD")), noon.Add(time.Hour))
	if len(other) != 2 || !other[0].InUse || other[0].Warned != 0 || !other[0].FirstSeen.Equal(noon.Add(time.Hour)) {
		t.Errorf("replaced: %+v", other)
	}
}

func TestCredentialOwner(t *testing.T) {
	t.Parallel()
	target := model.Target{Name: "wiki", Mode: model.ModeEnforce, Leaver: model.LeaverPolicy{First: "disable"},
		Auth: model.Auth{Bearer: model.NewSecret("x"), Owner: "Ann@example.com", Next: &model.NextAuth{Secret: model.NewSecret("y"), Owner: "bob@example.com"}}}
	row := func(name string) model.AccountRow {
		return model.AccountRow{Identity: "i-" + name, RemoteID: "r-" + name, Owned: model.OwnedCreated, Leaver: true, Applied: &model.Account{UserName: name + "@example.com", Active: true}}
	}
	held := func(target model.Target, name string) string {
		t.Helper()
		plan := Diff(target, generic(t), []model.AccountRow{row(name)}, noon)
		if len(plan.Changes) != 1 || plan.Changes[0].Verb != model.Disable {
			t.Fatalf("%+v", plan)
		}
		return plan.Changes[0].Held
	}
	if got := held(target, "ann"); !strings.HasPrefix(got, heldOwner) || !strings.Contains(got, "target rotate wiki") {
		t.Errorf("the owner: %q", got)
	}
	if got := held(target, "bob"); got != "" {
		t.Errorf("the owner of the one that is not in use: %q", got)
	}
	target.Auth.InUse = model.SlotNext
	if held(target, "ann") != "" || held(target, "bob") == "" {
		t.Error("the owner is still that of the old one")
	}
	target.Auth.InUse, target.Auth.Owner = "", "r-ann"
	if held(target, "ann") == "" {
		t.Error("an owner named by id")
	}
}

// tokens lets requests with some tokens through to an application.
type tokens struct {
	mu   sync.Mutex
	good map[string]bool
	next http.Handler
}

func (k *tokens) accept(list ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.good = map[string]bool{}
	for _, t := range list {
		k.good["Bearer "+t] = true
	}
}

func (k *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	ok := k.good[r.Header.Get("Authorization")] || strings.HasPrefix(r.URL.Path, "/_app")
	k.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.Header.Set("Authorization", "Bearer token")
	k.next.ServeHTTP(w, r)
}

func rotatingWorld(t *testing.T, owner string) (*world, *tokens) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gate := &tokens{next: a.Handler()}
	gate.accept("old")
	w := worldWith(t, a, gate, func(t *model.Target) {
		t.Auth = model.Auth{Bearer: model.NewSecret("old"), Owner: owner, Next: &model.NextAuth{Secret: model.NewSecret("new")}}
	})
	return w, gate
}

func (w *world) slot() (using string, next store.Credential) {
	w.t.Helper()
	list, err := w.store.Credentials(w.t.Context(), "git")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range list {
		if c.InUse {
			using = c.Slot
		}
		if c.Slot == model.SlotNext {
			next = c
		}
	}
	return using, next
}

// A refused token makes place for the next one by itself, and the work goes on.
func TestWorkerTakesNextCredential(t *testing.T) {
	t.Parallel()
	w, gate := rotatingWorld(t, "")
	w.start()
	w.wantMany(5)
	w.allIn(model.StateInSync)
	w.until("the next one was tried", func(map[string]model.AccountRow) bool { _, next := w.slot(); return next.Refused != "" })
	if using, _ := w.slot(); using != model.SlotPresent {
		t.Fatalf("a refused credential has taken over: %s", using)
	}
	gate.accept("new")
	long := time.Now().Add(-2 * time.Hour) // as if the refusal were long ago
	err := w.store.ChangeCredentials(t.Context(), "git", func(_ *store.Tx, list []store.Credential) ([]store.Credential, error) {
		for i := range list {
			if list[i].TestedAt != nil {
				list[i].TestedAt = &long
			}
		}
		return list, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.want(model.AccountRow{Identity: "one-more", Desired: account("zoe")})
	w.until("the next one is in use", func(map[string]model.AccountRow) bool { using, _ := w.slot(); return using == model.SlotNext })
	w.until("zoe is made", func(rows map[string]model.AccountRow) bool {
		if err := w.store.DueNow(t.Context(), "git"); err != nil { // what was under way with the old one failed
			t.Fatal(err)
		}
		return rows["one-more"].State == model.StateInSync
	})
}

// The owner of the token in use is not disabled; where the next one works it takes over
// by itself, and then they are.
func TestWorkerOwnerLeaves(t *testing.T) {
	t.Parallel()
	w, gate := rotatingWorld(t, "anna")
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")})
	w.allIn(model.StateInSync)
	at := time.Now()
	w.want(model.AccountRow{Identity: "a", Leaver: true, LeaverAt: &at})
	rows := w.until("held", func(rows map[string]model.AccountRow) bool { return rows["a"].State == model.StateHeld })
	if !strings.HasPrefix(rows["a"].LastError, heldOwner) {
		t.Errorf("held: %s", rows["a"].LastError)
	}
	if w.users()["anna"]["active"] != true {
		t.Fatal("the owner of the credential was disabled")
	}
	gate.accept("old", "new")
	if err := w.store.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) { st.RotateWanted = true }); err != nil {
		t.Fatal(err)
	}
	w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["a"].State == model.StateDisabled })
	if using, _ := w.slot(); using != model.SlotNext {
		t.Errorf("in use: %s", using)
	}
}
