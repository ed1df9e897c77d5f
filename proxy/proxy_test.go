package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance"
	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// way is a proxy in front of one simulated application.
type way struct {
	t     *testing.T
	app   *app.App
	store *store.Store
	url   string // of the target at the proxy
	may   []string
}

func newWay(t *testing.T, profile string, change func(*model.Target)) *way {
	t.Helper()
	a, err := app.New(app.Options{Profile: profile, Pace: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "hub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	target := model.Target{Name: "app", URL: server.URL + app.Prefix, Profile: profile, Mode: model.ModeEnforce,
		Auth: model.Auth{Bearer: model.NewSecret("the-hubs-own-token")}, Guard: model.Guard{Percent: 100, Floor: 1000},
		Overrides: map[string]any{"rate": map[string]any{"buckets": []any{}}}}
	if change != nil {
		change(&target)
	}
	snapshot := &fanout.Snapshot{Version: 1, Targets: []model.Target{target}}
	worker := &fanout.Worker{Store: s, Current: func() *fanout.Snapshot { return snapshot }, Holder: "test", Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Version: "test"}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended: %v", err)
		}
	})
	w := &way{t: t, app: a, store: s, may: Rights()}
	p := &Proxy{Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now, Remote: worker.Remote,
		Authenticate: func(r *http.Request, _ string) (Caller, error) {
			if r.Header.Get("Authorization") != "Bearer client" {
				return Caller{}, model.Fail(model.Unauthorized, "no", nil)
			}
			return Caller{Name: "client", May: w.may}, nil
		}}
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	p.Base = func(*http.Request) string { return front.URL }
	w.url = front.URL + "/proxy/app/scim/v2"
	for range 2000 {
		if _, err := worker.Remote("app"); err == nil {
			return w
		}
		runtimeYield()
	}
	t.Fatal("the worker does not begin")
	return nil
}

func runtimeYield() { <-time.After(time.Millisecond) }

// do sends a request; into may be nil.
func (w *way) do(method, path string, body, into any) int {
	w.t.Helper()
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer client")
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			w.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
		}
	}
	if res.StatusCode > 499 {
		w.t.Logf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return res.StatusCode
}

func user(n int) map[string]any {
	name := fmt.Sprintf("u%03d@ex.com", n)
	return map[string]any{"schemas": []any{scim.URNUser}, "userName": name, "externalId": fmt.Sprintf("E%d", n), "displayName": fmt.Sprintf("User %d", n),
		"name": map[string]any{"givenName": "U", "familyName": fmt.Sprint(n)}, "active": true, "emails": []any{map[string]any{"value": name, "type": "work", "primary": true}}}
}

type listAnswer struct {
	TotalResults int              `json:"totalResults"`
	ItemsPerPage int              `json:"itemsPerPage"`
	Resources    []map[string]any `json:"Resources"`
}

// A client that speaks plain SCIM does the same things at every application.
func TestPlainClientWorksAgainstEveryProfile(t *testing.T) {
	t.Parallel()
	for _, profile := range fanout.ProfileNames() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w := newWay(t, profile, nil)
			p, err := fanout.ProfileNamed(profile)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for n := range 120 {
				var made struct{ ID string }
				if code := w.do("POST", "/Users", user(n), &made); code != 201 || made.ID == "" {
					t.Fatalf("create %d: %d", n, code)
				}
				ids = append(ids, made.ID)
			}
			if code := w.do("POST", "/Users", user(7), nil); code != 409 {
				t.Errorf("a second account of a name: %d", code)
			}
			var found listAnswer
			w.do("GET", `/Users?filter=userName+eq+%22u007@ex.com%22`, nil, &found)
			if found.TotalResults != 1 || len(found.Resources) != 1 || found.Resources[0]["id"] != ids[7] {
				t.Errorf("look-up: %+v", found)
			}
			if p.ListTrustworthy {
				var page listAnswer
				w.do("GET", "/Users?startIndex=81&count=60", nil, &page)
				if page.TotalResults != 120 || len(page.Resources) != 40 || page.ItemsPerPage != 40 {
					t.Errorf("the page behind 80 has %d of %d", len(page.Resources), page.TotalResults)
				}
				var filtered listAnswer
				w.do("GET", `/Users?filter=displayName+co+%22User+11%22+or+userName+ew+%22004@ex.com%22&count=5`, nil, &filtered)
				if filtered.TotalResults != 12 || len(filtered.Resources) != 5 {
					t.Errorf("a filter the application may not know: %d of %d", len(filtered.Resources), filtered.TotalResults)
				}
			}
			w.patches(p, ids[7])
			if p.Has("Group") {
				w.groups(p, ids)
			} else if code := w.do("GET", "/Groups", nil, nil); code != 501 {
				t.Errorf("groups that are not there: %d", code)
			}
			for what, n := range w.app.Stats().Forbidden {
				t.Errorf("the proxy asked what is forbidden: %s, %d times", what, n)
			}
		})
	}
}

func (w *way) patches(p fanout.Profile, id string) {
	w.t.Helper()
	var got map[string]any
	patch := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{
		map[string]any{"op": "replace", "path": "displayName", "value": "Seven"}, map[string]any{"op": "add", "path": "name.givenName", "value": "Sev"}}}
	if code := w.do("PATCH", "/Users/"+id, patch, &got); code != 200 {
		w.t.Errorf("patch: %d %v", code, got)
	}
	got = nil
	w.do("GET", "/Users/"+id, nil, &got)
	name, _ := got["name"].(map[string]any)
	if got["displayName"] != "Seven" || name["givenName"] != "Sev" || name["familyName"] != "7" {
		w.t.Errorf("after the patch: %v", got)
	}
	meta, _ := got["meta"].(map[string]any)
	if location, _ := meta["location"].(string); !strings.HasPrefix(location, w.url+"/Users/") {
		w.t.Errorf("location %q leads past the proxy", location)
	}
}

func (w *way) groups(p fanout.Profile, ids []string) {
	w.t.Helper()
	var made struct{ ID string }
	members := []any{}
	for _, id := range ids {
		members = append(members, map[string]any{"value": id})
	}
	if code := w.do("POST", "/Groups", map[string]any{"schemas": []any{scim.URNGroup}, "displayName": "eng", "members": members}, &made); code != 201 {
		w.t.Fatalf("group: %d", code)
	}
	patch := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{
		map[string]any{"op": "remove", "path": `members[value eq "` + ids[3] + `"]`}, map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": ids[4]}}}}}
	if code := w.do("PATCH", "/Groups/"+made.ID, patch, nil); code != 200 && code != 204 {
		w.t.Errorf("members: %d", code)
	}
	var in []string
	for _, g := range w.app.State("").Groups {
		list, _ := g["members"].([]any)
		for _, m := range list {
			e, _ := m.(map[string]any)
			id, _ := e["value"].(string)
			in = append(in, id)
		}
	}
	if len(in) != len(ids)-1 || slices.Contains(in, ids[3]) {
		w.t.Errorf("%d members, want all %d but one", len(in), len(ids))
	}
}

// What a token may not do, what the hub looks after, what is protected, what cannot be
// undone: refused with the reason, and nothing is asked of the target.
func TestPolicyOfTheProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		may          []string
		mode         model.Mode
		irreversible bool
		deed         deed
		words        string // of the refusal; empty: permitted
	}{
		{"read", []string{MayRead}, model.ModeObserve, false, deed{verb: "read"}, ""},
		{"read without the right", []string{MayWrite}, model.ModeEnforce, false, deed{verb: "read"}, `"read"`},
		{"create", []string{MayWrite}, model.ModeEnforce, false, deed{verb: "create"}, ""},
		{"create where only plans are made", []string{MayWrite}, model.ModeObserve, false, deed{verb: "create"}, "mode observe"},
		{"create in create-only", []string{MayWrite}, model.ModeCreateOnly, false, deed{verb: "create"}, ""},
		{"update in create-only", []string{MayWrite}, model.ModeCreateOnly, false, deed{verb: "update"}, "mode create-only"},
		{"disable needs more than write", []string{MayWrite}, model.ModeEnforce, false, deed{verb: "disable"}, `"remove"`},
		{"disable", []string{MayRemove}, model.ModeNoDelete, false, deed{verb: "disable", removals: 1, limit: 1}, ""},
		{"delete in no-delete", []string{MayRemove}, model.ModeNoDelete, false, deed{verb: "delete"}, "mode no-delete"},
		{"delete that cannot be undone", Rights(), model.ModeEnforce, true, deed{verb: "delete"}, "cannot be made anew"},
		{"protected", Rights(), model.ModeEnforce, false, deed{verb: "update", protected: "userName eq x"}, "protected"},
		{"managed", []string{MayWrite}, model.ModeEnforce, false, deed{verb: "update", managed: true}, "looks after"},
		{"managed with the right", []string{MayWrite, MayManaged}, model.ModeEnforce, false, deed{verb: "update", managed: true}, ""},
		{"beyond the guard", Rights(), model.ModeEnforce, false, deed{verb: "delete", removals: 6, limit: 5}, "removal 6"},
		{"taking members out needs more than write", []string{MayWrite}, model.ModeEnforce, false, deed{verb: "part", removals: 1, limit: 5}, `"remove"`},
		{"taking out more than the guard lets go", Rights(), model.ModeEnforce, false, deed{verb: "part", removals: 6, limit: 5}, "removal 6"},
		{"disable that destroys", Rights(), model.ModeEnforce, false, deed{verb: "disable", destroys: "the invitation", removals: 1, limit: 5}, "the invitation"},
		{"disable of who owns the credential", Rights(), model.ModeEnforce, false, deed{verb: "disable", owner: true, removals: 1, limit: 5}, "rotate"},
		{"an unknown mode allows nothing", Rights(), "", false, deed{verb: "delete", removals: 1, limit: 5}, ""},
	} {
		err := permit(Caller{Name: "x", May: c.may}, c.mode, c.irreversible, c.deed)
		switch {
		case c.words == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
			t.Errorf("%s: %v, want words with %q", c.name, err, c.words)
		}
	}
}

func TestProxyRefusesAndAudits(t *testing.T) {
	t.Parallel()
	w := newWay(t, "github", func(m *model.Target) { m.Protect = []string{`userName eq "u001@ex.com"`} })
	var made struct{ ID string }
	for n := range 2 {
		w.do("POST", "/Users", user(n), &made)
	}
	off := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}}
	if code := w.do("PATCH", "/Users/"+made.ID, off, nil); code != 403 {
		t.Errorf("a protected account was switched off: %d", code)
	}
	if code := w.do("DELETE", "/Users/"+made.ID, nil, nil); code != 403 {
		t.Errorf("an irreversible deletion: %d", code)
	}
	w.may = []string{MayRead}
	if code := w.do("POST", "/Users", user(9), nil); code != 403 {
		t.Errorf("a reader created: %d", code)
	}
	if code := w.do("GET", "/Users/"+made.ID, nil, nil); code != 200 {
		t.Errorf("a reader read: %d", code)
	}
	creates := 0
	entries, _, err := w.store.AuditPage(t.Context(), store.AuditFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == "proxy.create" && e.Actor == "client" {
			creates++
		}
		if strings.Contains(string(e.Data), "ex.com") || strings.Contains(string(e.Data), "the-hubs-own-token") {
			t.Errorf("values in the audit trail: %s", e.Data)
		}
	}
	if creates != 2 {
		t.Errorf("%d creates audited, want 2", creates)
	}
}

// A list that ends early at the target ends early at the client, too: it must not
// look whole.
func TestProxyPassesOnThatAListBroke(t *testing.T) {
	t.Parallel()
	w := newWay(t, "generic", nil)
	for n := range 30 {
		w.do("POST", "/Users", user(n), nil)
	}
	if err := w.app.SetFaults("cut"); err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/Users?count=100", nil)
	req.Header.Set("Authorization", "Bearer client")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the connection was cut: that is what it should be
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	var page listAnswer
	if err == nil && res.StatusCode == http.StatusOK && json.Unmarshal(text, &page) == nil {
		t.Errorf("a whole list of %d came", len(page.Resources))
	}
}

// The conformance checks for any service provider hold of a plain target seen through
// the proxy.
func TestProxyConforms(t *testing.T) {
	t.Parallel()
	w := newWay(t, "generic", nil)
	r, err := conformance.Run(t.Context(), conformance.Options{URL: w.url, Token: "client", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		if res.Outcome == conformance.Fail {
			t.Errorf("%+v", res)
		}
	}
}

// Who is taken out of groups through the proxy counts as a removal, and needs the right to
// remove; protected accounts stay where they are; who owns the hub's token is not
// switched off.
func TestProxyGuardsMembers(t *testing.T) {
	t.Parallel()
	w := newWay(t, "generic", func(m *model.Target) {
		m.Protect = []string{`userName eq "u007@ex.com"`}
		m.Auth.Owner = "u006@ex.com"
		m.Guard = model.Guard{Percent: 0, Floor: 3, Window: time.Hour}
	})
	var ids []string
	for n := range 8 {
		var made struct{ ID string }
		w.do("POST", "/Users", user(n), &made)
		ids = append(ids, made.ID)
	}
	members := func(list ...string) []any {
		out := []any{}
		for _, id := range list {
			out = append(out, map[string]any{"value": id})
		}
		return out
	}
	var group struct{ ID string }
	if code := w.do("POST", "/Groups", map[string]any{"schemas": []any{scim.URNGroup}, "displayName": "team", "members": members(ids[:6]...)}, &group); code != 201 {
		t.Fatalf("create %d", code)
	}
	change := func(op, id string) map[string]any {
		o := map[string]any{"op": op, "path": "members", "value": members(id)}
		if op == "remove" {
			o = map[string]any{"op": op, "path": `members[value eq "` + id + `"]`}
		}
		return map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{o}}
	}
	size := func() int {
		list, _ := w.app.State("http://x").Groups[0]["members"].([]any)
		return len(list)
	}
	path := "/Groups/" + group.ID
	if code := w.do("PATCH", path, change("add", ids[7]), nil); code != 403 || size() != 6 {
		t.Errorf("a protected account was put into a group: %d", code)
	}
	w.may = []string{MayRead, MayWrite}
	if code := w.do("PATCH", path, change("remove", ids[0]), nil); code != 403 || size() != 6 {
		t.Errorf("taken out without the right to remove: %d", code)
	}
	w.may = Rights()
	all := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{map[string]any{"op": "remove", "path": "members"}}}
	if code := w.do("PATCH", path, all, nil); code != 403 || size() != 6 {
		t.Errorf("a group was emptied beyond the guard: %d, %d left", code, size())
	}
	if code := w.do("DELETE", path, nil, nil); code != 403 {
		t.Errorf("a group of six was deleted beyond the guard: %d", code)
	}
	for n := range 4 {
		want, left := 200, 6-n-1
		if n == 3 {
			want, left = 403, 3
		}
		if code := w.do("PATCH", path, change("remove", ids[n]), nil); code != want || size() != left {
			t.Errorf("removal %d: %d, %d left", n+1, code, size())
		}
	}
	off := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}}
	if code := w.do("PATCH", "/Users/"+ids[6], off, nil); code != 403 {
		t.Errorf("who owns the hub's token was switched off: %d", code)
	}
}
