package scimserver_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/scimserver"
)

// TestRateLimitTogether: requests that are refused cost a source nothing of what is
// agreed, however many come at once.
func TestRateLimitTogether(t *testing.T) {
	t.Parallel()
	c := newStopped()
	a := newAccess(t, c, scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})},
		Limits: map[string]scimserver.Limit{"hr": {Requests: 1, Burst: 1}}})
	for range 5 {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 50 {
					_, _ = a.Authenticate(withHeader("Bearer x"))
				}
			})
		}
		wg.Wait()
		c.pass(time.Second)
		if _, err := a.Authenticate(withHeader("Bearer x")); err != nil {
			t.Fatalf("a second after a flood: %v", err)
		}
	}
}

// TestGuessingWithDots: a static token that looks like a signed one is guessed no
// faster than others.
func TestGuessingWithDots(t *testing.T) {
	t.Parallel()
	for name, signed := range map[string]bool{"no issuer": false, "an issuer": true} {
		c, key := newStopped(), es256(t, "e")
		creds := scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "a.b.c", time.Time{})},
			Basic: []scimserver.Basic{basicOf("hr", "legacy", "u", "p", time.Time{})}}
		if signed {
			creds.JWT = []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)}
		}
		a := newAccess(t, c, creds)
		for n := range 60 {
			_, _ = a.Authenticate(withHeader(fmt.Sprintf("Bearer a.b.%d", n)))
		}
		for _, header := range []string{"Bearer a.b.c", "a.b.c", basicHeader("u", "p")} {
			if _, err := a.Authenticate(withHeader(header)); statusOf(err) != 429 {
				t.Errorf("%s: a guesser hears of %q: %v", name, header, err)
			}
		}
	}
}

// TestSlowly: a door beside SCIM slows guessing too, and both know of the other's guesses.
func TestSlowly(t *testing.T) {
	t.Parallel()
	c := newStopped()
	a := newAccess(t, c, scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}})
	checks := 0
	try := func(header string) time.Duration {
		return a.Slowly(withHeader(header), func() bool { checks++; return header == "Bearer right" || header == "Bearer other" })
	}
	if wait := try("Bearer right"); wait != 0 {
		t.Fatal(wait)
	}
	for n := range 50 {
		if wait := try(fmt.Sprint("Bearer ", n)); wait != 0 {
			t.Fatalf("guess %d waits %v", n, wait)
		}
	}
	if wait := try("Bearer 50"); wait <= 0 || wait > 100*time.Millisecond || checks != 51 {
		t.Errorf("one more waits %v after %d checks", wait, checks)
	}
	if wait := try("Bearer other"); wait <= 0 || checks != 51 {
		t.Errorf("right, but never before: %v after %d checks", wait, checks)
	}
	if wait := try("Bearer right"); wait != 0 {
		t.Errorf("right before: %v", wait)
	}
	if _, err := a.Authenticate(withHeader("Bearer x")); statusOf(err) != 429 {
		t.Errorf("at the other door: %v", err)
	}
	c.pass(time.Second)
	if wait := try("Bearer other"); wait != 0 {
		t.Errorf("a second later: %v", wait)
	}
}

// TestReplaceWhileServing: credentials that are in both sets never fail while one
// replaces the other.
func TestReplaceWhileServing(t *testing.T) {
	t.Parallel()
	c, key := newStopped(), es256(t, "e")
	first := scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}, Basic: []scimserver.Basic{basicOf("hr", "l", "u", "p", time.Time{})},
		JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)}, Limits: map[string]scimserver.Limit{"hr": {Requests: 1e6, Burst: 1e6}}}
	second := first
	second.Tokens = append(slices.Clone(first.Tokens), tok("new", "main", "y", time.Time{}))
	a := newAccess(t, c, first)
	headers := []string{"Bearer x", basicHeader("u", "p"), "Bearer " + key.token(t, validClaims(c.Now(), nil), nil)}
	var wg sync.WaitGroup
	for _, header := range headers {
		wg.Go(func() {
			for range 300 {
				if client, err := a.Authenticate(withHeader(header)); err != nil || client.Source != "hr" {
					t.Errorf("%.9s: %q %v", header, client.Source, err)
					return
				}
			}
		})
	}
	for n := range 300 {
		if err := a.Replace([]scimserver.Credentials{first, second}[n%2]); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

// TestReplaceTogether: whoever replaces credentials at the same time, what is in
// force afterwards is one set and works.
func TestReplaceTogether(t *testing.T) {
	t.Parallel()
	c, key := newStopped(), es256(t, "e")
	with := scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)}, Limits: map[string]scimserver.Limit{}}
	for n := range 2000 { // which takes a while
		with.Limits[fmt.Sprint("source-", n)] = scimserver.Limit{Requests: 1}
	}
	a := newAccess(t, c, with)
	token := "Bearer " + key.token(t, validClaims(c.Now(), nil), nil)
	for range 50 {
		var wg sync.WaitGroup
		for _, creds := range []scimserver.Credentials{{}, with, {}, with, {}, with} {
			wg.Go(func() {
				if err := a.Replace(creds); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		open := slices.ContainsFunc(a.Schemes(), func(s scimserver.Scheme) bool { return s.Type == "oauth2" })
		if _, err := a.Authenticate(withHeader(token)); open && err != nil || !open && statusOf(err)/100 != 4 {
			t.Fatalf("signed tokens are taken: %v; yet %v", open, err)
		}
	}
}

// TestIssuersApart: the key of one issuer proves nothing about tokens of another,
// whatever the header of a token points to.
func TestIssuersApart(t *testing.T) {
	t.Parallel()
	mine, theirs, c := es256(t, "e"), es256(t, "e"), newStopped()
	bait := newIssuer(t, theirs)
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, mine), nil),
		{Client: scimserver.Client{Source: "evil"}, Issuer: "https://evil.example.com", Audience: "hub", KeysURL: newIssuer(t, theirs).URL}}})
	for name, tt := range map[string]struct {
		key          signer
		claims, head map[string]any
		want         string // source or status
	}{
		"mine":               {mine, nil, nil, "hr"},
		"theirs":             {theirs, map[string]any{"iss": "https://evil.example.com"}, nil, "evil"},
		"theirs as mine":     {theirs, nil, nil, "401"},
		"mine as theirs":     {mine, map[string]any{"iss": "https://evil.example.com"}, nil, "401"},
		"points elsewhere":   {theirs, nil, map[string]any{"jku": bait.URL + "/keys", "x5u": bait.URL}, "401"},
		"kid is a path":      {theirs, nil, map[string]any{"kid": "../../../../dev/null"}, "401"},
		"kid is an address":  {theirs, nil, map[string]any{"kid": bait.URL + "/keys"}, "401"},
		"kid is SQL":         {theirs, nil, map[string]any{"kid": "e' OR '1'='1"}, "401"},
		"kid with a NUL":     {mine, nil, map[string]any{"kid": "e\x00"}, "401"},
		"kid in other case":  {mine, nil, map[string]any{"kid": "E"}, "401"},
		"kid is endless":     {mine, nil, map[string]any{"kid": strings.Repeat("e", 9<<10)}, "401"},
		"kid is empty":       {mine, nil, map[string]any{"kid": ""}, "hr"},
		"alg in other case":  {mine, nil, map[string]any{"alg": "es256"}, "401"},
		"alg is a list":      {mine, nil, map[string]any{"alg": []string{"ES256"}}, "401"},
		"two issuers":        {theirs, map[string]any{"iss": []string{"https://sts.example.com", "https://evil.example.com"}}, nil, "401"},
		"encrypted, it says": {mine, nil, map[string]any{"enc": "A256GCM", "zip": "DEF"}, "hr"}, // signed all the same
	} {
		client, err := a.Authenticate(withHeader("Bearer " + tt.key.token(t, validClaims(c.Now(), tt.claims), tt.head)))
		got := client.Source
		if err != nil {
			got = fmt.Sprint(statusOf(err))
		}
		if got != tt.want {
			t.Errorf("%s: %s %v, want %s", name, got, err, tt.want)
		}
	}
	if n := bait.asked.Load(); n != 0 {
		t.Errorf("an address in a token was asked %d times", n)
	}
}

// TestHugeHeaders: what is far too long to be right is refused like anything wrong.
func TestHugeHeaders(t *testing.T) {
	t.Parallel()
	c, key := newStopped(), es256(t, "e")
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)},
		Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}, Basic: []scimserver.Basic{basicOf("hr", "l", "u", "p", time.Time{})}})
	long := strings.Repeat("a", 1<<20)
	for name, header := range map[string]string{
		"bare": long, "bearer": "Bearer " + long, "dots": "Bearer " + strings.Repeat(".", 1<<20), "signed": "Bearer " + long + "." + long + "." + long,
		"deep":  "Bearer " + b64.EncodeToString([]byte(strings.Repeat(`{"a":`, 2<<10))) + ".e30.AA",
		"wide":  "Bearer " + b64.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + b64.EncodeToString([]byte(strings.Repeat("[", 10<<10))) + ".AA",
		"basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+long)), "scheme": long + " x", "spaces": "Bearer" + strings.Repeat(" ", 1<<20) + "y",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		if _, err := a.Authenticate(r); statusOf(err) != 401 || len(err.Error()) > 300 {
			t.Errorf("%s: %.400v", name, err)
		}
	}
}
