package scimserver_test

import (
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

func tok(source, name, secret string, expires time.Time) scimserver.Token {
	return scimserver.Token{Client: scimserver.Client{Source: source, Name: name}, Hash: scimserver.HashToken(secret), Expires: expires}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	var tokens scimserver.Tokens
	if _, err := tokens.Lookup("a", noon); err == nil {
		t.Error("an empty set knows a token")
	}
	if err := tokens.Replace([]scimserver.Token{
		tok("hr", "old", "a", noon), tok("hr", "new", "b", time.Time{}), tok("entra", "main", "c", noon.Add(time.Hour)),
	}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		token  string
		at     time.Time
		source string
		name   string
	}{
		{"a", noon.Add(-1), "hr", "old"},
		{"a", noon, "", ""},
		{"b", noon.AddDate(100, 0, 0), "hr", "new"},
		{"c", noon, "entra", "main"},
		{"", noon, "", ""},
		{"A", noon.Add(-1), "", ""},
		{"ab", noon, "", ""},
	}
	for _, tt := range tests {
		c, err := tokens.Lookup(tt.token, tt.at)
		if c.Source != tt.source || c.Name != tt.name || (err == nil) != (tt.source != "") {
			t.Errorf("%q at %s: %+v, %v", tt.token, tt.at, c, err)
		}
		if e, ok := scim.AsError(err); err != nil && (!ok || e.Status != 401) {
			t.Errorf("%q: error %v is no 401", tt.token, err)
		}
	}
	err := tokens.Replace([]scimserver.Token{tok("hr", "x", "same", time.Time{}), tok("entra", "y", "same", time.Time{})})
	if !errors.Is(err, scimserver.ErrDuplicateToken) {
		t.Errorf("two owners of one token: %v", err)
	}
	if _, err := tokens.Lookup("b", noon); err != nil {
		t.Errorf("a refused set replaced the old one: %v", err)
	}
}

func TestTokensAreReplacedWhileInUse(t *testing.T) {
	t.Parallel()
	var tokens scimserver.Tokens
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				if i == 0 {
					if err := tokens.Replace([]scimserver.Token{tok("hr", "main", "a", time.Time{})}); err != nil {
						t.Error(err)
					}
				}
				_, _ = tokens.Lookup("a", time.Time{})
			}
		})
	}
	wg.Wait()
	if _, err := tokens.Lookup("a", time.Time{}); err != nil {
		t.Error(err)
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER   abc ": "abc",
		"": "", "Bearer": "", "Bearer ": "", "abc": "", "Basic abc": "", "Bearerabc": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		got, err := scimserver.BearerToken(r)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
}
