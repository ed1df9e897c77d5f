package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// canaryConfig has a secret of its own in each place that takes one, by reference or as it
// is. ECHO is a server that repeats what it is sent, as some do in their errors.
const canaryConfig = `
listen: 127.0.0.1:0
database: %q
admin:
  tokens: [{name: ops, secret: canary-admin, role: admin}]
  oidc: {issuer: ECHO/idp, client_id: hub, client_secret: canary-oidc, roles: {admin: [a]}}
sources:
  hr:
    tokens: [{name: main, secret: "${file:DIR/canary-source}"}]
    basic: [{name: old, user: pay, password: canary-basic}]
roles: {all: {when: user.active, grants: [{target: good}, {target: bearer}, {target: basic}, {target: oauth}, {target: header}]}}
targets:
  good: {url: GOOD/scim/v2, auth: {bearer: "${file:DIR/canary-good}"}}
  bearer: {url: ECHO/a, auth: {bearer: canary-bearer, next: {secret: canary-next}}}
  basic: {url: ECHO/b, auth: {basic: {user: u, password: canary-target}}}
  oauth: {url: ECHO/c, auth: {oauth2: {token_url: ECHO/token, client_id: i, client_secret: canary-oauth}}}
  header: {url: ECHO/d, auth: {header: {name: X-Key, value: "${file:DIR/canary-header}"}}}
notify: [{name: hook, webhook: "ECHO/hook/canary-path?k=canary-query", secret: canary-webhook}]
outbound: {allow_private: true}
smtp: {host: 127.0.0.1, port: 1, from: hub@mail.example, user: u, password: canary-mail}
audit: {key: "cafecafecafecafecafecafecafecafecafecafecafecafecafecafecafecafe"}
`

// TestNoSecretIsShown runs a hub with secrets everywhere, at targets that repeat them in
// their errors, and looks for them in everything that it says: log, metrics, each route of
// the API that reads, the audit trail, and the pages that can be reached from the first.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			i, log := canaryHub(t, dialect)
			as := "Authorization: Bearer canary-admin"
			var said strings.Builder
			note := func(path string, h heard) string {
				fmt.Fprintf(&said, "\n\x00%s %d\n%v\n%s", path, h.status, h.header, h.body)
				return h.body
			}
			note("/metrics", asked(t, "GET", i.URL+"/metrics", ""))
			routes := 0
			for _, path := range readable(t, i, as) {
				h := asked(t, "GET", i.URL+path, "", as)
				note(path, h)
				if h.status == 200 {
					routes++
				}
			}
			pages := crawled(t, i.URL, note)
			for _, wrong := range []string{"Authorization: Bearer canary-wrong", "Authorization: Basic " + "cGF5OmNhbmFyeS13cm9uZw=="} {
				note("wrong", asked(t, "GET", i.URL+"/api/v1/targets", "", wrong))
				note("wrong", asked(t, "GET", i.URL+"/scim/v2/Users", "", wrong))
			}
			fmt.Fprintf(&said, "\n\x00log\n%s", log.String())
			if routes < 40 || pages < 15 {
				t.Errorf("only %d routes and %d pages were read", routes, pages)
			}
			for part := range strings.SplitSeq(said.String(), "\x00") {
				for _, secret := range []string{"canary-", "cafecafecafe", "Y2FuYXJ5", "sesame-of-ada"} { // in base64, too
					if at := strings.Index(part, secret); at >= 0 {
						where, _, _ := strings.Cut(part, "\n")
						t.Errorf("%s shows …%s", where, part[max(0, at-60):min(len(part), at+30)])
					}
				}
			}
		})
	}
}

// TestBackupOfSecrets: who has a backup has hashes, and no secret of sources, operators and
// targets; but the address of a webhook as the configuration said it.
func TestBackupOfSecrets(t *testing.T) {
	t.Parallel()
	i, _ := canaryHub(t, storetest.SQLite)
	h := asked(t, "GET", i.URL+"/api/v1/backup", "", "Authorization: Bearer canary-admin")
	if h.status != 200 {
		t.Fatalf("backup: %d %s", h.status, h.body)
	}
	unpacked, err := gzip.NewReader(strings.NewReader(h.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil || !strings.Contains(string(text), "ada") {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	rest := strings.ReplaceAll(string(text), "canary-path?k=canary-query", "")
	for _, secret := range []string{"canary-", "cafecafecafe", "Y2FuYXJ5", "sesame-of-ada"} {
		if at := strings.Index(rest, secret); at >= 0 {
			t.Errorf("a backup holds …%s", rest[max(0, at-80):min(len(rest), at+30)])
		}
	}
}

// canaryHub is a hub that has met failures of every kind that may repeat a secret.
func canaryHub(t *testing.T, dialect string) (*instance, *written) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"source", "good", "header"} {
		if err := os.WriteFile(filepath.Join(dir, "canary-"+name), []byte("canary-"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := app.New(app.Options{Token: "canary-good", Pace: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	good := httptest.NewServer(a.Handler())
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","detail":%q}`, fmt.Sprint(r.URL, r.Header, string(body)))
	}))
	t.Cleanup(good.Close)
	t.Cleanup(echo.Close)
	database := storetest.URL(t, dialect)
	if dialect == storetest.Postgres {
		if u, err := url.Parse(database); err == nil && u.Host != "" { // the server for tests asks for none
			if _, has := u.User.Password(); !has {
				u.User = url.UserPassword(u.User.Username(), "canary-dsn")
				database = u.String()
			}
		}
	}
	// The folder's name is no secret, and the names of the files stand in the configuration.
	hidden := filepath.Join(t.TempDir(), "secrets")
	if err := os.Rename(dir, hidden); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source", "good", "header"} {
		if err := os.Rename(filepath.Join(hidden, "canary-"+name), filepath.Join(hidden, name)); err != nil {
			t.Fatal(err)
		}
	}
	i, log := running(t, strings.NewReplacer("ECHO", echo.URL, "GOOD", good.URL, "DIR/canary-", hidden+"/").Replace(fmt.Sprintf(canaryConfig, database)))
	for _, name := range []string{"ada", "bob"} {
		h := asked(t, "POST", i.URL+"/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`","active":true,"password":"Sesame1-sesame-of-ada"}`, "Authorization: Bearer canary-source")
		if h.status != 201 {
			t.Fatalf("create: %d %s", h.status, h.body)
		}
	}
	await(t, func() bool { return len(a.State("").Users) == 2 })
	await(t, func() bool { // each bad target was tried
		n := 0
		for _, target := range []string{"bearer", "basic", "oauth", "header"} {
			if v := asked(t, "GET", i.URL+"/api/v1/targets/"+target, "", "Authorization: Bearer canary-admin"); strings.Contains(v.body, `"last_attempt"`) {
				n++
			}
		}
		return n == 4
	})
	as := "Authorization: Bearer canary-admin"
	for _, target := range []string{"bearer", "oauth"} {
		asked(t, "POST", i.URL+"/api/v1/targets/"+target+"/probe", `{"read_only":true}`, as)
	}
	asked(t, "POST", i.URL+"/api/v1/notify/receivers/hook/test", `{}`, as)
	asked(t, "GET", i.URL+"/sign-in/oidc", "")
	return i, log
}

// readable are the paths of the API that read, with what stands for their parameters.
func readable(t *testing.T, i *instance, as string) (out []string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(asked(t, "GET", i.URL+"/api/openapi.json", "", as).body), &doc); err != nil {
		t.Fatal(err)
	}
	var people struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(asked(t, "GET", i.URL+"/api/v1/identities", "", as).body), &people); err != nil || len(people.Items) == 0 {
		t.Fatalf("people: %v", err)
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	for path, methods := range doc.Paths {
		if _, reads := methods["get"]; !reads || strings.Contains(path, "backup") {
			continue // a backup is the database: it has what the database has
		}
		if !strings.HasPrefix(path, "/api/") {
			path = "/api/v1" + path
		}
		values := []string{""}
		if parameter.MatchString(path) {
			values = []string{"bearer", "oauth", "hr", "1", "hook", people.Items[0].ID}
		}
		for _, v := range values {
			out = append(out, parameter.ReplaceAllString(path, v))
		}
	}
	out = append(out, "/api/v1/config/diff?from=1&to=1", "/api/v1/audit?limit=1000", "/scim/v2/Users", "/scim/v2/ServiceProviderConfig", "/healthz", "/readyz")
	slices.Sort(out)
	return out
}

// crawled reads the pages that the first one leads to, and counts those that were there.
func crawled(t *testing.T, base string, note func(string, heard) string) (pages int) {
	t.Helper()
	link := regexp.MustCompile(`(?:href|action|src)="(/[^"#]*)"`)
	queue, seen := []string{"/"}, map[string]bool{"/": true}
	for len(queue) > 0 && pages < 50 {
		path := queue[0]
		queue = queue[1:]
		if strings.HasPrefix(path, "/sign-out") || strings.HasPrefix(path, "/live") {
			continue
		}
		h := asked(t, "GET", base+strings.ReplaceAll(path, "&amp;", "&"), "", "Authorization: Basic OmNhbmFyeS1hZG1pbg==")
		body := note("page "+path, h)
		if h.status == 200 && strings.HasPrefix(h.header.Get("Content-Type"), "text/html") {
			pages++
		}
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				queue = append(queue, m[1])
			}
		}
	}
	return pages
}
