package scimserver_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/scimhub/scimhub/scimserver"
)

// TestJWTEveryAlgorithm: all ways to sign that are promised work, and a key checks
// what it can and nothing else, whatever the header of a token says.
func TestJWTEveryAlgorithm(t *testing.T) {
	t.Parallel()
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	keys := map[jose.SignatureAlgorithm]crypto.Signer{jose.EdDSA: ed, jose.ES256: ec(elliptic.P256()), jose.ES384: ec(elliptic.P384()), jose.ES512: ec(elliptic.P521()),
		jose.RS256: long, jose.RS384: long, jose.RS512: long, jose.PS256: long, jose.PS384: long, jose.PS512: long}
	c := newStopped()
	payload, err := json.Marshal(validClaims(c.Now(), nil))
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[jose.SignatureAlgorithm]string{}
	for alg, key := range keys {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		if tokens[alg], err = signed.CompactSerialize(); err != nil {
			t.Fatal(err)
		}
	}
	for alg, key := range keys {
		for _, declared := range []string{"", string(alg)} { // a key may name its alg
			is := newIssuer(t)
			is.fail(func(w http.ResponseWriter) {
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: declared}}})
			})
			a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
			for other, token := range tokens {
				want := 401
				if other == alg || declared == "" && key == keys[other] {
					want = 200
				}
				if _, err := a.Authenticate(withHeader("Bearer " + token)); statusOf(err) != want {
					t.Errorf("key of %s (alg %q), token of %s: %v, want %d", alg, declared, other, err, want)
				}
			}
		}
	}
}

// TestJWTWhichKeys: which of the keys that an issuer may publish are used. A token
// that names a used key is told that its signature is wrong; for others there is no key.
func TestJWTWhichKeys(t *testing.T) {
	t.Parallel()
	modulus := func(bits int) string { // of a key that nobody has
		n := bytes.Repeat([]byte{0xff}, (bits+7)/8)
		n[0] >>= (8 - bits%8) % 8
		return b64.EncodeToString(n)
	}
	rsaKey := func(more map[string]any) map[string]any {
		k := map[string]any{"kty": "RSA", "n": modulus(2048), "e": "AQAB"}
		maps.Copy(k, more)
		return k
	}
	ec, mine := es256(t, ""), es256(t, "e")
	ecKey := func(more map[string]any) map[string]any {
		k := maps.Clone(ec.jwk)
		maps.Copy(k, more)
		return k
	}
	for name, tt := range map[string]struct {
		key  map[string]any
		used bool
	}{
		"RSA":                  {rsaKey(nil), true},
		"RSA 2047":             {rsaKey(map[string]any{"n": modulus(2047)}), false},
		"RSA 4096":             {rsaKey(map[string]any{"n": modulus(4096)}), true},
		"RSA 4104":             {rsaKey(map[string]any{"n": modulus(4104)}), true},
		"RSA 8192":             {rsaKey(map[string]any{"n": modulus(8192)}), true},
		"RSA 8193":             {rsaKey(map[string]any{"n": modulus(8193)}), false},
		"RSA 8192 private":     {rsaKey(map[string]any{"n": modulus(8192), "d": "AQAB"}), false},
		"RSA 8192 for secrets": {rsaKey(map[string]any{"n": modulus(8192), "use": "enc"}), false},
		"RSA exponent 1":       {rsaKey(map[string]any{"e": "AQ"}), false},
		"RSA huge exponent":    {rsaKey(map[string]any{"e": modulus(256)}), false},
		"RSA no exponent":      {rsaKey(map[string]any{"e": ""}), false},
		"RSA alg of EC":        {rsaKey(map[string]any{"alg": "ES256"}), false},
		"RSA alg for secrets":  {rsaKey(map[string]any{"alg": "RSA-OAEP"}), false},
		"RSA alg HS256":        {rsaKey(map[string]any{"alg": "HS256"}), false},
		"EC":                   {ecKey(nil), true},
		"EC alg of its curve":  {ecKey(map[string]any{"alg": "ES256"}), true},
		"EC alg of another":    {ecKey(map[string]any{"alg": "ES384"}), false},
		"EC another curve":     {ecKey(map[string]any{"crv": "P-384"}), false},
		"EC unknown curve":     {ecKey(map[string]any{"crv": "secp256k1"}), false},
		"EC off the curve":     {ecKey(map[string]any{"y": ec.jwk["x"]}), false},
		"EC private":           {ecKey(map[string]any{"d": ec.jwk["x"]}), false},
		"EC for anything":      {ecKey(map[string]any{"use": nil}), true},
		"EC to verify":         {ecKey(map[string]any{"key_ops": []string{"sign", "verify"}}), true},
		"EC to sign":           {ecKey(map[string]any{"key_ops": []string{"sign"}}), false},
		"EC for nothing":       {ecKey(map[string]any{"key_ops": []string{}}), false},
		"EC ops no list":       {ecKey(map[string]any{"key_ops": "verify"}), false},
		"Ed25519":              {edSigner(t, "").jwk, true},
		"Ed25519 too short":    {map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, false},
		"X25519":               {map[string]any{"kty": "OKP", "crv": "X25519", "x": modulus(256)}, false},
		"symmetric":            {map[string]any{"kty": "oct", "k": modulus(256), "alg": "HS256"}, false},
		"no type":              {ecKey(map[string]any{"kty": ""}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.key["kid"] = "which"
			is, c := newIssuer(t, signer{jwk: tt.key}, mine), newStopped()
			a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
			alg := map[any]string{"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[tt.key["kty"]]
			if alg == "" {
				alg = "ES256"
			}
			_, err := a.Authenticate(withHeader("Bearer " + mine.token(t, validClaims(c.Now(), nil), map[string]any{"kid": "which", "alg": alg})))
			want := "publishes no key"
			if tt.used {
				want = "signature is not right"
			}
			if statusOf(err) != 401 || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			// One key that cannot be used does not spoil the others.
			if _, err := a.Authenticate(withHeader("Bearer " + mine.token(t, validClaims(c.Now(), nil), nil))); err != nil {
				t.Errorf("its neighbour: %v", err)
			}
		})
	}
}

// TestJWTManyKeys: of a set without end a hundred keys are used.
func TestJWTManyKeys(t *testing.T) {
	t.Parallel()
	first, last := es256(t, "1"), es256(t, "101")
	keys := []signer{first}
	for range 99 {
		keys = append(keys, es256(t, "x"))
	}
	is, c := newIssuer(t, append(keys, last)...), newStopped()
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", is, nil)}})
	for k, want := range map[*signer]int{&first: 200, &last: 401} {
		if _, err := a.Authenticate(withHeader("Bearer " + k.token(t, validClaims(c.Now(), nil), nil))); statusOf(err) != want {
			t.Errorf("key %s: %v, want %d", k.kid, err, want)
		}
	}
}

// TestJWTOneSpelling: a token is taken as it was signed and in no other spelling.
func TestJWTOneSpelling(t *testing.T) {
	t.Parallel()
	key, c := es256(t, "e"), newStopped()
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(t, key), nil)}})
	token := key.token(t, validClaims(c.Now(), nil), nil)
	parts := strings.Split(token, ".")
	loose := parts[2][:len(parts[2])-1] + string(parts[2][len(parts[2])-1]+1) // bits that decode to nothing
	for name, bad := range map[string]string{
		"line break in header":    parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
		"line break in payload":   parts[0] + "." + parts[1][:4] + "\r\n" + parts[1][4:] + "." + parts[2],
		"line break in signature": parts[0] + "." + parts[1] + "." + parts[2][:4] + "\n" + parts[2][4:],
		"loose bits":              parts[0] + "." + parts[1] + "." + loose,
		"padding":                 token + "==",
		"as JSON":                 `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"space":                   parts[0] + " ." + parts[1] + "." + parts[2],
		"kid is no text":          key.token(t, validClaims(c.Now(), nil), map[string]any{"kid": 7}),
		"alg twice":               b64.EncodeToString([]byte(`{"alg":"ES256","alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"b64":                     key.token(t, validClaims(c.Now(), nil), map[string]any{"b64": false}),
		"private key in header":   key.token(t, validClaims(c.Now(), nil), map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}),
	} {
		r := withHeader("")
		r.Header["Authorization"] = []string{"Bearer " + bad}
		if _, err := a.Authenticate(r); statusOf(err) != 401 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Authenticate(withHeader("Bearer " + token)); err != nil {
		t.Fatal(err)
	}
}

// TestJWTRedirect: keys of an issuer at https are not taken from where anybody on the
// way could put others; elsewhere redirects are followed.
func TestJWTRedirect(t *testing.T) {
	t.Parallel()
	key, c := es256(t, "e"), newStopped()
	is := newIssuer(t, key)
	plain, safe := httptest.NewServer(http.RedirectHandler(is.URL, http.StatusFound)), httptest.NewTLSServer(http.RedirectHandler(is.URL, http.StatusFound))
	t.Cleanup(plain.Close)
	t.Cleanup(safe.Close)
	for url, want := range map[string]int{plain.URL: 200, safe.URL: 503} {
		a := scimserver.NewAccess(scimserver.AccessOptions{Now: c.Now, Keys: safe.Client()})
		j := jwtOf("hr", is, nil)
		j.KeysURL = url
		if err := a.Replace(scimserver.Credentials{JWT: []scimserver.JWT{j}}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(withHeader("Bearer " + key.token(t, validClaims(c.Now(), nil), nil))); statusOf(err) != want {
			t.Errorf("%s: %v, want %d", url, err, want)
		}
	}
}

// answers is an issuer without a network.
type answers string

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// FuzzJWTKeySet: whatever an issuer answers, it is read or refused, and no token of
// another key is taken.
func FuzzJWTKeySet(f *testing.F) {
	key, c := es256(f, "e"), newStopped()
	token := key.token(f, validClaims(c.Now(), nil), nil)
	other, err := json.Marshal(map[string]any{"keys": []any{es256(f, "e").jwk, edSigner(f, "d").jwk}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(other))
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":""},null,7]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x5c":["AAAA"],"x5t":"AA"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		a := scimserver.NewAccess(scimserver.AccessOptions{Now: c.Now, Keys: &http.Client{Transport: answers(body)}})
		if err := a.Replace(scimserver.Credentials{JWT: []scimserver.JWT{{Issuer: "https://sts.example.com", Audience: "hub", KeysURL: "http://keys"}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(withHeader("Bearer " + token)); statusOf(err) != 401 && statusOf(err) != 503 {
			t.Errorf("%q: %v", body, err)
		}
	})
}
