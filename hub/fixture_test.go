package hub_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const oneSource = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 2}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer:
    when: user.title == "Engineer"
    deny: user.userType == "contractor"
    inherits: [employee]
    grants: [{target: git, group: engineers}]
  writer: {when: 'user.emails[0].value.endsWith("@docs.example")', grants: [{target: wiki}]}
  team: {when: '"team" in user.groups', grants: [{target: git, group: team}]}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  git: {url: http://127.0.0.1:2, profile: generic}
  wiki: {url: http://127.0.0.1:3, profile: generic}
`

const twoSources = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc}
  okta: {dialect: rfc}
  third: {dialect: rfc}
identity:
  match: [externalId, userName, 'emails[type eq "work"].value']
  authority: {title: [hr], "*": [hr, okta, third]}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
`

// noon is when clocks of tests start.
func noon() time.Time { return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is a hub on a fresh database with a clock of its own.
type world struct {
	*hub.Hub
	t     *testing.T
	db    *storetest.DB
	clock *storetest.Clock
	user  *scim.ResourceType
	group *scim.ResourceType
}

// each runs a test on every dialect; the clock stands still.
func each(t *testing.T, configuration string, run func(w *world)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock(noon())
			db := storetest.Open(t, dialect, store.Options{Now: clock.Now})
			h := hub.New(db.Store, slog.New(slog.DiscardHandler))
			snap, err := hub.Compile(1, "hub.yaml", []byte(configuration), nil)
			if err != nil {
				t.Fatal(err)
			}
			h.Activate(snap)
			w := &world{Hub: h, t: t, db: db, clock: clock}
			w.user, _ = scim.DefaultRegistry().Type("User")
			w.group, _ = scim.DefaultRegistry().Type("Group")
			run(w)
		})
	}
}

func by(source string) hub.Actor { return hub.Actor{Source: source, Name: "main"} }

func (w *world) create(source string, t *scim.ResourceType, attrs map[string]any) scim.Resource {
	w.t.Helper()
	r, err := w.Create(w.t.Context(), by(source), t, attrs)
	if err != nil {
		w.t.Fatalf("create %v: %v", attrs, err)
	}
	return r
}

// person pushes a user of source hr; pairs of attributes follow.
func (w *world) person(userName string, pairs ...any) scim.Resource {
	w.t.Helper()
	attrs := map[string]any{"schemas": []any{scim.URNUser}, "userName": userName, "active": true}
	for i := 0; i < len(pairs); i += 2 {
		attrs[pairs[i].(string)] = pairs[i+1]
	}
	return w.create("hr", w.user, attrs)
}

func (w *world) team(name string, ids ...string) scim.Resource {
	w.t.Helper()
	attrs := map[string]any{"schemas": []any{scim.URNGroup}, "displayName": name}
	if len(ids) > 0 {
		attrs["members"] = memberList(ids...)
	}
	return w.create("hr", w.group, attrs)
}

func memberList(ids ...string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"value": id}
	}
	return out
}

func always(scim.Meta) error { return nil }

// patch changes a resource of source hr by the text of PATCH operations.
func (w *world) patch(t *scim.ResourceType, id, operations string) scim.Resource {
	w.t.Helper()
	r, err := w.tryPatch(t, id, operations)
	if err != nil {
		w.t.Fatalf("%s: %v", operations, err)
	}
	return r
}

func (w *world) tryPatch(t *scim.ResourceType, id, operations string) (scim.Resource, error) {
	w.t.Helper()
	body := `{"schemas":["` + scim.URNPatchOp + `"],"Operations":` + operations + `}`
	p, err := scim.ParsePatch([]byte(body), t, scim.Dialect{})
	if err != nil {
		return scim.Resource{}, err
	}
	return w.Modify(w.t.Context(), by("hr"), t, id, always, scim.Change{Patch: p}, scim.Fields{})
}

func (w *world) remove(source string, t *scim.ResourceType, id string) {
	w.t.Helper()
	if err := w.Delete(w.t.Context(), by(source), t, id, always); err != nil {
		w.t.Fatal(err)
	}
}

// evaluate works until nothing is marked.
func (w *world) evaluate() {
	w.t.Helper()
	for range 50 {
		n, err := w.EvaluateBatch(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("the evaluation does not end: somebody is marked again and again")
}

// marked lists the people marked now.
func (w *world) marked() []string {
	return w.db.Strings(w.t, `SELECT identity_id FROM marks ORDER BY identity_id`)
}

func (w *world) identityOf(resource string) string {
	w.t.Helper()
	ids := w.db.Strings(w.t, `SELECT identity_id FROM resources WHERE id = ?`, resource)
	if len(ids) != 1 {
		w.t.Fatalf("resource %s: identities %v", resource, ids)
	}
	return ids[0]
}

// state is what the hub knows of a person.
type state struct {
	row      store.IdentityRow
	roles    []string
	because  map[string][]model.Reason // by role
	accounts map[string]model.AccountRow
}

func (w *world) state(identity string) state {
	w.t.Helper()
	s := state{because: map[string][]model.Reason{}, accounts: map[string]model.AccountRow{}}
	err := w.Store.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		if s.row, err = tx.Identity(identity); err != nil {
			return err
		}
		grants, err := tx.Grants([]string{identity})
		if err != nil {
			return err
		}
		for _, g := range grants[identity] {
			s.roles = append(s.roles, g.Role)
			s.because[g.Role] = g.Because
		}
		accounts, err := tx.AccountsOf([]string{identity})
		for _, a := range accounts {
			s.accounts[a.Target] = a
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(s.roles)
	return s
}

// events lists the types of a person's events, in order.
func (w *world) events(identity string) []string {
	return w.db.Strings(w.t, `SELECT type FROM events WHERE identity_id = ? AND type LIKE 'identity.%' ORDER BY id`, identity)
}

// counts are the rows that a write makes.
func (w *world) counts() [3]int {
	return [3]int{w.db.Int(w.t, `SELECT count(*) FROM events`), w.db.Int(w.t, `SELECT count(*) FROM audit`), w.db.Int(w.t, `SELECT coalesce(sum(generation), 0) FROM marks`)}
}

func ctxOf(w *world) context.Context { return w.t.Context() }
