package scimserver

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// partEncoding is base64url without padding, and nothing that decodes to the same
// twice (RFC 7515 §2).
var partEncoding = base64.RawURLEncoding.Strict()

// algorithms are the ways to sign that are taken (RFC 7518 §3.1, RFC 8037 §3.1). All
// are asymmetric: who can check a token must not be able to make one.
var algorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	jose.PS256, jose.PS384, jose.PS512, jose.RS256, jose.RS384, jose.RS512,
}

func algorithmNames() string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}

// Limits of the keys of an issuer. RSA keys that are shorter are not to be trusted
// (RFC 7518 §3.3); checking with longer ones would cost too much, and so would
// trying more keys.
const (
	maxKeys = 100
	minRSA  = 2048 // bits
	maxRSA  = 8192
	joseRSA = 4096 // what go-jose reads by itself
)

// parseKeySet reads the keys of a set that can check signatures (RFC 7517 §5);
// others are left out. A set without any is an error.
func parseKeySet(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("the answer is not a JSON Web Key Set")
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		if len(out) == maxKeys {
			break
		}
		if k, ok := parseKey(raw); ok {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the key set has no key that can check signatures")
	}
	return out, nil
}

// parseKey reads one key, and says whether it can check signatures and may. A private
// key that somebody published proves nothing any more.
func parseKey(raw []byte) (k jose.JSONWebKey, ok bool) {
	var ops struct { // go-jose has no place for it
		KeyOps []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &ops) != nil || ops.KeyOps != nil && !slices.Contains(ops.KeyOps, "verify") {
		return k, false
	}
	if k.UnmarshalJSON(raw) != nil {
		if k, ok = longRSA(raw); !ok {
			return k, false
		}
	}
	if k.Use != "" && k.Use != "sig" {
		return k, false
	}
	return k, slices.ContainsFunc(algorithms, func(a jose.SignatureAlgorithm) bool { return fits(k, a) })
}

// longRSA reads a public RSA key whose only fault may be that it has more than joseRSA
// bits. (go-jose can be told to take them, but only for everybody in the process.)
func longRSA(raw []byte) (k jose.JSONWebKey, ok bool) {
	var j struct {
		Kty, Kid, Alg, Use, N, E string
		D                        json.RawMessage
	}
	if json.Unmarshal(raw, &j) != nil || j.Kty != "RSA" || j.D != nil {
		return k, false
	}
	n, err := partEncoding.DecodeString(j.N)
	e, err2 := partEncoding.DecodeString(j.E)
	if err != nil || err2 != nil || len(e) > 4 || len(n)*8 <= joseRSA {
		return k, false
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return jose.JSONWebKey{Key: public, KeyID: j.Kid, Algorithm: j.Alg, Use: j.Use}, true
}

// fits reports whether a key can check what was signed in that way.
func fits(k jose.JSONWebKey, a jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(a) {
		return false
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return (strings.HasPrefix(string(a), "RS") || strings.HasPrefix(string(a), "PS")) && bits >= minRSA && bits <= maxRSA
	case *ecdsa.PublicKey:
		curve := map[jose.SignatureAlgorithm]string{jose.ES256: "P-256", jose.ES384: "P-384", jose.ES512: "P-521"}[a]
		return public.Curve.Params().Name == curve
	case ed25519.PublicKey:
		return a == jose.EdDSA
	}
	return false
}
