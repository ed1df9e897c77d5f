package fanout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// memberPatches watches the PATCHes of groups on their way, and may change them.
type memberPatches struct {
	next http.Handler
	keep int // members of a request that arrive; 0: all

	mu    sync.Mutex
	sizes []int // members named, by request
	bytes []int
}

func (m *memberPatches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
		m.patch(r)
	}
	m.next.ServeHTTP(w, r)
}

func (m *memberPatches) patch(r *http.Request) {
	body := readBody(r)
	var doc map[string]any
	if json.Unmarshal([]byte(body), &doc) != nil {
		return
	}
	n := 0
	ops, _ := doc["Operations"].([]any)
	for _, o := range ops {
		op := o.(map[string]any)
		list, isList := op["value"].([]any)
		if !isList {
			n++
			continue
		}
		n += len(list)
		if m.keep > 0 && len(list) > m.keep {
			op["value"] = list[:m.keep]
		}
	}
	m.mu.Lock()
	m.sizes, m.bytes = append(m.sizes, n), append(m.bytes, len(body))
	m.mu.Unlock()
	out, _ := json.Marshal(doc)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out)), int64(len(out))
}

func watchedWorld(t *testing.T, profile string, keep int, change func(*model.Target)) (*world, *memberPatches) {
	t.Helper()
	a, err := app.New(app.Options{Profile: profile, Pace: 1000})
	if err != nil {
		t.Fatal(err)
	}
	m := &memberPatches{next: a.Handler(), keep: keep}
	return worldWith(t, a, m, func(target *model.Target) {
		target.Profile = profile
		target.Rate.Concurrency = 32 // chunks are as large as they get
		if change != nil {
			change(target)
		}
	}), m
}

// Some applications confirm many members and keep the first hundred: that is noticed, and
// what did not arrive is sent in smaller pieces.
func TestGroupMembersThatDoNotArrive(t *testing.T) {
	t.Parallel()
	w, m := watchedWorld(t, "generic", 40, nil)
	w.wantMany(400, "eng")
	w.start()
	w.allIn(model.StateInSync)
	if n := memberCount(w.groups()["eng"]); n != 400 {
		t.Errorf("%d members at the target, want 400; requests %v", n, m.sizes)
	}
}

// One member that the application never keeps stops nobody else and is no secret.
func TestGroupMemberThatNeverArrives(t *testing.T) {
	t.Parallel()
	e := &groupEntry{}
	now := time.Now()
	if !e.checks(100, now) || e.checks(5, now.Add(time.Hour)) {
		t.Error("looked at too often, or never")
	}
	e.saw(100, false) // and one half of it arrives, so the number is not at fault
	if e.limit() != 50 || !e.checks(50, now) {
		t.Errorf("limit %d", e.limit())
	}
	e.saw(50, true)
	for n := 50; n >= 1; n /= 2 {
		e.saw(n, false)
	}
	if e.limit() != 50 || e.checks(50, now) || !e.checks(50, now.Add(time.Hour)) {
		t.Errorf("limit %d after one bad member: everybody else goes one by one", e.limit())
	}
}

func TestGroupPiecesFit(t *testing.T) {
	t.Parallel()
	one := func(id string, v model.Verb) member {
		return member{&job{row: model.AccountRow{RemoteID: id}}, model.Change{Verb: v, Group: "eng"}}
	}
	many := func(n, length int, v model.Verb) (out []member) {
		for i := range n {
			out = append(out, one(fmt.Sprintf("%0*d", length, i), v))
		}
		return out
	}
	for _, c := range []struct {
		name    string
		patch   model.ProfilePatch
		members []member
		want    int
	}{
		{"by number", model.ProfilePatch{MaxMemberChanges: 100}, many(250, 4, model.Join), 100},
		{"all", model.ProfilePatch{MaxMemberChanges: 100}, many(50, 4, model.Join), 50},
		{"by bytes", model.ProfilePatch{MaxMemberChanges: 100, MaxBody: 2000}, many(250, 200, model.Join), 8},
		{"removes are longer", model.ProfilePatch{MaxMemberChanges: 100, MaxBody: 2000}, many(250, 200, model.Part), 6},
		{"one that is too long alone", model.ProfilePatch{MaxMemberChanges: 100, MaxBody: 100}, many(3, 200, model.Join), 1},
		{"by operations", model.ProfilePatch{MaxMemberChanges: 100, MaxOps: 5}, many(20, 4, model.Part), 5},
		{"adds are one operation", model.ProfilePatch{MaxMemberChanges: 100, MaxOps: 5}, many(20, 4, model.Join), 20},
		{"removes as a list", model.ProfilePatch{MaxMemberChanges: 100, MaxOps: 5, RemoveMembers: "list"}, many(20, 4, model.Part), 20},
	} {
		r := &runner{profile: Profile{model.Profile{Patch: c.patch}}}
		if got := r.pieceSize("eng", c.members); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Members are sent in as few requests as the application takes, and never more at once.
func TestGroupAtItsLimits(t *testing.T) {
	t.Parallel()
	const members = 250
	for profile, most := range map[string]int{"aws": 100, "generic": 500} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w, m := watchedWorld(t, profile, 0, func(target *model.Target) {
				target.Match = []string{"userName"}
				target.Rate.Concurrency = 8
			})
			rows := make([]model.AccountRow, members)
			for i := range rows {
				name := fmt.Sprintf("user%05d", i)
				rows[i] = model.AccountRow{Identity: "id-" + name, Desired: &model.Account{UserName: name, Active: true, Groups: []string{"all"},
					Attrs: map[string]any{"displayName": name, "name.familyName": "F", "name.givenName": "G"}}}
			}
			w.want(rows...)
			w.start()
			w.allIn(model.StateInSync)
			if n := memberCount(w.groups()["all"]); n != members {
				t.Errorf("%d members", n)
			}
			before := len(m.sizes)
			for i := range rows { // everybody is there: one request for as many as fit
				again := *rows[i].Desired
				again.Groups = []string{"all", "some"}
				rows[i].Desired = &again
			}
			w.want(rows...)
			w.allIn(model.StateInSync)
			if n := memberCount(w.groups()["some"]); n != members {
				t.Errorf("%d members of the second group", n)
			}
			if n := len(m.sizes) - before; n > members/most+5 {
				t.Errorf("%d requests for %d members who are there: %v", n, members, m.sizes[before:])
			}
			for _, n := range m.sizes {
				if n > most {
					t.Errorf("%d members in one request, %s takes %d", n, profile, most)
				}
			}
		})
	}
}
