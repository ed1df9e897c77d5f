package fanout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// strict hands requests to an application without a network, and holds each that writes
// against RFC 7644 and the profile.
type strict struct {
	next    http.Handler
	profile Profile
	writes  []map[string]any // bodies of PATCH and PUT
	faults  []string
}

func (s *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.check(r, body)
	}
	w := httptest.NewRecorder()
	s.next.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s *strict) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func (s *strict) check(r *http.Request, body []byte) {
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		s.fault("%s: %v", r.Method, err)
		return
	}
	if got := r.Header.Get("Content-Type"); got != s.profile.ContentType {
		s.fault("content type %q", got)
	}
	schemas, _ := doc["schemas"].([]any)
	want := []any{scim.URNUser}
	if r.Method == http.MethodPatch {
		want = []any{scim.URNPatchOp}
	}
	for name := range doc {
		if strings.HasPrefix(name, "urn:") {
			want = append(want, name)
		}
	}
	for _, uri := range want {
		if !slices.Contains(schemas, uri) {
			s.fault("%s: schemas %v without %v", r.Method, schemas, uri)
		}
	}
	if r.Method != http.MethodPatch {
		if r.Method == http.MethodPut {
			s.writes = append(s.writes, doc)
		}
		return
	}
	s.writes = append(s.writes, doc)
	limits := s.profile.Patch
	ops, _ := doc["Operations"].([]any)
	if len(ops) == 0 || limits.MaxOps > 0 && len(ops) > limits.MaxOps || limits.MaxBody > 0 && len(body) > limits.MaxBody {
		s.fault("%d operations in %d bytes", len(ops), len(body))
	}
	for _, o := range ops {
		op, _ := o.(map[string]any)
		s.operation(op)
	}
}

// operation holds one operation against RFC 7644 §3.5.2.
func (s *strict) operation(op map[string]any) {
	name, _ := op["op"].(string)
	known := []string{"add", "remove", "replace"}
	if s.profile.Patch.OpCase == "capital" {
		known = []string{"Add", "Remove", "Replace"}
	}
	path, hasPath := op["path"].(string)
	value, hasValue := op["value"]
	removes := strings.EqualFold(name, "remove")
	parsed, err := scim.ParsePath(path)
	_, whole := value.(map[string]any)
	switch {
	case !slices.Contains(known, name):
		s.fault("op %q", name)
	case hasPath && err != nil:
		s.fault("path %q: %v", path, err)
	case removes && (!hasPath || hasValue), !removes && (!hasValue || value == nil):
		s.fault("%s of %q with %v", name, path, value)
	case !hasPath && (!whole || s.profile.Patch.WithoutPath == "never"):
		s.fault("%s without path", name)
	case hasPath && !removes && s.profile.Patch.WithoutPath == "required" && parsed.Filter == nil && !strings.EqualFold(name, "add"):
		s.fault("%s with path %s", name, path)
	case s.profile.Patch.BoolAsString && strings.Contains(string(canonicalJSON(value)), ":true"), s.profile.Patch.BoolAsString && value == true, s.profile.Patch.BoolAsString && value == false:
		s.fault("%s: a boolean where text is read", path)
	}
	for key := range op {
		if key != "op" && key != "path" && key != "value" {
			s.fault("operation with %q", key)
		}
	}
}

// application is a profile with the simulation of what it describes.
type application struct {
	profile Profile
	app     app.Profile
}

func everyApplication(t *testing.T) (out []application) {
	t.Helper()
	simulated := func(name string) app.Profile {
		p, err := app.ProfileNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, p := range everyProfile(t) {
		out = append(out, application{p, simulated(p.Name)})
	}
	for name, change := range map[string]func(*Profile){
		"capital":        func(p *Profile) { p.Patch.OpCase = "capital" },
		"text":           func(p *Profile) { p.Patch.BoolAsString = true },
		"one by one":     func(p *Profile) { p.Patch.MaxOps = 1 },
		"two by two":     func(p *Profile) { p.Patch.MaxOps, p.UpdateWhenInactive = 2, "no" },
		"together":       func(p *Profile) { p.Patch.MaxOps, p.UpdateWhenInactive = 2, "with_reactivation" },
		"short":          func(p *Profile) { p.Patch.MaxBody = 300 },
		"pathless":       func(p *Profile) { p.Patch.WithoutPath = "required" },
		"put":            func(p *Profile) { p.Patch.Supported = false },
		"put that keeps": func(p *Profile) { p.Patch.Supported, p.Put.ClearsMissing = false, false },
		"folds":          func(p *Profile) { p.UserNameFolds = true },
		"few":            func(p *Profile) { p.SendUnknown, p.KnownAttrs = false, []string{"name.familyName", "emails", "title"} },
		"one each":       func(p *Profile) { p.SingleValued = true },
	} {
		v := application{with(t, change), simulated("generic")}
		v.profile.Name, v.app.Dialect = name, "lenient"
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b application) int { return strings.Compare(a.profile.Name, b.profile.Name) })
	return out
}

const enterpriseDepartment = scim.URNEnterprise + ":department"

// drawWritten is an account that the application takes. Addresses are owned as a list or
// one by one, never both.
func drawWritten(t *rapid.T, p Profile, lists bool) model.Account {
	text := rapid.StringMatching(`[a-zA-Zäß"\\ ,.'\[\]()-]{1,12}`)
	word := rapid.StringMatching(`[a-z]{1,8}`)
	some := func(label string) bool { return rapid.Bool().Draw(t, label) }
	a := model.Account{UserName: word.Draw(t, "name") + "@c.de", Active: rapid.IntRange(0, 2).Draw(t, "off") > 0,
		Attrs: map[string]any{"externalId": "E1", "displayName": "D " + word.Draw(t, "display"), "name.givenName": text.Draw(t, "given"), "name.familyName": text.Draw(t, "family")}}
	for _, path := range []string{"title", "nickName", "name.middleName", enterpriseDepartment, `phoneNumbers[type eq "work"].value`, `phoneNumbers[type eq "work"].display`, `addresses[type eq "work"].locality`, `addresses[type eq "work"].streetAddress`, `roles[value eq "r"].display`} {
		if some(path) {
			a.Attrs[path] = text.Draw(t, path+" value")
		}
	}
	if v := `entitlements[type eq "x" and primary eq true].value`; some(v) {
		a.Attrs[v] = word.Draw(t, v)
	}
	switch {
	case p.Name == "figma": // the one address there is the user name
	case lists && some("emails"):
		var list []any
		for i, v := range rapid.SliceOfNDistinct(word, 1, 3, rapid.ID).Draw(t, "addresses") {
			e := map[string]any{"value": v + "@c.de", "type": []string{"work", "home", "other"}[i]}
			if i == 0 {
				e["primary"] = true
			}
			list = append(list, e)
		}
		a.Attrs["emails"] = list
	case !lists:
		for _, kind := range []string{"work", "home"} {
			if some(kind) {
				a.Attrs[`emails[type eq "`+kind+`"].value`] = word.Draw(t, kind+" value") + "@c.de"
			}
		}
	}
	return p.Canonical(a)
}

// Whatever account is written, in whatever dialect and however often changed: the
// requests are such as the RFC has them, what is read back is what was written, and what
// others have written stays. Switching off comes before anything else.
func TestClientWritesWhatItReads(t *testing.T) {
	t.Parallel()
	applications := everyApplication(t)
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(applications).Draw(t, "application")
		p := v.profile
		a, err := app.NewWithProfile(v.app, app.Options{Pace: math.Inf(1)})
		if err != nil {
			t.Fatal(err)
		}
		s := &strict{next: a.Handler(), profile: p}
		c, err := NewClient(model.Target{Name: "t", URL: "http://app.invalid" + app.Prefix, Auth: model.Auth{Bearer: model.NewSecret("s")}}, p,
			ClientOptions{Version: "1", Transport: s, Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		lists := rapid.Bool().Draw(t, "whole lists")
		now := drawWritten(t, p, lists)
		if p.Unfit(now) != nil {
			t.Skip("not to be written")
		}
		u, err := c.Create(t.Context(), now)
		if err != nil {
			t.Fatalf("create at %s: %v\n%+v", p.Name, err, now)
		}
		a.Accept(now.UserName)
		readsBack(t, c, a, s, u.ID, now)
		foreign(t, c, u.ID, v)
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			next := drawWritten(t, p, lists)
			if p.Unfit(next) != nil {
				continue
			}
			if p.UpdateWhenInactive != "yes" && !now.Active {
				next.Active = true
			}
			s.writes = nil
			shown, err := c.Update(t.Context(), u.ID, now, next)
			if err != nil {
				t.Fatalf("update at %s: %v\nfrom %+v\nto   %+v", p.Name, err, now, next)
			}
			order(t, s.writes, now, next)
			if shown != nil && shown.Attrs != nil {
				same(t, p, "answered", *shown, next)
			}
			now = next
			readsBack(t, c, a, s, u.ID, now)
		}
		for _, u := range a.State("").Users {
			if u["timezone"] != "Europe/Berlin" {
				t.Fatalf("at %s what others wrote is gone: %v", p.Name, u)
			}
		}
	})
}

// foreign writes an attribute that is nobody's the hub knows.
func foreign(t *rapid.T, c *Client, id string, v application) {
	body := `{"schemas":["` + scim.URNPatchOp + `"],"Operations":[{"op":"add","path":"timezone","value":"Europe/Berlin"}]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, c.base+"/Users/"+id, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer s"}, "Content-Type": {mediaType}, "Accept": {mediaType}, "User-Agent": {"somebody"}}
	w := httptest.NewRecorder()
	c.opts.Transport.(*strict).next.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Skipf("%s: nobody else writes: %s", v.profile.Name, w.Body) // to somebody who is switched off, perhaps
	}
}

func readsBack(t *rapid.T, c *Client, a *app.App, s *strict, id string, want model.Account) {
	forbidden := a.Stats().Forbidden
	delete(forbidden, app.ForbiddenPutCleared) // what is taken away by PUT is what was to be
	if len(s.faults) > 0 || len(forbidden) > 0 {
		t.Fatalf("%s: %v, never to be done: %v\n%+v", c.profile.Name, s.faults, forbidden, s.writes)
	}
	u, err := c.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("read at %s: %v", c.profile.Name, err)
	}
	same(t, c.profile, "read", u, want)
}

// same compares what is shown with what was written, as drift is found.
func same(t *rapid.T, p Profile, how string, u RemoteUser, want model.Account) {
	seen := observe(p, u, &want)
	if p.Name == "github" && !want.Active { // it hides the addresses of who is suspended
		seen.Attrs, want.Attrs = maps.Clone(seen.Attrs), maps.Clone(want.Attrs)
		hide := func(path string, _ any) bool { return strings.HasPrefix(path, "emails") }
		maps.DeleteFunc(seen.Attrs, hide)
		maps.DeleteFunc(want.Attrs, hide)
	}
	if d := cmp.Diff(p.Canonical(want), seen); d != "" {
		t.Fatalf("%s at %s is another account than was written (-written +%s):\n%s\n%v", how, p.Name, how, d, u.Attrs)
	}
}

// order holds that switching off comes in the first request, and is not undone.
func order(t *rapid.T, writes []map[string]any, before, after model.Account) {
	if !before.Active || after.Active || len(writes) < 2 {
		return
	}
	ops, _ := writes[0]["Operations"].([]any)
	if text := string(canonicalJSON(writes[0])); len(ops) != 1 || !strings.Contains(text, "active") {
		t.Fatalf("switching off is not first: %s", text)
	}
}
