package fanout

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestMatchAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		profile string
		match   []string
		want    []string
	}{
		{"generic", nil, []string{"externalId", "userName"}},
		{"generic", []string{"userName", `emails[type eq "work"].value`}, []string{"userName", `emails[type eq "work"].value`}},
		{"snowflake", nil, []string{"userName"}},
		{"snowflake", []string{"externalId"}, []string{"userName"}},
		{"slack", nil, []string{"userName", "emails"}},
		{"zoom", []string{"externalId", "userName"}, []string{"userName"}},
		{"aws", nil, []string{"externalId", "userName"}},
	} {
		p, err := ProfileNamed(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, matchAttributes(model.Target{Match: tt.match}, p)); diff != "" {
			t.Errorf("%s with %q (-want +got):\n%s", tt.profile, tt.match, diff)
		}
	}
}

func TestMatchValue(t *testing.T) {
	t.Parallel()
	a := model.Account{UserName: "anna", Attrs: map[string]any{"externalId": "7", "emails": []any{
		map[string]any{"value": "a@x.example", "type": "home"}, map[string]any{"value": "b@x.example", "type": "work", "primary": true}}}}
	for attr, want := range map[string]string{"userName": "anna", "externalId": "7", "emails": "b@x.example", `emails[type eq "home"].value`: "a@x.example", "title": ""} {
		if got := matchValue(a, attr); got != want {
			t.Errorf("%s: %q, want %q", attr, got, want)
		}
	}
}

func TestMadeBy(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	sent := account("anna")
	shown := func(change func(map[string]any)) RemoteUser {
		doc := map[string]any{"id": "1", "userName": "anna", "externalId": "x-anna", "name": map[string]any{"familyName": "ANNA"},
			"meta": map[string]any{"created": began.Add(time.Second).Format(time.RFC3339)}}
		change(doc)
		return RemoteUser{ID: "1", UserName: "anna", Active: true, Attrs: doc}
	}
	row := model.AccountRow{Desired: sent, Sent: []model.Account{*sent}, CreatingAt: &began}
	leaver, former, old := row, row, row
	leaver.Desired, former.FormerID, old.Sent = nil, "1", nil
	without := func(d map[string]any) { delete(d, "externalId") }
	other := func(d map[string]any) {
		delete(d, "externalId")
		d["name"] = map[string]any{"familyName": "Other"}
	}
	for _, tt := range []struct {
		name string
		row  model.AccountRow
		u    RemoteUser
		want likeness
	}{
		{"externalId as sent", row, shown(func(map[string]any) {}), certain},
		{"another externalId", row, shown(func(d map[string]any) { d["externalId"] = "x-other" }), strange},
		{"there before", row, shown(func(d map[string]any) {
			d["meta"] = map[string]any{"created": began.Add(-time.Hour).Format(time.RFC3339)}
		}), strange},
		{"clocks differ a little", row, shown(func(d map[string]any) {
			d["meta"] = map[string]any{"created": began.Add(-time.Minute).Format(time.RFC3339)}
		}), certain},
		{"no externalId, names as sent", row, shown(without), alike},
		{"no externalId, other names, wanted", row, shown(other), strange},
		{"no externalId, other names, to go", leaver, shown(other), alike},
		{"restored", former, shown(func(d map[string]any) {
			d["meta"] = map[string]any{"created": began.Add(-time.Hour).Format(time.RFC3339)}
		}), certain},
		{"nothing kept of what was sent", old, shown(other), alike},
	} {
		if got := madeBy(tt.row, tt.u); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// begun stores that the creation of an account had begun when the process ended.
func (w *world) begun(identity string, a *model.Account) {
	w.t.Helper()
	w.want(model.AccountRow{Identity: identity, Desired: a})
	stored, err := w.store.SaveIntents(w.t.Context(), "git", []store.Intent{{Identity: identity, Generation: 1, Create: true, Sent: []model.Account{*a}}})
	if err != nil || !stored[identity] {
		w.t.Fatalf("intent of %s: %v, %v", identity, stored, err)
	}
}

func (w *world) post(a *model.Account) {
	w.t.Helper()
	body := string(canonicalJSON(document(*a)))
	if code := w.byHand(http.MethodPost, "/Users", body); code != http.StatusCreated {
		w.t.Fatalf("post: %d", code)
	}
}

func named(identity string) *model.Account {
	a := account("ada")
	a.Attrs["externalId"], a.Attrs["name.familyName"] = "x-"+identity, identity
	return a
}

// A process ends between the intent and what follows, and somebody of the same name is
// due, too: the account is whose it was made for.
func TestNamesakeOfSomebodyBegun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		made      bool // the create had reached the target
		anonymous bool // which does not keep externalId
	}{{"sent", true, false}, {"sent, externalId not kept", true, true}, {"not sent", false, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(t *model.Target) {
				if tt.anonymous {
					t.Overrides = map[string]any{"stores_external_id": false}
				}
			}, "")
			w.begun("first", named("first"))
			if tt.made {
				a := named("first")
				if tt.anonymous {
					delete(a.Attrs, "externalId")
				}
				w.post(a)
			}
			w.want(model.AccountRow{Identity: "a-second", Desired: named("a-second")}) // worked on first
			w.start()
			rows := w.until("both are settled", func(rows map[string]model.AccountRow) bool {
				return rows["first"].State != model.StatePending && rows["a-second"].State != model.StatePending
			})
			owner, other := "first", "a-second"
			if !tt.made && rows["a-second"].State == model.StateInSync {
				owner, other = other, owner
			}
			if rows[owner].State != model.StateInSync || rows[other].State != model.StateFailed || !strings.Contains(rows[other].LastError, "identity "+owner) || rows[other].RemoteID != "" {
				t.Errorf("%s: %s %q; %s: %s %q", owner, rows[owner].State, rows[owner].LastError, other, rows[other].State, rows[other].LastError)
			}
			if got := w.users()["ada"]["name"].(map[string]any)["familyName"]; got != owner {
				t.Errorf("the account is %v's", got)
			}
		})
	}
}

// A process ends after the target has refused a create and before that is stored: the
// account that was there before is not ours, and taking it over is asked for.
func TestRefusedCreateDoesNotAdopt(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	created := regexp.MustCompile(`"created":"[^"]*"`)
	w := worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		a.Handler().ServeHTTP(rec, r)
		rw.Header().Set("Content-Type", mediaType)
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(created.ReplaceAll(rec.Body.Bytes(), []byte(`"created":"2020-01-01T00:00:00Z"`)))
	}), func(t *model.Target) { t.Adopt = "ask" })
	w.hand("anna")
	w.begun("i", account("anna"))
	w.start()
	r := w.allIn(model.StateHeld)["i"]
	if r.Owned != "" || r.LastError != heldAdopt || len(r.Sent) != 0 {
		t.Errorf("owned %q, error %q, sent %v", r.Owned, r.LastError, r.Sent)
	}
	if u := w.users()["anna"]; u["title"] != "by hand" {
		t.Errorf("anna is %v", u)
	}
	// It is no more ours when the person leaves.
	w.want(model.AccountRow{Identity: "i", Leaver: true})
	w.allIn(model.StateDeleted)
	if u := w.users()["anna"]; u["active"] == false {
		t.Error("an account that is not ours was disabled")
	}
}

// The refusal itself is stored at once.
func TestWithdrawnIntent(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w *world
	checked := make(chan string, 1)
	refused := false
	w = worldWith(t, a, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if refused && r.Method == http.MethodGet && strings.Contains(r.URL.Query().Get("filter"), "userName") {
			rows := w.rows()
			select {
			case checked <- rows["i"].Owned:
			default:
			}
		}
		if r.Method == http.MethodGet && r.URL.Query().Get("filter") != "" && !refused {
			r = httptest.NewRequest(http.MethodGet, app.Prefix+`/Users?filter=userName%20eq%20%22nobody%22`, nil)
			r.Header.Set("Authorization", "Bearer token")
		}
		refused = refused || r.Method == http.MethodPost
		a.Handler().ServeHTTP(rw, r)
	}), func(t *model.Target) {
		t.Adopt = "ask"
		t.Rate.Concurrency = 1
		t.Overrides = map[string]any{"list_trustworthy": false}
	})
	w.hand("anna")
	refused = false
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateHeld)
	if owned := <-checked; owned != "" {
		t.Errorf("after the refusal the row says %q", owned)
	}
}

// Audit and plan say by what an account was recognised.
func TestAdoptionSaysHow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna","active":false}`
	w.byHand(http.MethodPost, "/Users", body)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
	if text := w.audit(); !strings.Contains(text, "adopted: matched by userName") || !strings.Contains(text, "restored: the account was switched off") {
		t.Errorf("audit: %s", text)
	}
	if w.users()["anna"]["active"] != true {
		t.Error("still inactive")
	}
}

// audit is the whole trail as text.
func (w *world) audit() string {
	w.t.Helper()
	entries, _, err := w.store.AuditPage(w.t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Action + " " + string(e.Data) + "\n")
	}
	return b.String()
}
