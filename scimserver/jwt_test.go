package scimserver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// stopped is a clock that stands until it is set.
type stopped struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stopped) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *stopped) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func newStopped() *stopped { return &stopped{now: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)} }

func newAccess(t testing.TB, c *stopped, creds scimserver.Credentials) *scimserver.Access {
	t.Helper()
	a := scimserver.NewAccess(scimserver.AccessOptions{Now: c.Now})
	if err := a.Replace(creds); err != nil {
		t.Fatal(err)
	}
	return a
}

func withHeader(header string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/scim/v2/Users", nil)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	return r
}

func statusOf(err error) int {
	if err == nil {
		return 200
	}
	if e, ok := scim.AsError(err); ok {
		return e.Status
	}
	return 500
}

func jwtOf(source string, i *issuer, claims map[string]string) scimserver.JWT {
	return scimserver.JWT{Client: scimserver.Client{Source: source, Name: "jwt"}, Issuer: "https://sts.example.com", Audience: "hub",
		KeysURL: i.URL + "/keys", SubjectClaim: "sub", SubjectAttribute: "userName", Claims: claims}
}

func TestJWTAlgorithms(t *testing.T) {
	t.Parallel()
	keys := []signer{es256(t, "e"), rsaSigner(t, "r", "RS256", 2048), rsaSigner(t, "p", "PS256", 2048), edSigner(t, "d")}
	c := newStopped()
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, keys...), nil)}})
	for _, k := range keys {
		client, err := a.Authenticate(withHeader("Bearer " + k.token(t, validClaims(c.Now(), nil), nil)))
		if err != nil {
			t.Errorf("%s: %v", k.alg, err)
			continue
		}
		want := scimserver.Client{Source: "hr", Name: "jwt", Subject: &scimserver.Subject{Attribute: "userName", Value: "ada"}}
		if diff := cmp.Diff(want, client, cmp.Comparer(func(a, b scim.Dialect) bool { return a.Name == b.Name })); diff != "" {
			t.Errorf("%s: %s", k.alg, diff)
		}
		// The same without a kid: every key is tried.
		if _, err := a.Authenticate(withHeader("Bearer " + k.token(t, validClaims(c.Now(), nil), map[string]any{"kid": nil}))); err != nil {
			t.Errorf("%s without kid: %v", k.alg, err)
		}
		// One changed character anywhere.
		token := k.token(t, validClaims(c.Now(), nil), nil)
		for at := 0; at < len(token); at += 17 {
			bad := []byte(token)
			if bad[at] = 'A'; token[at] == 'A' {
				bad[at] = 'B'
			}
			if _, err := a.Authenticate(withHeader("Bearer " + string(bad))); err == nil {
				t.Errorf("%s: a token with another character at %d is taken", k.alg, at)
			}
		}
	}
}

// TestJWTRefused: each check alone refuses, and says which it was, and nothing of the token.
func TestJWTRefused(t *testing.T) {
	t.Parallel()
	key, other, weak := es256(t, "e"), es256(t, "e"), rsaSigner(t, "weak", "RS256", 1024)
	enc := es256(t, "enc")
	enc.jwk["use"] = "enc"
	is, c := newIssuer(t, key, weak, enc), newStopped()
	now := c.Now()
	with := func(name string, v any) string { return key.token(t, validClaims(now, map[string]any{name: v}), nil) }
	head := func(name string, v any) string { return key.token(t, validClaims(now, nil), map[string]any{name: v}) }
	hs := signer{kid: "e", alg: "HS256", sign: func(text string) []byte {
		public, _ := json.Marshal(key.jwk) // the classic: the public key as the secret
		m := hmac.New(sha256.New, public)
		m.Write([]byte(text))
		return m.Sum(nil)
	}}
	none := signer{alg: "none", sign: func(string) []byte { return nil }}
	for name, tt := range map[string]struct {
		token  string
		status int
		says   string
	}{
		"fine":              {key.token(t, validClaims(now, nil), nil), 200, ""},
		"audience in list":  {with("aud", []any{"x", "hub"}), 200, ""},
		"expired, leeway":   {with("exp", now.Add(-59*time.Second).Unix()), 200, ""},
		"expired":           {with("exp", now.Add(-time.Minute).Unix()), 401, "expired (exp)"},
		"no exp":            {with("exp", nil), 401, "no expiry"},
		"exp as text":       {with("exp", "never"), 401, "no expiry"},
		"not yet, leeway":   {with("nbf", now.Add(59*time.Second).Unix()), 200, ""},
		"not yet":           {with("nbf", now.Add(2*time.Minute).Unix()), 401, "nbf"},
		"nbf as text":       {with("nbf", "x"), 401, "nbf"},
		"no nbf":            {with("nbf", nil), 200, ""},
		"fraction":          {with("exp", float64(now.Unix())+0.5), 200, ""},
		"other issuer":      {with("iss", "https://evil.example.com"), 401, "(iss)"},
		"issuer slash":      {with("iss", "https://sts.example.com/"), 401, "(iss)"},
		"no issuer":         {with("iss", nil), 401, "(iss)"},
		"issuer list":       {with("iss", []any{"https://sts.example.com"}), 401, "(iss)"},
		"other audience":    {with("aud", "other"), 401, "(aud)"},
		"audience word":     {with("aud", "other hub"), 401, "(aud)"},
		"audience nested":   {with("aud", []any{[]any{"hub"}}), 401, "(aud)"},
		"no audience":       {with("aud", nil), 401, "(aud)"},
		"other key":         {other.token(t, validClaims(now, nil), nil), 401, "signature is not right"},
		"none":              {none.token(t, validClaims(now, nil), nil), 401, "alg"},
		"None":              {none.token(t, validClaims(now, nil), map[string]any{"alg": "None"}), 401, "alg"},
		"HS256":             {hs.token(t, validClaims(now, nil), nil), 401, "alg"},
		"wrong alg":         {head("alg", "RS256"), 401, "signature is not right"},
		"wrong curve":       {head("alg", "ES384"), 401, "signature is not right"},
		"no alg":            {head("alg", nil), 401, "alg"},
		"crit":              {head("crit", []any{"b64"}), 401, "crit"},
		"key in header":     {other.token(t, validClaims(now, nil), map[string]any{"jwk": other.jwk, "jku": "http://127.0.0.1:1"}), 401, "signature"},
		"weak key":          {weak.token(t, validClaims(now, nil), nil), 401, "no key"},
		"encryption key":    {enc.token(t, validClaims(now, nil), nil), 401, "no key"},
		"two parts dots":    {"..", 401, "header"},
		"not base64":        {"@.@.@", 401, "base64url"},
		"padding":           {"e30=.e30.", 401, "base64url"},
		"payload no object": {b64.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + b64.EncodeToString([]byte(`null`)) + ".x", 401, "payload"},
		"huge":              {strings.Repeat("a", 20<<10) + ".a.a", 401, "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
			_, err := a.Authenticate(withHeader("Bearer " + tt.token))
			if statusOf(err) != tt.status || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%d %v, want %d with %q", statusOf(err), err, tt.status, tt.says)
			}
			if err != nil && (strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "ada")) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

// TestJWTSources: sources that share an issuer are told apart by audience and claims.
func TestJWTSources(t *testing.T) {
	t.Parallel()
	key, c := es256(t, "e"), newStopped()
	is := newIssuer(t, key)
	second := jwtOf("second", is, nil)
	second.Audience = "second"
	second.SubjectClaim, second.SubjectAttribute = "upn", "externalId"
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{
		jwtOf("scoped", is, map[string]string{"scope": "scim", "tenant": "7"}), second,
		jwtOf("roles", is, map[string]string{"roles": "provisioner"}), jwtOf("flag", is, map[string]string{"internal": "true"}),
	}})
	for name, tt := range map[string]struct {
		claims  map[string]any
		want    string
		subject string
	}{
		"scope":              {map[string]any{"scope": "openid scim", "tenant": 7}, "scoped", "userName=ada"},
		"scope list":         {map[string]any{"scope": []any{"scim"}, "tenant": "7"}, "scoped", "userName=ada"},
		"half":               {map[string]any{"scope": "scim"}, "403", ""},
		"part of a word":     {map[string]any{"scope": "scimmer", "tenant": 7}, "403", ""},
		"roles":              {map[string]any{"roles": []any{"a", "provisioner"}}, "roles", "userName=ada"},
		"flag":               {map[string]any{"internal": true}, "flag", "userName=ada"},
		"most claims win":    {map[string]any{"internal": true, "scope": "scim", "tenant": 7}, "scoped", "userName=ada"},
		"two of one":         {map[string]any{"internal": true, "roles": "provisioner"}, "401", ""},
		"none":               {nil, "403", ""},
		"second":             {map[string]any{"aud": "second", "upn": "e7"}, "second", "externalId=e7"},
		"second, no subject": {map[string]any{"aud": "second"}, "second", ""},
		"subject no text":    {map[string]any{"aud": "second", "upn": 7}, "second", ""},
	} {
		client, err := a.Authenticate(withHeader("Bearer " + key.token(t, validClaims(c.Now(), tt.claims), nil)))
		got, subject := client.Source, ""
		if err != nil {
			got = fmt.Sprint(statusOf(err))
		} else if client.Subject != nil {
			subject = client.Subject.Attribute + "=" + client.Subject.Value
		}
		if got != tt.want || subject != tt.subject {
			t.Errorf("%s: %s %q %v, want %s %q", name, got, subject, err, tt.want, tt.subject)
		}
	}
	if n := is.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// TestJWTKeys: keys are kept, found again after a rotation, and a flood of made-up
// kids does not reach the issuer.
func TestJWTKeys(t *testing.T) {
	t.Parallel()
	first, next := es256(t, "1"), es256(t, "2")
	is, c := newIssuer(t, first), newStopped()
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
	try := func(k signer, head map[string]any) int {
		t.Helper()
		_, err := a.Authenticate(withHeader("Bearer " + k.token(t, validClaims(c.Now(), nil), head)))
		return statusOf(err)
	}
	expect := func(what string, status, want int, asked int32) {
		t.Helper()
		if n := is.asked.Load(); status != want || n != asked {
			t.Errorf("%s: %d after %d questions, want %d after %d", what, status, n, want, asked)
		}
	}
	expect("first", try(first, nil), 200, 1)
	expect("again", try(first, nil), 200, 1)
	is.publish(first, next)
	expect("rotated at once", try(next, nil), 401, 1)
	c.pass(11 * time.Second)
	expect("rotated", try(next, nil), 200, 2)
	for n := range 30 {
		if got := try(next, map[string]any{"kid": fmt.Sprint("made-up-", n)}); got != 401 {
			t.Fatalf("made-up kid: %d", got)
		}
	}
	expect("flood", try(next, nil), 200, 2)
	c.pass(11 * time.Second)
	is.fail(func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	expect("issuer down, key known", try(next, nil), 200, 2)
	expect("issuer down, key unknown", try(next, map[string]any{"kid": "3"}), 503, 3)
	expect("still, without asking", try(next, map[string]any{"kid": "4"}), 503, 3)
	c.pass(2 * time.Hour)
	if got := try(next, nil); got != 200 { // stale, but usable; asks in the background
		t.Errorf("stale keys: %d", got)
	}
	c.pass(23 * time.Hour)
	if got := try(next, nil); got != 503 {
		t.Errorf("keys of yesterday: %d", got)
	}
	c.pass(11 * time.Second)
	is.publish(next)
	if got := try(next, nil); got != 200 {
		t.Errorf("issuer back: %d", got)
	}
	if got := try(first, nil); got != 401 {
		t.Errorf("withdrawn key: %d", got)
	}
}

// TestJWTIssuerAnswers: whatever an issuer answers, clients are told to come back.
func TestJWTIssuerAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"empty": `{"keys":[]}`, "no JSON": `<html>`, "huge": strings.Repeat(" ", 2<<20),
		"symmetric": `{"keys":[{"kty":"oct","k":"AAAA"}]}`, "off the curve": `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`} {
		key := es256(t, "e")
		is, c := newIssuer(t), newStopped()
		is.fail(func(w http.ResponseWriter) { _, _ = io.WriteString(w, body) })
		a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
		_, err := a.Authenticate(withHeader("Bearer " + key.token(t, validClaims(c.Now(), nil), nil)))
		var retry *scimserver.Retry
		if statusOf(err) != 503 || !errors.As(err, &retry) || retry.Seconds() != 10 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestJWTTogether: many that come at once cause one question.
func TestJWTTogether(t *testing.T) {
	t.Parallel()
	key := es256(t, "e")
	is, c := newIssuer(t, key), newStopped()
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
	token := key.token(t, validClaims(c.Now(), nil), nil)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := a.Authenticate(withHeader("Bearer " + token)); err != nil {
				t.Errorf("together: %v", err)
			}
		})
	}
	wg.Wait()
	if n := is.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

// FuzzJWT: no token and no key set ends the process, and nothing unsigned is taken.
func FuzzJWT(f *testing.F) {
	key := es256(f, "e")
	is, c := newIssuer(f, key), newStopped()
	a := newAccess(f, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
	good := key.token(f, validClaims(c.Now(), nil), nil)
	for _, seed := range []string{good, "..", "e30.e30.", "a.b.c", good[:len(good)-2] + "AA", b64.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		r := withHeader("")
		r.Header["Authorization"] = []string{"Bearer " + token}
		if client, err := a.Authenticate(r); err == nil && strings.TrimSpace(token) != good {
			t.Errorf("%q is taken for %s", token, client.Source)
		} else if s := statusOf(err); err != nil && s != 401 && s != 429 {
			t.Errorf("%q: %v", token, err)
		}
	})
}
