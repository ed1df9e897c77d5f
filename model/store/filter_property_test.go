package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestFilterInterpretersAgree holds the two interpreters of a filter together: for
// random resources and random filters the database finds exactly those for whose
// search document Match holds.
func TestFilterInterpretersAgree(t *testing.T) {
	t.Parallel()
	registry := oddRegistry(t)
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		ctx := t.Context()
		bound, matched := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			p := drawPopulation(rt, registry)
			err := db.Update(ctx, func(tx *store.Tx) error {
				for _, w := range p.writes {
					if err := tx.CreateResource(w); err != nil {
						return fmt.Errorf("create %s %s: %w", w.Type.Name, sketch(w.Resource.Attrs), err)
					}
				}
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
			for range 12 {
				typ := rapid.SampledFrom(registry.Types).Draw(rt, "type")
				f := p.filter(rt, typ)
				if f == nil {
					continue
				}
				bound++
				want := p.matches(typ, f)
				matched += min(1, len(want))
				page, err := db.Resources(ctx, p.source, typ, scim.Query{Filter: f, StartIndex: 1, Count: 100})
				if err != nil {
					rt.Fatalf("%s: %v", f, err)
				}
				got := []string{}
				for _, r := range page.Resources {
					got = append(got, r.ID)
				}
				if !slices.Equal(got, want) {
					rt.Fatalf("filter %s\n database %v\n Match    %v\n%s", f, got, want, p)
				}
				if page.Total != len(want) {
					rt.Fatalf("filter %s: total %d, want %d", f, page.Total, len(want))
				}
			}
		})
		if bound == 0 || matched*10 < bound {
			t.Errorf("only %d of %d filters match anything: the test sees too little", matched, bound)
		}
	})
}

// population is what one source has: users, and groups that list them.
type population struct {
	source string
	writes []store.ResourceWrite
	docs   map[string]map[string]any // id -> search document
	ids    []string
}

func drawPopulation(t *rapid.T, registry *scim.Registry) *population {
	p := &population{source: "s-" + uuid.NewString(), docs: map[string]map[string]any{}}
	user, _ := registry.Type("User")
	group, _ := registry.Type("Group")
	for i := range rapid.IntRange(1, 5).Draw(t, "users") {
		attrs := drawAttrs(t, user)
		attrs["userName"] = drawText(t) + fmt.Sprint(i)
		p.add(t, user, attrs, fmt.Sprintf("00u%d", i))
	}
	users := slices.Clone(p.ids)
	groups := make([]string, rapid.IntRange(0, 4).Draw(t, "groups"))
	for i := range groups {
		groups[i] = fmt.Sprintf("00g%d-%s", i, uuid.NewString())
	}
	listed := map[string][]string{} // by group
	for _, id := range groups {
		attrs := drawAttrs(t, group)
		attrs["displayName"] = drawText(t)
		for _, member := range append(append(slices.Clone(users), groups...), "nobody") { // itself too, and circles
			if !rapid.Bool().Draw(t, "member") {
				continue
			}
			m := map[string]any{"value": member}
			if rapid.Bool().Draw(t, "typed") {
				m["type"] = rapid.SampledFrom([]string{"User", "user", "Group", "Größe"}).Draw(t, "type")
			}
			if rapid.Bool().Draw(t, "shown") {
				m["display"] = drawText(t)
			}
			list, _ := attrs["members"].([]any)
			attrs["members"] = append(list, m)
			listed[id] = append(listed[id], member)
		}
		p.addAs(t, group, attrs, id)
	}
	memberOf := map[string][]any{}
	for _, w := range p.writes {
		if w.Type != user {
			continue
		}
		above := groupsAbove(listed, w.Resource.ID)
		for _, g := range p.writes {
			if how, ok := above[g.Resource.ID]; ok {
				memberOf[w.Resource.ID] = append(memberOf[w.Resource.ID], map[string]any{"value": g.Resource.ID, "display": g.Resource.Attrs["displayName"], "type": how})
			}
		}
	}
	foreign := scim.Resource{ID: uuid.NewString(), Type: "Group", Attrs: map[string]any{"displayName": "foreign"}, Meta: scim.Meta{Version: 1}}
	p.writes = append(p.writes, store.ResourceWrite{Source: p.source + "x", Type: group, Action: "create", Resource: foreign,
		Joined: []store.Member{{ID: users[0]}}}) // another source's group: none of p's business
	for _, w := range p.writes {
		r := w.Resource
		if groups := memberOf[r.ID]; len(groups) > 0 {
			r.Attrs = map[string]any{"groups": groups}
			maps.Copy(r.Attrs, w.Resource.Attrs)
		}
		if w.Source == p.source {
			p.docs[r.ID] = w.Type.SearchDoc(r)
		}
	}
	return p
}

func members(attrs map[string]any) []store.Member {
	list, _ := attrs["members"].([]any)
	var out []store.Member
	for _, e := range list {
		m, _ := e.(map[string]any)
		id, _ := m["value"].(string)
		typ, _ := m["type"].(string)
		display, _ := m["display"].(string)
		out = append(out, store.Member{ID: id, Type: typ, Display: display})
	}
	return out
}

// groupsAbove says of every group that somebody is in whether they are so directly.
func groupsAbove(listed map[string][]string, id string) map[string]string {
	out := map[string]string{}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for g, members := range listed {
			if _, seen := out[g]; !seen && slices.Contains(members, todo[0]) {
				out[g] = "indirect"
				todo = append(todo, g)
			}
		}
	}
	for g := range out {
		if slices.Contains(listed[g], id) {
			out[g] = "direct"
		}
	}
	return out
}

func (p *population) add(t *rapid.T, rt *scim.ResourceType, attrs map[string]any, prefix string) {
	p.addAs(t, rt, attrs, prefix+"-"+uuid.NewString())
}

func (p *population) addAs(t *rapid.T, rt *scim.ResourceType, attrs map[string]any, id string) {
	moment := func(name string) time.Time {
		at, _ := scim.ParseDateTime(drawTime(t))
		return at.Truncate(time.Microsecond)
	}
	r := scim.Resource{ID: id, Type: rt.Name, Attrs: attrs, Meta: scim.Meta{Created: moment("created"), LastModified: moment("modified"),
		Version: rapid.SampledFrom([]int64{1, 2, 10}).Draw(t, "version")}}
	w := store.ResourceWrite{Source: p.source, Type: rt, Action: "create", Resource: r, Joined: members(attrs)}
	if rt.Name == "User" {
		w.Identity, w.NewIdentity = "i-"+id, true
	}
	p.writes, p.ids = append(p.writes, w), append(p.ids, id)
}

// filter draws a filter in text, as a client sends it, and binds it; nil where
// the type does not allow it.
func (p *population) filter(t *rapid.T, rt *scim.ResourceType) scim.Filter {
	text := drawFilter(t, rt, p.ids, nil, 3).String()
	parsed, err := scim.ParseFilter(text)
	if err != nil {
		t.Fatalf("%s cannot be parsed: %v", text, err)
	}
	f, err := scim.Bind(parsed, rt)
	if err != nil {
		return nil
	}
	return f
}

func (p *population) matches(rt *scim.ResourceType, f scim.Filter) []string {
	out := []string{}
	for _, w := range p.writes {
		if doc := p.docs[w.Resource.ID]; doc != nil && w.Type == rt && f.Match(doc) {
			out = append(out, w.Resource.ID)
		}
	}
	slices.Sort(out)
	return out
}

// String shows the resources for a failure.
func (p *population) String() string {
	out := ""
	for _, w := range p.writes {
		out += w.Resource.ID + ":" + sketch(w.Resource.Attrs) + "\n"
	}
	return out
}
