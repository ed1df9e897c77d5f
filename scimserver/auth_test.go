package scimserver_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func basicOf(source, name, user, password string, expires time.Time) scimserver.Basic {
	return scimserver.Basic{Client: scimserver.Client{Source: source, Name: name}, Hash: scimserver.HashBasic(user, password), Expires: expires}
}

func TestAccessHeader(t *testing.T) {
	t.Parallel()
	c := newStopped()
	now := c.Now()
	var seen []string
	bare := tok("okta", "bare", "bare-token", time.Time{})
	bare.Dialect = scim.Dialect{BareToken: true, Seen: func(flag string) { seen = append(seen, flag) }}
	made := tok("hr", "made", "made.with.dots", time.Time{})
	made.ID = "id-7"
	var used []string
	a := scimserver.NewAccess(scimserver.AccessOptions{Now: c.Now, Used: func(id string) { used = append(used, id) }})
	if err := a.Replace(scimserver.Credentials{
		Tokens: []scimserver.Token{tok("hr", "main", "secret", time.Time{}), tok("hr", "old", "outlived", now), bare, made},
		Basic: []scimserver.Basic{basicOf("hr", "legacy", "hr", "pa:ss", time.Time{}), basicOf("hr", "next", "hr", "other", time.Time{}),
			basicOf("hr", "gone", "gone", "x", now), basicOf("hr", "empty", "e", "", time.Time{}), basicOf("hr", "é", "é", "ü", time.Time{})},
	}); err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"":                                 "needs a bearer token",
		"Bearer secret":                    "hr/main",
		"bearer   secret":                  "hr/main",
		"BEARER secret ":                   "hr/main",
		"Bearer Secret":                    "not valid",
		"Bearer secret x":                  "not valid",
		"Bearer":                           "must read",
		"Bearer ":                          "must read",
		"Bearer outlived":                  "expired on 2026-06-30",
		"Bearer made.with.dots":            "hr/made",
		"Bearer bare-token":                "okta/bare",
		"bare-token":                       "okta/bare",
		"made.with.dots":                   "must read", // and is not noted as used
		"secret":                           "must read",
		"nonsense":                         "must read",
		"Token secret":                     "must read",
		"Digest x":                         "must read",
		basicHeader("hr", "pa:ss"):         "hr/legacy",
		basicHeader("hr", "other"):         "hr/next",
		"basic aHI6b3RoZXI":                "hr/next", // no padding
		basicHeader("hr", "pa"):            "not right",
		basicHeader("hr:pa", "ss"):         "hr/legacy", // the first colon ends the name
		basicHeader("HR", "pa:ss"):         "not right",
		basicHeader("", ""):                "not right",
		basicHeader("e", ""):               "hr/empty",
		basicHeader("é", "ü"):              "hr/é",
		basicHeader("gone", "x"):           "password expired",
		"Basic secret":                     "must read",
		"Basic !!!":                        "must read",
		"Basic":                            "must read",
		"Basic " + strings.Repeat("A", 99): "must read",
	} {
		client, err := a.Authenticate(withHeader(header))
		got := client.Source + "/" + client.Name
		if err != nil {
			if got = err.Error(); statusOf(err) != 401 {
				t.Errorf("%q: %v is no 401", header, err)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
	r := withHeader("Bearer secret")
	r.Header.Add("Authorization", "Bearer other")
	if _, err := a.Authenticate(r); statusOf(err) != 401 {
		t.Errorf("two headers: %v", err)
	}
	if fmt.Sprint(used) != "[id-7]" || fmt.Sprint(seen) != "[bare_token]" {
		t.Errorf("used %v, seen %v", used, seen)
	}
}

func TestAccessReplace(t *testing.T) {
	t.Parallel()
	c := newStopped()
	a := scimserver.NewAccess(scimserver.AccessOptions{Now: c.Now})
	if _, err := a.Authenticate(withHeader("Bearer x")); statusOf(err) != 401 {
		t.Errorf("an empty access: %v", err)
	}
	good := scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}}
	if err := a.Replace(good); err != nil {
		t.Fatal(err)
	}
	same := tok("b", "1", "y", time.Time{})
	for name, bad := range map[string]scimserver.Credentials{
		"tokens":       {Tokens: []scimserver.Token{tok("a", "1", "y", time.Time{}), same}},
		"basic":        {Basic: []scimserver.Basic{basicOf("a", "1", "u", "p", time.Time{}), basicOf("b", "2", "u", "p", time.Time{})}},
		"certificates": {Certificates: []scimserver.Certificate{certOf("a", "1", "gateway", [32]byte{}), certOf("b", "2", "gateway", [32]byte{})}},
		"fingerprints": {Certificates: []scimserver.Certificate{certOf("a", "1", "", [32]byte{7}), certOf("b", "2", "", [32]byte{7})}},
	} {
		err := a.Replace(bad)
		if !errors.Is(err, scimserver.ErrDuplicateToken) || !strings.Contains(err.Error(), "a/1") {
			t.Errorf("%s of two: %v", name, err)
		}
	}
	if _, err := a.Authenticate(withHeader("Bearer x")); err != nil {
		t.Errorf("a refused set replaced the old one: %v", err)
	}
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	types := func(c scimserver.Credentials) (out []string, primary int) {
		for _, s := range c.Schemes() {
			if out = append(out, s.Type); s.Primary {
				primary++
			}
			if s.Name == "" || s.Description == "" || !strings.HasPrefix(s.SpecURI, "https://") {
				t.Errorf("%+v is not complete", s)
			}
		}
		return out, primary
	}
	for _, tt := range []struct {
		c    scimserver.Credentials
		want string
	}{
		{scimserver.Credentials{}, "[oauthbearertoken]"},
		{scimserver.Credentials{Basic: make([]scimserver.Basic, 1)}, "[oauthbearertoken httpbasic]"},
		{scimserver.Credentials{JWT: make([]scimserver.JWT, 2), Certificates: make([]scimserver.Certificate, 1)}, "[oauthbearertoken oauth2]"},
	} {
		if got, primary := types(tt.c); fmt.Sprint(got) != tt.want || primary != 1 {
			t.Errorf("%v with %d primary, want %s", got, primary, tt.want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newStopped()
	creds := scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{}), tok("hr", "b", "x2", time.Time{}), tok("free", "main", "y", time.Time{})},
		Limits: map[string]scimserver.Limit{"hr": {Requests: 2, Burst: 3}, "free": {}}}
	a := newAccess(t, c, creds)
	for n := range 100 {
		if _, err := a.Authenticate(withHeader("Bearer y")); err != nil {
			t.Fatalf("no limit, request %d: %v", n, err)
		}
	}
	served := 0
	for n := range 10 {
		token := []string{"x", "x2"}[n%2] // the limit is the source's, not the token's
		client, err := a.Authenticate(withHeader("Bearer " + token))
		if err == nil {
			served++
			continue
		}
		var retry *scimserver.Retry
		if statusOf(err) != 429 || !errors.As(err, &retry) || retry.Seconds() != 1 || client.Source != "hr" {
			t.Errorf("request %d: %v of %q", n, err, client.Source)
		}
	}
	if served != 3 {
		t.Errorf("%d of a burst of 3 served", served)
	}
	if err := a.Replace(creds); err != nil { // the same limit again fills no bucket
		t.Fatal(err)
	}
	if _, err := a.Authenticate(withHeader("Bearer x")); statusOf(err) != 429 {
		t.Errorf("after the same configuration again: %v", err)
	}
	c.pass(time.Second)
	for n, want := range []int{200, 200, 429} {
		if _, err := a.Authenticate(withHeader("Bearer x")); statusOf(err) != want {
			t.Errorf("a second later, request %d: %v", n, err)
		}
	}
}

// TestGuessing: who fails too often from one address is not listened to, except for
// credentials that were right from there before; other addresses notice nothing.
func TestGuessing(t *testing.T) {
	t.Parallel()
	c := newStopped()
	key := es256(t, "e")
	made := tok("hr", "made", "shb_random", time.Time{})
	made.ID = "id-1"
	a := newAccess(t, c, scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "right", time.Time{}), made, tok("hr", "second", "right too", time.Time{})},
		Basic: []scimserver.Basic{basicOf("hr", "legacy", "u", "guessable", time.Time{})},
		JWT:   []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)}})
	from := func(addr, header string) int {
		r := withHeader(header)
		r.RemoteAddr = addr
		_, err := a.Authenticate(r)
		return statusOf(err)
	}
	const attacker = "192.0.2.1:1000"
	if got := from(attacker, "Bearer right"); got != 200 {
		t.Fatal(got)
	}
	count := map[int]int{}
	for n := range 500 {
		count[from(fmt.Sprintf("192.0.2.1:%d", 1000+n), basicHeader("u", fmt.Sprint("guess-", n)))]++
	}
	if count[401] != 50 || count[429] != 450 {
		t.Errorf("500 guesses: %v, want 50 answered", count)
	}
	for what, tt := range map[string]struct {
		addr, header string
		want         int
	}{
		"used from there before":       {attacker, "Bearer right", 200},
		"right, but never from there":  {attacker, basicHeader("u", "guessable"), 429},
		"a token likewise":             {attacker, "Bearer right too", 429},
		"nobody guesses what is made":  {attacker, "Bearer shb_random", 200},
		"elsewhere":                    {"192.0.2.2:1", basicHeader("u", "guessable"), 200},
		"elsewhere, wrong":             {"192.0.2.3:1", "Bearer wrong", 401},
		"signed":                       {attacker, "Bearer " + key.token(t, validClaims(c.Now(), nil), nil), 200},
		"signed wrongly":               {attacker, "Bearer " + es256(t, "e").token(t, validClaims(c.Now(), nil), nil), 429},
		"nothing at all is no guess":   {attacker, "", 401},
		"an address nobody can read":   {"@", "Bearer right", 200},
		"another of the same IPv6 /64": {"[2001:db8::1]:5", "Bearer right", 200},
	} {
		if got := from(tt.addr, tt.header); got != tt.want {
			t.Errorf("%s: %d, want %d", what, got, tt.want)
		}
	}
	for n := range 60 {
		from(fmt.Sprintf("[2001:db8:1::%x]:9", n+1), "Bearer wrong")
	}
	if got := from("[2001:db8:1::ffff]:9", "Bearer wrong"); got != 429 {
		t.Errorf("a guesser with a whole IPv6 network: %d", got)
	}
	c.pass(5 * time.Second)
	if got := from(attacker, basicHeader("u", "guessable")); got != 200 {
		t.Errorf("five seconds later: %d", got)
	}
}

// TestGuessingIsBounded: addresses without end cost no memory without end, and the
// latest ones are still known.
func TestGuessingIsBounded(t *testing.T) {
	t.Parallel()
	c := newStopped()
	a := newAccess(t, c, scimserver.Credentials{})
	for n := range 30_000 {
		r := withHeader("Bearer wrong")
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255)
		if _, err := a.Authenticate(r); statusOf(err) != 401 {
			t.Fatal(err)
		}
	}
	if n := a.Remembered(); n > 20_000 {
		t.Errorf("%d addresses are remembered", n)
	}
}
