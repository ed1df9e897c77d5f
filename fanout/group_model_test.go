package fanout

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// People join and leave groups, groups are renamed, some people leave for good, and the
// application answers as badly as it can: in the end everybody is in what they should be
// in and in nothing else, and who was in a group before the hub still is.
func TestGroupsWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed, overrides := range []map[string]any{
		{"patch": map[string]any{"max_member_changes": 3}},
		{"patch": map[string]any{"max_member_changes": 100, "max_ops": 2}},
		{"patch": map[string]any{"max_member_changes": 5}, "rename": map[string]any{"group": false}},
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			a, err := app.New(app.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w := worldWith(t, a, repeating(a.Handler()), func(t *model.Target) {
				t.Overrides, t.Leaver.RemoveMemberships, t.Rate.Concurrency = overrides, true, 3
			})
			w.byHand("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"theirs"}`)
			theirs := w.users()["theirs"]["id"].(string)
			w.byHand("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"b0","members":[{"value":"`+theirs+`"}]}`)
			c := &company{w: w, random: rand.New(rand.NewPCG(7, uint64(seed))), groups: []string{"a0", "b0", "c0", "d0"}, people: map[string][]string{}} //nolint:gosec // the same each time
			w.grant(c.groups...)
			if err := w.app.SetFaults("500:6%,reset-after:8%,reset:4%,cut:6%"); err != nil {
				t.Fatal(err)
			}
			w.start()
			for step := range 8 {
				c.step(step)
			}
			if err := w.app.SetFaults(""); err != nil {
				t.Fatal(err)
			}
			c.settled()
			kept := w.groups()["b0"] // where groups keep their names it is what it was
			if slices.Contains(c.groups, "b0") {
				kept = nil
			}
			want, got := c.wanted(w.users(), theirs, kept != nil), c.there()
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("members (-wanted +there):\n%s", d)
			}
		})
	}
}

// repeating does some requests twice, as a proxy does that tries again. Not the creation of
// groups: their names are not unique here, so nobody could tell the second one from what
// somebody else makes, and a group that is there twice is to be a fault of the hub.
func repeating(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !(r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Groups")) && rand.IntN(100) < 6 { //nolint:gosec // chance is enough
			text := readBody(r)
			func() {
				defer func() {
					if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // a panic's value
						panic(v)
					}
				}()
				h.ServeHTTP(httptest.NewRecorder(), r.Clone(context.WithoutCancel(r.Context())))
			}()
			r.Body = io.NopCloser(strings.NewReader(text))
		}
		h.ServeHTTP(w, r)
	})
}

// company is who should be in which groups.
type company struct {
	w      *world
	random *rand.Rand
	groups []string            // by their names of now
	people map[string][]string // nil: has left
}

func (c *company) step(n int) {
	c.w.t.Helper()
	if n%4 == 3 {
		i := c.random.IntN(len(c.groups))
		from, to := c.groups[i], fmt.Sprintf("%c%d", c.groups[i][0], n)
		c.w.retitle(from, to)
		c.groups[i] = to
		for name, groups := range c.people {
			if at := slices.Index(groups, from); at >= 0 {
				groups[at] = to
				c.want(name)
			}
		}
	}
	for range 8 {
		name := fmt.Sprintf("p%02d", c.random.IntN(14))
		if c.random.IntN(8) == 0 && c.people[name] != nil {
			c.people[name] = nil
		} else {
			c.people[name] = []string{}
			for _, g := range c.groups {
				if c.random.IntN(2) == 0 {
					c.people[name] = append(c.people[name], g)
				}
			}
		}
		c.want(name)
	}
	if c.random.IntN(2) == 0 { // else the next wish comes while this one is worked on
		c.w.until("somebody was worked on", func(rows map[string]model.AccountRow) bool {
			for _, r := range rows {
				if r.State != model.StatePending {
					return true
				}
			}
			return false
		})
	}
}

func (c *company) want(name string) {
	c.w.t.Helper()
	row := model.AccountRow{Identity: "id-" + name}
	if groups := c.people[name]; groups != nil {
		row.Desired = account(name, slices.Sorted(slices.Values(groups))...)
	} else {
		now := time.Now()
		row.Leaver, row.LeaverAt = true, &now
	}
	c.w.want(row)
}

// settled waits until there is nothing to do, and has nobody wait for their next try:
// neither people nor groups, whose members may be as they should before their names are.
func (c *company) settled() {
	c.w.t.Helper()
	c.w.until("settled", func(rows map[string]model.AccountRow) bool {
		for _, r := range rows {
			if r.State == model.StateInSync || r.State == model.StateDisabled || r.State == model.StateDeleted {
				continue
			}
			if r.State == model.StateFailed {
				if err := c.w.store.DueNow(c.w.t.Context(), c.w.target.Name); err != nil {
					c.w.t.Fatal(err)
				}
				c.w.worker.Nudge(c.w.target.Name)
			}
			return false
		}
		groups, err := c.w.store.TargetGroups(c.w.t.Context(), c.w.target.Name)
		if err != nil {
			c.w.t.Fatal(err)
		}
		for _, g := range groups {
			if !g.Due {
				continue
			}
			if g.State == string(model.StateFailed) {
				if err := c.w.store.GroupsDueNow(c.w.t.Context(), c.w.target.Name); err != nil {
					c.w.t.Fatal(err)
				}
				c.w.worker.Nudge(c.w.target.Name)
			}
			return false
		}
		return true
	})
}

// wanted are the ids that should be in each group.
func (c *company) wanted(users map[string]map[string]any, theirs string, keeps bool) map[string][]string {
	out := map[string][]string{}
	for _, g := range c.groups {
		out[g] = []string{}
		for name, groups := range c.people {
			if slices.Contains(groups, g) {
				id, _ := users[name]["id"].(string)
				out[g] = append(out[g], id)
			}
		}
		if g[0] == 'b' && !keeps {
			out[g] = append(out[g], theirs)
		}
		slices.Sort(out[g])
	}
	return out
}

// there are the ids that are in each group of now.
func (c *company) there() map[string][]string {
	out := map[string][]string{}
	for name, g := range c.w.groups() {
		if !slices.Contains(c.groups, name) {
			continue // of a former name, where groups keep theirs
		}
		ids := []string{}
		list, _ := g["members"].([]any)
		for _, m := range list {
			id, _ := m.(map[string]any)["value"].(string)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		out[name] = ids
	}
	return out
}
