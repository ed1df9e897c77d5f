package fanout

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

func TestFixedPart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Duplicate key for property userName: a@ex.com": "Duplicate key for property userName",
		`userName "a@ex.com" already exists`:            "already exists",
		"a@ex.com: taken":                               "", // too short to tell it from anything else
		"":                                              "",
	} {
		if got := fixedPart(text, "a@ex.com", "b@ex.com"); got != want {
			t.Errorf("fixedPart(%q) = %q, want %q", text, got, want)
		}
	}
}

// A list that shows its entries in another order each time is not believed.
func TestProbeSeesThatAListHasNoOrder(t *testing.T) {
	t.Parallel()
	a := simulated(t, "generic")
	inner := a.Handler()
	var mu sync.Mutex
	odd := false
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Users") && r.URL.Query().Get("count") == "1" && r.URL.Query().Get("filter") == "" {
			mu.Lock()
			odd = !odd
			start := map[bool]string{true: "1", false: "2"}[odd]
			mu.Unlock()
			q := r.URL.Query()
			q.Set("startIndex", start)
			r.URL.RawQuery = q.Encode()
		}
		inner.ServeHTTP(w, r)
	})
	r, err := probe(t, h, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.Profile["list_trustworthy"] != false {
		t.Errorf("the profile is %v", r.Profile)
	}
	readable(t, r)
}

// twisted passes PATCH requests on as spoil leaves them.
func twisted(t *testing.T, a *app.App, spoil func(op map[string]any)) http.Handler {
	t.Helper()
	inner := a.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			ops, _ := body["Operations"].([]any)
			for _, o := range ops {
				op, _ := o.(map[string]any)
				spoil(op)
			}
			body["Operations"] = slices.DeleteFunc(ops, func(o any) bool { m, _ := o.(map[string]any); return m["path"] == "nothing" })
			again := httptest.NewRequestWithContext(r.Context(), http.MethodPatch, r.URL.String(), strings.NewReader(string(canonicalJSON(body))))
			maps.Copy(again.Header, r.Header)
			r = again
		}
		inner.ServeHTTP(w, r)
	})
}

// PATCH that says yes to an attribute of an extension and does nothing is no PATCH.
func TestProbeSeesThatPatchDoesNotReachExtensions(t *testing.T) {
	t.Parallel()
	h := twisted(t, simulated(t, "generic"), func(op map[string]any) {
		if path, _ := op["path"].(string); strings.HasPrefix(path, "urn:") {
			op["path"] = "nothing"
		}
	})
	r, err := probe(t, h, false)
	if err != nil {
		t.Fatal(err)
	}
	if patch, _ := r.Profile["patch"].(map[string]any); patch["supported"] != false {
		t.Errorf("the profile is %v, notes %q", r.Profile, r.Notes)
	}
	readable(t, r)
}

// A list of members that grows when it is replaced is not replaced.
func TestProbeSeesThatReplacingMembersAddsThem(t *testing.T) {
	t.Parallel()
	h := twisted(t, simulated(t, "generic"), func(op map[string]any) {
		if op["path"] == "members" && op["op"] == "replace" {
			op["op"] = "add"
		}
	})
	r, err := probe(t, h, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.Profile["group_replace_all"] != false {
		t.Errorf("the profile is %v, notes %q", r.Profile, r.Notes)
	}
}

func TestClientNamesTheManagerWhole(t *testing.T) {
	t.Parallel()
	c := script(t, with(t, func(*Profile) {}), model.Auth{})
	for _, tt := range []struct {
		after any
		want  string
	}{
		{"7", `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":{"value":"7"}}`},
		{nil, `{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}`},
	} {
		body, err := c.patch(edit{fields: []model.FieldDiff{{Path: managerPath, Before: "6", After: tt.after}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(canonicalJSON(body)); !strings.Contains(got, tt.want) {
			t.Errorf("%s does not hold %s", got, tt.want)
		}
	}
}
