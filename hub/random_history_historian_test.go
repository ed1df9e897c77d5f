package hub_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// historian puts happenings to a hub and keeps what the sources say from then on.
type historian struct {
	*world
	prefix string
	began  time.Time
	ids    map[string]string // of resources, see key
	facts  sourceFacts
	log    []happening
	other  *hub.Hub // another replica
}

func (w *world) historian(prefix string) *historian {
	return &historian{world: w, prefix: prefix, began: w.clock.Now(), ids: map[string]string{}, facts: newSourceFacts()}
}

func key(kind string, s slot) string { return kind + s.source + strconv.Itoa(s.n) }

// do lets something happen. An error is an answer of the hub that nobody expects.
func (h *historian) do(e happening) error {
	h.log = append(h.log, e)
	s := slot{e.source, e.who}
	switch e.what {
	case "tick":
		h.clock.Add(time.Duration(e.hours) * time.Hour)
	case "evaluate", "batch", "both", "other":
		return h.work(e.what)
	case "put":
		return h.put(s, e.facts)
	case "patch":
		return h.change(s, e.facts)
	case "delete":
		if _, ok := h.facts.users[s]; ok {
			delete(h.facts.users, s)
			h.facts.forget(s.source, s.n)
			return h.Delete(h.t.Context(), by(s.source), h.user, h.ids[key("u", s)], always)
		}
	case "delete group":
		if _, ok := h.facts.displays[s]; ok {
			delete(h.facts.displays, s)
			delete(h.facts.members, s)
			h.facts.forget(s.source, -1-s.n)
			return h.Delete(h.t.Context(), by(s.source), h.group, h.ids[key("g", s)], always)
		}
	case "put group":
		return h.putGroup(s, e.facts["display"])
	case "join", "part":
		return h.members(s, e.member, e.what == "join")
	}
	return nil
}

// work evaluates: all, or one batch, by the other replica, or by both at once.
func (h *historian) work(how string) error {
	if h.other == nil {
		h.other = hub.New(h.Store, slog.New(slog.DiscardHandler))
		h.other.Activate(h.Snapshot())
	}
	switch how {
	case "batch":
		_, err := h.EvaluateBatch(h.t.Context())
		return err
	case "other":
		_, err := h.other.EvaluateBatch(h.t.Context())
		return err
	case "both":
		var wait sync.WaitGroup
		errs := make([]error, 2)
		for i, r := range []*hub.Hub{h.Hub, h.other} {
			wait.Go(func() { _, errs[i] = r.EvaluateBatch(h.t.Context()) })
		}
		wait.Wait()
		if errs[0] != nil {
			return errs[0]
		}
		return errs[1]
	}
	h.evaluate()
	return nil
}

// put creates or replaces a person.
func (h *historian) put(s slot, facts map[string]string) error {
	next := maps.Clone(facts)
	old, exists := h.facts.users[s]
	if next["name"] = strconv.Itoa(s.n); exists {
		next["name"] = old["name"]
	}
	doc := factDocument(h.prefix, h.began, s.n, next)
	if exists {
		h.facts.users[s] = next
		_, err := h.Modify(h.t.Context(), by(s.source), h.user, h.ids[key("u", s)], always, scim.Change{Replace: doc}, scim.Fields{})
		return err
	}
	r, err := h.Create(h.t.Context(), by(s.source), h.user, doc)
	if h.facts.taken(s, next["name"]) {
		return refused(err)
	}
	h.facts.users[s], h.ids[key("u", s)] = next, r.ID
	return err
}

// refused turns round whether it is an error that a name was taken.
func refused(err error) error {
	if e, ok := scim.AsError(err); ok && e.Status == 409 {
		return nil
	}
	return fmt.Errorf("a name that was taken is not refused: %w", err)
}

// change patches facts of a person, one operation each.
func (h *historian) change(s slot, facts map[string]string) error {
	old, exists := h.facts.users[s]
	if !exists {
		return nil
	}
	next, operations := maps.Clone(old), []any{}
	for _, fact := range slices.Sorted(maps.Keys(facts)) {
		next[fact] = facts[fact]
		op := map[string]any{"op": "remove", "path": factPaths[fact]}
		if v := factValue(h.prefix, h.began, fact, facts[fact]); v != nil {
			op["op"], op["value"] = "replace", v
		}
		operations = append(operations, op)
	}
	err := h.patchAs(s.source, h.user, h.ids[key("u", s)], operations)
	if h.facts.taken(s, next["name"]) {
		return refused(err)
	}
	h.facts.users[s] = next
	return err
}

func (h *historian) patchAs(source string, t *scim.ResourceType, id string, operations []any) error {
	body, err := json.Marshal(map[string]any{"schemas": []string{scim.URNPatchOp}, "Operations": operations})
	if err != nil {
		return err
	}
	p, err := scim.ParsePatch(body, t, scim.Dialect{})
	if err != nil {
		return err
	}
	_, err = h.Modify(h.t.Context(), by(source), t, id, always, scim.Change{Patch: p}, scim.Fields{})
	return err
}

// putGroup creates a group, or gives it another name.
func (h *historian) putGroup(s slot, display string) error {
	_, exists := h.facts.displays[s]
	h.facts.displays[s] = display
	if exists {
		return h.patchAs(s.source, h.group, h.ids[key("g", s)], []any{map[string]any{"op": "replace", "path": "displayName", "value": display}})
	}
	h.facts.members[s] = map[int]bool{}
	r, err := h.Create(h.t.Context(), by(s.source), h.group, map[string]any{"schemas": []any{scim.URNGroup}, "displayName": display})
	h.ids[key("g", s)] = r.ID
	return err
}

func (h *historian) members(group slot, member int, joins bool) error {
	list, exists := h.facts.members[group]
	m, id := slot{group.source, member}, ""
	if _, ok := h.facts.users[m]; ok {
		id = h.ids[key("u", m)]
	}
	if nested := (slot{group.source, -1 - member}); member < 0 {
		if _, ok := h.facts.displays[nested]; ok {
			id = h.ids[key("g", nested)]
		}
	}
	if !exists || id == "" {
		return nil
	}
	if !joins {
		delete(list, member)
		return h.patchAs(group.source, h.group, h.ids[key("g", group)], []any{map[string]any{"op": "remove", "path": `members[value eq "` + id + `"]`}})
	}
	list[member] = true
	return h.patchAs(group.source, h.group, h.ids[key("g", group)], []any{map[string]any{"op": "add", "path": "members", "value": memberList(id)}})
}

// push tells a fresh hub what the sources say in the end, and nothing else.
func (h *historian) push(to *world, prefix string) (*historian, error) {
	o := to.historian(prefix)
	o.began = h.began
	for _, s := range slots(h.facts.users) {
		facts := h.facts.users[s]
		r, err := o.Create(o.t.Context(), by(s.source), o.user, factDocument(prefix, o.began, s.n, facts))
		if err != nil {
			return nil, err
		}
		o.facts.users[s], o.ids[key("u", s)] = facts, r.ID
	}
	for _, s := range slots(h.facts.displays) {
		if err := o.putGroup(s, h.facts.displays[s]); err != nil {
			return nil, err
		}
	}
	for _, s := range slots(h.facts.members) {
		for _, m := range slices.Sorted(maps.Keys(h.facts.members[s])) {
			if err := o.members(s, m, true); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// personView is what the hub makes of a person, without what names the history.
type personView struct {
	Stage    model.Stage
	Roles    []string
	Accounts map[string]string // by target, as JSON
}

// view is what the hub makes of those whom a source knows.
func (h *historian) view() (map[string]personView, error) {
	out := map[string]personView{}
	var people []map[int]string
	for range historySources {
		people = append(people, map[int]string{})
	}
	for _, s := range slots(h.facts.users) {
		identity := h.identityOf(h.ids[key("u", s)])
		at := slices.Index(historySources, s.source)
		people[at][s.n] = identity
		if first, ok := people[0][s.n]; ok && first != identity {
			return nil, fmt.Errorf("p%d is two people", s.n)
		}
		v := personView{Accounts: map[string]string{}}
		known := h.state(identity)
		v.Stage, v.Roles = known.row.Stage, known.roles
		for target, a := range known.accounts {
			if a.Desired != nil {
				text, err := json.Marshal(a.Desired)
				if err != nil {
					return nil, err
				}
				v.Accounts[target] = strings.ReplaceAll(string(text), h.prefix, "")
			}
		}
		out[fmt.Sprint("p", s.n)] = v
	}
	return out, nil
}

// againstFacts says in what the history differs from the facts alone.
func (h *historian) againstFacts(o *historian) string {
	got, err := h.view()
	if err != nil {
		return err.Error()
	}
	want, err := o.view()
	if err != nil {
		return "by the facts alone: " + err.Error()
	}
	return cmp.Diff(want, got)
}

// noAccessOfNobody is empty where nobody has access whom no source knows.
func (w *world) noAccessOfNobody() []string {
	return w.db.Strings(w.t, `SELECT a.target || ' ' || a.user_name FROM accounts a WHERE a.desired IS NOT NULL AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id = a.identity_id)`)
}
