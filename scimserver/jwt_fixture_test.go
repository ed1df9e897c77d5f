package scimserver_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var b64 = base64.RawURLEncoding

// signer is an issuer's key, and what its key set says of it.
type signer struct {
	kid, alg string
	sign     func(text string) []byte
	jwk      map[string]any
}

func es256(t testing.TB, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, "ES256", func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}, map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:])}}
}

func rsaSigner(t testing.TB, kid, alg string, bits int) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, alg, func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		sign := rsa.SignPKCS1v15
		if alg == "PS256" {
			sign = func(random io.Reader, k *rsa.PrivateKey, h crypto.Hash, digest []byte) ([]byte, error) {
				return rsa.SignPSS(random, k, h, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			}
		}
		out, err := sign(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return out
	}, map[string]any{"kty": "RSA", "kid": kid, "n": b64.EncodeToString(key.N.Bytes()), "e": "AQAB"}}
}

func edSigner(t testing.TB, kid string) signer {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, "EdDSA", func(text string) []byte { return ed25519.Sign(key, []byte(text)) },
		map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64.EncodeToString(pub)}}
}

// issuer is an authorization server that publishes keys.
type issuer struct {
	*httptest.Server
	t     testing.TB
	asked atomic.Int32

	mu     sync.Mutex
	keys   []map[string]any
	answer func(w http.ResponseWriter) // instead of the keys
}

func newIssuer(t testing.TB, keys ...signer) *issuer {
	t.Helper()
	i := &issuer{t: t}
	i.publish(keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		answer, keys := i.answer, i.keys
		i.mu.Unlock()
		if answer != nil {
			answer(w)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(keys ...signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys, i.answer = nil, nil
	for _, k := range keys {
		i.keys = append(i.keys, k.jwk)
	}
}

func (i *issuer) fail(answer func(w http.ResponseWriter)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// token signs claims; head replaces parts of the header, nil leaves one out.
func (s signer) token(t testing.TB, claims map[string]any, head map[string]any) string {
	t.Helper()
	header := map[string]any{"alg": s.alg, "kid": s.kid, "typ": "at+jwt"}
	maps.Copy(header, head)
	maps.DeleteFunc(header, func(_ string, v any) bool { return v == nil })
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64.EncodeToString(h) + "." + b64.EncodeToString(c)
	return text + "." + b64.EncodeToString(s.sign(text))
}

func validClaims(now time.Time, more map[string]any) map[string]any {
	c := map[string]any{"iss": "https://sts.example.com", "aud": "hub", "sub": "ada", "exp": now.Add(time.Hour).Unix(), "nbf": now.Add(-time.Hour).Unix()}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}
