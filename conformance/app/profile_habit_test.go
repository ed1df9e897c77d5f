package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSnowflakeAnswersWithNobody(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "snowflake"})
	a := r.make(ada)
	r.make(bob)
	r.want(201, "POST", prefix+"/Groups", group("eng", 0))
	r.find(200, "/Users", "", "SYNTHETIC")
	r.find(200, "/Groups", "", "SYNTHETIC")
	r.want(404, "GET", prefix+"/Users/synthetic", "")
	r.want(404, "GET", prefix+"/Groups/synthetic", "")
	r.find(200, "/Users", `userName eq "ada@ex.com"`, "ada@ex.com")
	r.find(200, "/Users", `userName sw "a"`, "ada@ex.com")
	for _, filter := range []string{
		`externalId eq "E1"`, `userName eq "ada@ex.com" and active eq true`, `userName co "a"`, `not (userName eq "x")`,
		`userName eq`, `((((`, `noSuchAttribute eq "x"`, `title pr`,
	} {
		r.find(200, "/Users", filter)
	}
	r.find(200, "/Groups", `externalId eq "x"`)
	r.want(204, "DELETE", a, "")
	r.counted(counts{ForbiddenFilter: 9}, counts{LostUser: 1})
}

func TestDatabricks(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "databricks"})
	r.make(ada)
	terms := func(n int) string {
		return strings.TrimPrefix(strings.Repeat(` or userName eq "ada@ex.com"`, n), " or ")
	}
	r.find(200, "/Users", terms(100), "ada@ex.com")
	if raw := r.want(400, "GET", prefix+"/Users?filter="+strings.NewReplacer(" ", "+", `"`, "%22").Replace(terms(101)), ""); !strings.Contains(raw, "INVALID_FILTER") {
		t.Errorf("too many terms: %s", raw)
	}
	r.counted(counts{ForbiddenFilter: 1}, counts{})
}

// TestParallel has five requests at once where four are possible, and then four.
func TestParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, err := ProfileNamed("databricks")
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewWithProfile(p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan bool)
		limited := a.parallel(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			writeJSON(w, http.StatusOK, "done")
		}))
		answers := make(chan *httptest.ResponseRecorder, 5)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				w := httptest.NewRecorder()
				limited.ServeHTTP(w, newRequest("GET", prefix+"/Users", ""))
				answers <- w
			})
		}
		synctest.Wait()
		if w := <-answers; w.Code != 500 || !strings.Contains(w.Body.String(), "REQUEST_LIMIT_EXCEEDED") {
			t.Errorf("the fifth: %d %s", w.Code, w.Body)
		}
		close(release)
		wg.Wait()
		close(answers)
		for w := range answers {
			if w.Code != 200 || !strings.Contains(w.Body.String(), "done") {
				t.Errorf("one of four: %d %s", w.Code, w.Body)
			}
		}
		if n := a.Stats().Forbidden[ForbiddenParallel]; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}

func TestZoom(t *testing.T) {
	t.Parallel()
	p, err := ProfileNamed("zoom")
	if err != nil {
		t.Fatal(err)
	}
	p.Licences = 1
	a, err := NewWithProfile(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := startApp(t, a)
	u := r.make(ada)
	if raw := r.want(400, "POST", prefix+"/Users", bob); !strings.Contains(raw, "licence") {
		t.Errorf("no licence: %s", raw)
	}
	r.want(406, "GET", u, "", header("Accept", "application/json"))
	r.want(200, "GET", u, "", header("Accept", "application/scim+json, application/json;q=0.9"))
	r.find(400, "/Users", `emails.value eq "ada@ex.com"`)
	r.want(204, "DELETE", u, "")
	r.make(bob)
	r.counted(counts{ForbiddenAccept: 1, ForbiddenFilter: 1}, counts{LostUser: 1})
}

func TestGoogleCutsLists(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "google-cloud-identity"})
	for i := range 103 {
		r.want(201, "POST", prefix+"/Groups", group(fmt.Sprint("g", i), 0))
	}
	for _, query := range []string{"", "?startIndex=101", "?count=1000", "?startIndex=50&count=10", "?cursor="} {
		raw := r.want(200, "GET", prefix+"/Groups"+query, "")
		if !strings.Contains(raw, `"totalResults":100`) || !strings.Contains(raw, `"g99"`) || strings.Contains(raw, `"g100"`) || !strings.Contains(raw, `"g0"`) {
			t.Errorf("%s: %.300s", query, raw)
		}
	}
	r.find(200, "/Groups", `displayName eq "g102"`, "g102")
	if _, h, raw, err := r.send("GET", prefix+"/Groups", ""); err != nil || h.Get("ETag") != "" || strings.Contains(raw, `"version"`) {
		t.Errorf("versions: %v %v", err, h)
	}
	r.counted(counts{}, counts{})
}

func TestFigma(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "figma"})
	u := r.make(strings.Replace(ada, `"value":"ada@ex.com"`, `"value":"other@ex.com"`, 1))
	r.says(u, `"value":"ada@ex.com"`)
	r.want(200, "PATCH", u, replaceOp("userName", `"lovelace@ex.com"`))
	r.says(u, `"value":"lovelace@ex.com"`, "!ada@ex.com")
	r.want(400, "PATCH", u, replaceOp("displayName", `"`+strings.Repeat("ä", 101)+`"`))
	r.want(200, "PATCH", u, replaceOp("displayName", `"`+strings.Repeat("ä", 100)+`"`))
	r.want(400, "PATCH", u, replaceOp("externalId", `"`+strings.Repeat("x", 256)+`"`))
	r.want(400, "POST", prefix+"/Groups", group(strings.Repeat("g", 256), 0))
	id := strings.TrimPrefix(u, prefix+"/Users/")
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("design", 1)))
	r.want(400, "PATCH", g, replaceOp("displayName", `"`+strings.Repeat("g", 256)+`"`))
	r.want(200, "PATCH", g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`))
	r.want(200, "PATCH", u, off)
	r.says(g, "!"+id, `"value":"m0"`)
	r.counted(counts{ForbiddenValue: 4}, counts{})
}

func TestMiro(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	r := start(t, Options{Profile: "miro", Now: func() time.Time { return now }})
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
	for range 5 {
		r.want(200, "GET", prefix+"/Groups", "")
	}
	_, h, _, err := r.send("GET", prefix+"/Groups", "")
	if err != nil || h.Get("Retry-After") != "6" {
		t.Errorf("the sixth list: %v, Retry-After %q", err, h.Get("Retry-After"))
	}
	r.want(200, "GET", g, "")
	for range 5 {
		r.want(200, "PATCH", g, replaceOp("displayName", `"`+strings.Repeat("n", 500)+`"`))
	}
	r.want(429, "PATCH", g, replaceOp("displayName", `"`+strings.Repeat("n", 500)+`"`))
	r.want(200, "PATCH", g, replaceOp("displayName", `"eng"`))
	now = now.Add(30 * time.Second)
	list := strings.TrimPrefix(group("", 8001), `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"","members":`)
	r.want(413, "PATCH", g, patchOp(`{"op":"add","path":"members","value":`+list))
	r.want(413, "PATCH", g, replaceOp("displayName", `"`+strings.Repeat("n", 800_000)+`"`))
	u := r.make(ada)
	for range 20 {
		r.want(404, "DELETE", u+"x", "")
	}
	r.want(429, "DELETE", u, "")
	r.counted(counts{ForbiddenThrottled: 3, ForbiddenMembers: 1, ForbiddenBody: 1}, counts{})
}

func TestPace(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	r := start(t, Options{Profile: "miro", Pace: 3, Now: func() time.Time { return now }})
	for range 15 {
		r.want(200, "GET", prefix+"/Groups", "")
	}
	r.want(429, "GET", prefix+"/Groups", "")
	now = now.Add(2 * time.Second)
	r.want(200, "GET", prefix+"/Groups", "")
}

func TestGitLab(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "gitlab"})
	u := r.make(ada)
	r.want(404, "GET", prefix+"/Groups", "")
	r.want(404, "POST", prefix+"/Groups", group("eng", 0))
	r.want(404, "GET", prefix+"/ServiceProviderConfig", "")
	r.want(404, "GET", prefix+"/Schemas", "")
	r.want(501, "PUT", u, ada)
	r.want(204, "PATCH", u, off)
	if s := r.state(); len(s.Users) != 1 || s.Groups == nil || len(s.Groups) != 0 {
		t.Errorf("state %v", s)
	}
	r.counted(counts{ForbiddenEndpoint: 4, ForbiddenOperation: 1}, counts{})
}

func TestLaunchDarkly(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "launchdarkly", Owner: "boss@ex.com"})
	s := r.state()
	boss := prefix + "/Users/" + s.Users[0]["id"].(string)
	r.want(400, "PATCH", boss, off)
	r.want(400, "DELETE", boss, "")
	r.want(200, "PATCH", boss, replaceOp("roles", `[{"value":"reader"}]`))
	r.says(boss, `"value":"owner"`, "!reader")
	r.want(400, "POST", prefix+"/Users", strings.Replace(ada, `"active":true`, `"roles":[{"value":"owner"}]`, 1))
	u := r.make(ada)
	r.want(400, "PATCH", u, replaceOp("roles", `[{"value":"owner"}]`))
	r.want(409, "POST", prefix+"/Users", strings.Replace(bob, `"value":"bob@ex.com"`, `"value":"ADA@ex.com"`, 1))
	r.want(200, "PATCH", u, off)
	r.want(400, "PATCH", u, replaceOp("displayName", `"Countess"`))
	r.want(200, "PATCH", u, patchOp(`{"op":"replace","path":"displayName","value":"Countess"},{"op":"replace","path":"active","value":true}`))
	r.says(u, `"Countess"`, `"active":true`)
	r.want(200, "PATCH", u, replaceOp("emails", `[{"value":"new@ex.com"}]`))
	r.make(strings.Replace(bob, `"value":"bob@ex.com"`, `"value":"ada@ex.com"`, 1))
	r.counted(counts{ForbiddenOperation: 4, ForbiddenInactive: 1}, counts{})
}
