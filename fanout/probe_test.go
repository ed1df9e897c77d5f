package fanout

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// probe probes what h serves.
func probe(t *testing.T, h http.Handler, readOnly bool) (ProbeReport, error) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	target := model.Target{Name: "probe", URL: s.URL + app.Prefix, Auth: model.Auth{Bearer: model.NewSecret("secret-token")}}
	return Probe(t.Context(), target, ProbeOptions{ReadOnly: readOnly, Mark: "a1b2c3d4e5f6", Now: time.Now},
		ClientOptions{Timeout: 5 * time.Second, Version: "test", Now: time.Now})
}

func simulated(t *testing.T, profile string) *app.App {
	t.Helper()
	a, err := app.New(app.Options{Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What a probe says must be so, and nothing of it may stay behind.
func TestProbeLearnsWhatTheApplicationIs(t *testing.T) {
	t.Parallel()
	for profile, want := range map[string]map[string]any{
		"generic": {"patch.supported": true, "put.supported": true, "members_readable": true, "delete": "hard", "rename.group": true, "etag": true, "pagination": "index"},
		"aws":     {"members_readable": false, "user_agent_required": true, "page_max": 50, "supported_filters.ops": []string{"eq"}},
		"slack":   {"delete": "disable", "patch.supported": true},
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			a := simulated(t, profile)
			before := len(a.State("").Users)
			r, err := probe(t, a.Handler(), false)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, f := range r.Findings {
				got[f.Field] = f.Value
			}
			for field, v := range want {
				if !sameJSON(got[field], v) {
					t.Errorf("%s is %v, want %v; findings %+v; unknown %q; notes %q", field, got[field], v, r.Findings, r.Unknown, r.Notes)
				}
			}
			state := a.State("")
			for _, u := range state.Users[before:] {
				if on, _ := u["active"].(bool); on {
					t.Errorf("left behind and active: %v", u)
				}
			}
			if n := len(state.Users) - before; n > len(r.Left)+1 { // one may be a note: DELETE only deactivates
				t.Errorf("%d accounts are left, the report names %q", n, r.Left)
			}
			if len(state.Groups) > 0 {
				t.Errorf("groups are left: %v", state.Groups)
			}
			readable(t, r)
		})
	}
}

// readable fails where what a probe wrote cannot be put below a target.
func readable(t *testing.T, r ProbeReport) {
	t.Helper()
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	_, faults := config.Parse("hub.yaml", []byte("sources: {hr: {}}\nroles: {r: {when: user.active}}\ntargets:\n  x:\n    url: https://x.example\n"+indented(text)))
	if len(faults) > 0 {
		t.Errorf("%v in\n%s", faults, text)
	}
	generic, err := ProfileNamed("generic")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Override(generic.Profile, r.Profile); err != nil {
		t.Error(err)
	}
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

func TestProbeReadingOnlyWritesNothing(t *testing.T) {
	t.Parallel()
	a := simulated(t, "generic")
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	for i := range 3 {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u%d@x.example","externalId":"e%d"}`, i, i)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+app.Prefix+"/Users", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/scim+json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	before, _ := json.Marshal(a.State(""))
	var writes atomic.Int64
	r, err := probe(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method != http.MethodGet {
			writes.Add(1)
		}
		a.Handler().ServeHTTP(w, q)
	}), true)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(a.State("")); string(after) != string(before) || writes.Load() > 0 {
		t.Errorf("%d writes; before %s, after %s", writes.Load(), before, after)
	}
	if !slices.ContainsFunc(r.Findings, func(f ProbeFinding) bool { return f.Field == "pagination" && f.Value == "index" }) {
		t.Errorf("pages were not seen: %+v %q", r.Findings, r.Unknown)
	}
	if !slices.ContainsFunc(r.Unknown, func(u string) bool { return strings.HasPrefix(u, "writing") }) {
		t.Errorf("it does not say that writing was not tried: %q", r.Unknown)
	}
}

// A capability document is read feature by feature; what it says wrongly turns
// nothing off that works.
func TestProbeReadsCapabilitiesLeniently(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"bulk as text":        `{"bulk":"no","patch":{"supported":true},"filter":{"supported":true,"maxResults":200}}`,
		"all wrong":           `{"patch":7,"filter":[],"etag":"maybe","bulk":null}`,
		"patch denied":        `{"patch":{"supported":false},"filter":{"supported":false,"maxResults":0}}`,
		"patch as plain text": `{"patch":"TRUE","bulk":{"supported":"False"}}`,
		"empty":               `{}`,
		"no JSON":             `<html>hello</html>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := simulated(t, "generic")
			r, err := probe(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if strings.HasPrefix(q.URL.Path, app.Prefix+"/ServiceProviderConfig") {
					w.Header().Set("Content-Type", "application/scim+json")
					_, _ = w.Write([]byte(document))
					return
				}
				a.Handler().ServeHTTP(w, q)
			}), false)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				if f.Field == "patch.supported" && f.Value != true {
					t.Errorf("PATCH works and is turned off: %s", f.Because)
				}
			}
			if _, off := r.Profile["patch"]; off {
				t.Errorf("the profile says of PATCH: %v", r.Profile["patch"])
			}
		})
	}
}

func TestProbeOfWhatIsNoSCIM(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		code   model.Code
		words  string
	}{
		"a web page":  {200, "<html>sign in</html>", model.Invalid, "SCIM base URL"},
		"not found":   {404, "no", model.Invalid, "SCIM base URL"},
		"wrong token": {401, `{"detail":"token expired"}`, model.Forbidden, "credential"},
		"no right":    {403, `{"detail":"not allowed for secret-token"}`, model.Forbidden, "credential"},
		"broken":      {500, "oops", model.Invalid, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := probe(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}), false)
			if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v", err)
			}
			if strings.Contains(fmt.Sprint(err), "secret-token") {
				t.Errorf("the token is in the error: %v", err)
			}
		})
	}
}

// What an application answers ends up in comments of the profile; it must not get out
// of them.
func TestProbeCommentsStayComments(t *testing.T) {
	t.Parallel()
	r := ProbeReport{URL: "https://x.example", Notes: []string{"one\nurl: https://evil.example\r\nmode: observe\u2028x: y"}, Profile: map[string]any{"etag": true}}
	readable(t, r)
	text, _ := r.YAML()
	if strings.Contains(text, "\nurl:") || strings.Contains(text, "\nmode:") {
		t.Errorf("%s", text)
	}
}
