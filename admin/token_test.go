package admin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
)

func (a *api) token(path, body string) (admin.TokenView, int, string) {
	a.t.Helper()
	status, text, header := a.call("POST", path, "admin-secret", body)
	var v admin.TokenView
	if status == 200 {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			a.t.Fatal(err)
		}
		if header.Get("Cache-Control") != "no-store" {
			a.t.Error("an answer with a secret may be cached")
		}
	}
	return v, status, text
}

// TestTokens: the secret is in the answer that made it and nowhere else, and what is
// stored is its hash alone.
func TestTokens(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		made, status, text := a.token("/tokens", `{"source":"hr","name":"batch","expires":"90d"}`)
		if status != 200 || !strings.HasPrefix(made.Secret, "shb_") || made.State != "active" || made.Source != "hr" ||
			made.Expires == nil || time.Until(*made.Expires).Round(time.Hour) != 90*24*time.Hour {
			t.Fatalf("%d %s", status, text)
		}
		other, _, _ := a.token("/tokens", `{"source":"hr"}`)
		if other.Name != "token" || other.Secret == made.Secret || other.Expires != nil {
			t.Errorf("%+v", other)
		}
		again, _, _ := a.token("/tokens", `{"source":"hr"}`)
		if again.Name != "token-2" {
			t.Errorf("a third is called %q", again.Name)
		}
		turned, status, text := a.token("/tokens/"+made.ID+"/rotate", `{"overlap":"2h"}`)
		if status != 200 || turned.Secret == made.Secret || turned.State != "rotating" || turned.PreviousUntil == nil ||
			turned.Expires == nil || turned.Expires.Before(*made.Expires) {
			t.Errorf("rotated: %d %s", status, text)
		}
		if _, status, text := a.token("/tokens/"+made.ID+"/rotate", `{}`); status != 409 || !strings.Contains(text, "valid until") {
			t.Errorf("a third secret within the overlap: %d %s", status, text)
		}
		if v, status, _ := a.token("/tokens/"+other.ID+"/revoke", ""); status != 200 || v.State != "revoked" || v.Secret != "" {
			t.Errorf("revoked: %d %+v", status, v)
		}
		_, listed, _ := a.call("GET", "/tokens", "auditor-secret", "")
		for _, want := range []string{made.ID, `"state":"rotating"`, `"state":"revoked"`} {
			if !strings.Contains(listed, want) {
				t.Errorf("%s is not in %s", want, listed)
			}
		}
		if _, none, _ := a.call("GET", "/tokens?source=x", "auditor-secret", ""); !strings.Contains(none, `"items":[]`) {
			t.Errorf("of another source: %s", none)
		}
		a.nowhere([]string{made.Secret, other.Secret, turned.Secret}, listed)
		list, err := a.db.Tokens(t.Context(), "hr")
		if err != nil {
			t.Fatal(err)
		}
		sum, before := sha256.Sum256([]byte(turned.Secret)), sha256.Sum256([]byte(made.Secret))
		if !bytes.Equal(list[0].Hash, sum[:]) || !bytes.Equal(list[0].Previous, before[:]) {
			t.Errorf("stored is %+v", list[0])
		}
	})
}

// nowhere looks for secrets, and for their hashes, in what the API tells.
func (a *api) nowhere(secrets []string, texts ...string) {
	a.t.Helper()
	_, audit, _ := a.call("GET", "/audit", "auditor-secret", "")
	for _, text := range append(texts, audit) {
		for _, s := range append(secrets, "shb_", `"hash":"shb`, `"token":"`) {
			if strings.Contains(text, s) {
				a.t.Errorf("%q is in %s", s, text)
			}
		}
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		made, _, _ := a.token("/tokens", `{"source":"hr","name":"batch"}`)
		before := a.db.Int(t, `SELECT count(*) FROM audit`)
		for _, tt := range []struct {
			path, body string
			status     int
			says       string
		}{
			{"/tokens", "", 400, "JSON"},
			{"/tokens", `{}`, 404, "no source"},
			{"/tokens", `{"source":"entra"}`, 404, "configured are: hr"},
			{"/tokens", `{"source":"hr","name":"batch"}`, 409, "already"},
			{"/tokens", `{"source":"hr","name":"main"}`, 409, "configuration"},
			{"/tokens", `{"source":"hr","name":"A B"}`, 400, "name"},
			{"/tokens", `{"source":"hr","expires":"2001-01-01"}`, 400, "expired"},
			{"/tokens", `{"source":"hr","expires":"0s"}`, 400, "90d"},
			{"/tokens", `{"source":"hr","expires":"tomorrow"}`, 400, "90d"},
			{"/tokens", `{"source":"hr","overlap":"1h"}`, 400, "overlap"},
			{"/tokens", `{"source":"hr","role":"admin"}`, 400, "role"},
			{"/tokens/" + made.ID + "/rotate", `{"overlap":"long"}`, 400, "overlap"},
			{"/tokens/" + made.ID + "/rotate", `{"name":"x"}`, 400, "cannot be changed"},
			{"/tokens/" + made.ID + "/rotate", `{"expires":"2001-01-01"}`, 400, "expired"},
			{"/tokens/%00/rotate", `{}`, 400, "UTF-8"},
		} {
			if _, status, text := a.token(tt.path, tt.body); status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%s %s: %d %s, want %d with %q", tt.path, tt.body, status, text, tt.status, tt.says)
			}
		}
		if n := a.db.Int(t, `SELECT count(*) FROM audit`); n != before {
			t.Errorf("%d entries about what did not happen", n-before)
		}
	})
}
