package fanout

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestProtectedIsNeverAdopted: an account that a protect filter matches is never taken
// over, changed or removed, whatever matches it and whichever way it is found: by a
// look-up, by the list, by the refusal of a create, by a creation that had begun. Neither
// is it when its owner leaves.
func TestProtectedIsNeverAdopted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, filter string
		change       func(*model.Target)
		begun        bool // its creation had begun
		many         bool // so many are new that everybody is listed
		late         bool // it appears between the look-up and the create
	}{
		{name: "by userName", filter: `userName eq "ADA"`},
		{name: "by an attribute that the hub does not own", filter: `nickName sw "break"`},
		{name: "by an element of a list", filter: `emails[type eq "work" and value ew "@vault.example"]`},
		{name: "by what it is not", filter: `not (userType pr)`},
		{name: "by nothing that can be read", filter: `nonsense(`},
		{name: "matched by userName alone", filter: `nickName pr`, change: func(t *model.Target) { t.Match = []string{"userName"} }},
		{name: "matched by an address", filter: `nickName pr`, change: func(t *model.Target) { t.Match = []string{"emails"} }},
		{name: "creation begun", filter: `nickName pr`, begun: true},
		{name: "found by the list", filter: `nickName pr`, many: true},
		{name: "found by the refusal of a create", filter: `nickName pr`, late: true},
		{name: "leavers are deleted", filter: `nickName pr`, change: func(t *model.Target) { t.Leaver = model.LeaverPolicy{First: "delete"} }},
		{name: "without externalId", filter: `nickName pr`, change: func(t *model.Target) { t.Overrides = map[string]any{"stores_external_id": false} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, now := tampered(t, func(t *model.Target) {
				t.Protect = []string{tt.filter}
				if tt.change != nil {
					tt.change(t)
				}
			})
			w.byHand(http.MethodPost, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"eng"}`)
			vault := func() {
				body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","externalId":"x-ada","nickName":"breakglass","active":true,"title":"Vault","emails":[{"value":"ada@vault.example","type":"work","primary":true}]}`
				if code := w.byHand(http.MethodPost, "/Users", body); code != http.StatusCreated {
					t.Errorf("post: %d", code)
				}
			}
			if tt.late {
				appears := tamper(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
					if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Users") && r.Header.Get("User-Agent") != "" && strings.Contains(r.Header.Get("User-Agent"), "scimhub") {
						now.Store(nil)
						vault()
					}
					return false
				})
				now.Store(&appears)
			} else {
				vault()
			}
			ada := account("ada", "eng")
			ada.Attrs["emails"] = []any{map[string]any{"value": "ada@vault.example", "type": "work", "primary": true}}
			if tt.begun {
				w.begun("id-ada", ada)
			} else {
				w.want(model.AccountRow{Identity: "id-ada", Desired: ada})
			}
			if tt.many {
				w.wantMany(40)
			}
			w.start()
			row := w.until("held", func(rows map[string]model.AccountRow) bool { return rows["id-ada"].State == model.StateHeld })["id-ada"]
			if !strings.Contains(row.LastError, heldProtected) || row.Owned == model.OwnedAdopted || row.Owned == model.OwnedCreated {
				t.Errorf("owned %q, %q", row.Owned, row.LastError)
			}
			before := w.vault(t)
			w.sweep()
			at := w.worker.Now()
			w.want(model.AccountRow{Identity: "id-ada", Leaver: true, LeaverAt: &at})
			w.until("nothing is left to do", func(rows map[string]model.AccountRow) bool { return !rows["id-ada"].Due })
			w.sweep()
			w.want(model.AccountRow{Identity: "id-ada", Desired: ada})
			w.until("held again", func(rows map[string]model.AccountRow) bool { return rows["id-ada"].State == model.StateHeld })
			for _, shown := range []map[string]any{before, w.vault(t)} {
				if shown["title"] != "Vault" || shown["active"] != true || shown["nickName"] != "breakglass" {
					t.Errorf("it is %v", shown)
				}
			}
			if diff := cmp.Diff(before, w.vault(t)); diff != "" {
				t.Errorf("it was changed:\n%s", diff)
			}
			if n := memberCount(w.groups()["eng"]); n > 0 {
				t.Errorf("it joined a group")
			}
		})
	}
}

// vault is the protected account as it is.
func (w *world) vault(t *testing.T) map[string]any {
	t.Helper()
	u := w.users()["ada"]
	if u == nil {
		t.Fatal("it is gone")
	}
	return u
}

// TestProtectedAmongStrangers: the application shows other people under each id, and the
// person who is new under the id of a protected account. That this is so is told by those
// whom the hub knows, even though of some it has seen or read somebody else already.
func TestProtectedAmongStrangers(t *testing.T) {
	t.Parallel()
	const known = 6
	for _, how := range []string{"nothing was read meanwhile", "seen meanwhile", "writes were not heard of"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, now := tampered(t, func(t *model.Target) { t.Protect = []string{`nickName eq "breakglass"`} })
			w.start()
			w.wantMany(known)
			rows := w.allIn(model.StateInSync)
			w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"root","nickName":"breakglass","active":true,"title":"Vault"}`)
			w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","externalId":"x-ada","active":true,"title":"Before"}`)
			lies := shuffled(w.app, false)
			now.Store(&lies)
			switch how {
			case "seen meanwhile": // of two of six
				for n := range 2 {
					row := rows[fmt.Sprintf("id-user%05d", n)]
					row.Observed = account(stringOf(mixedUp(w.app)[row.RemoteID], "userName"))
					if err := w.store.Settle(t.Context(), w.target.Name, []store.Settlement{{Row: row}}); err != nil {
						t.Fatal(err)
					}
				}
			case "writes were not heard of":
				lies = shuffled(w.app, true)
				for id, row := range rows {
					row.Desired.Attrs["title"] = "Lead"
					w.want(model.AccountRow{Identity: id, Desired: row.Desired})
				}
				for n := range 2 {
					w.until("all were tried", func(rows map[string]model.AccountRow) bool {
						for _, r := range rows {
							if r.Attempts <= n {
								return false
							}
						}
						return true
					})
					w.due()
				}
			}
			w.want(model.AccountRow{Identity: "id-ada", Desired: account("ada")})
			w.until("ada is not taken over", func(rows map[string]model.AccountRow) bool {
				r := rows["id-ada"]
				if r.Owned != "" && r.Owned != model.OwnedCreating {
					t.Fatalf("owned %q, is %s", r.Owned, r.RemoteID)
				}
				return r.State == model.StateFailed && strings.Contains(r.LastError, "names of other people")
			})
			if u := w.users()["root"]; u["title"] != "Vault" || u["externalId"] != nil {
				t.Errorf("it is %v", u)
			}
		})
	}
}

// mixedUp is who is shown under each id: the next one, and under that of the protected
// account who is new.
func mixedUp(a *app.App) map[string]map[string]any {
	all := a.State("http://x").Users
	out := map[string]map[string]any{}
	for i, u := range all {
		out[stringOf(u, "id")] = all[(i+1)%len(all)]
		if at := slices.IndexFunc(all, func(o map[string]any) bool { return o["userName"] == "ada" }); u["userName"] == "root" && at >= 0 {
			out[stringOf(u, "id")] = all[at]
		}
	}
	return out
}

// shuffled shows other people, see mixedUp. Where it is lossy what was changed is never
// answered.
func shuffled(a *app.App, lossy bool) tamper {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
		got := httptest.NewRecorder()
		honest.ServeHTTP(got, r)
		if lossy && r.Method == http.MethodPatch {
			panic(http.ErrAbortHandler)
		}
		var doc map[string]any
		if json.Unmarshal(got.Body.Bytes(), &doc) != nil || !strings.Contains(r.URL.Path, "/Users") {
			maps.Copy(w.Header(), got.Header())
			w.WriteHeader(got.Code)
			_, _ = w.Write(got.Body.Bytes())
			return true
		}
		next := mixedUp(a)
		list, _ := doc["Resources"].([]any)
		for _, e := range append(list, any(doc)) {
			u, _ := e.(map[string]any)
			id := stringOf(u, "id")
			if other := next[id]; other != nil {
				clear(u)
				maps.Copy(u, other)
				u["id"] = id
			}
		}
		header := got.Header().Clone()
		header.Del("Content-Length")
		maps.Copy(w.Header(), header)
		w.WriteHeader(got.Code)
		_ = json.NewEncoder(w).Encode(doc)
		return true
	}
}
