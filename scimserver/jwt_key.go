package scimserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // hashes of the algorithms below
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
)

// partEncoding is base64url without padding, and nothing that decodes to the same
// twice (RFC 7515 §2).
var partEncoding = base64.RawURLEncoding.Strict()

// algorithm is one way to sign (RFC 7518 §3.1, RFC 8037 §3.1). All are asymmetric:
// who can check a token must not be able to make one.
type algorithm struct {
	hash   crypto.Hash
	verify func(key any, a algorithm, digest, message, signature []byte) bool
	curve  elliptic.Curve
}

var algorithms = map[string]algorithm{
	"RS256": {crypto.SHA256, verifyPKCS1, nil},
	"RS384": {crypto.SHA384, verifyPKCS1, nil},
	"RS512": {crypto.SHA512, verifyPKCS1, nil},
	"PS256": {crypto.SHA256, verifyPSS, nil},
	"PS384": {crypto.SHA384, verifyPSS, nil},
	"PS512": {crypto.SHA512, verifyPSS, nil},
	"ES256": {crypto.SHA256, verifyECDSA, elliptic.P256()},
	"ES384": {crypto.SHA384, verifyECDSA, elliptic.P384()},
	"ES512": {crypto.SHA512, verifyECDSA, elliptic.P521()},
	"EdDSA": {0, verifyEd25519, nil},
}

func algorithmNames() string {
	names := make([]string, 0, len(algorithms))
	for n := range algorithms {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func verifyPKCS1(key any, a algorithm, digest, _, signature []byte) bool {
	pub, ok := key.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(pub, a.hash, digest, signature) == nil
}

func verifyPSS(key any, a algorithm, digest, _, signature []byte) bool {
	pub, ok := key.(*rsa.PublicKey)
	return ok && rsa.VerifyPSS(pub, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

// verifyECDSA wants both halves in full length (RFC 7518 §3.4).
func verifyECDSA(key any, a algorithm, digest, _, signature []byte) bool {
	pub, ok := key.(*ecdsa.PublicKey)
	size := (a.curve.Params().BitSize + 7) / 8
	if !ok || pub.Curve != a.curve || len(signature) != 2*size {
		return false
	}
	return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
}

func verifyEd25519(key any, _ algorithm, _, message, signature []byte) bool {
	pub, ok := key.(ed25519.PublicKey)
	return ok && ed25519.Verify(pub, message, signature)
}

// signingKey is one public key of an issuer.
type signingKey struct {
	kid, alg string // alg may be empty: any that the key can
	public   any
}

// verifies reports whether the key made the token's signature.
func (k signingKey) verifies(t signedToken) bool {
	a, ok := algorithms[t.alg]
	if !ok || k.alg != "" && k.alg != t.alg {
		return false
	}
	var digest []byte
	if a.hash != 0 {
		h := a.hash.New()
		h.Write([]byte(t.signed))
		digest = h.Sum(nil)
	}
	return a.verify(k.public, a, digest, []byte(t.signed), t.signature)
}

// maxKeys is how many keys of one issuer are kept: each may have to be tried.
const maxKeys = 100

// parseKeySet reads the keys of a set that can check signatures (RFC 7517 §5);
// others are left out. A set without any is an error.
func parseKeySet(text []byte) ([]signingKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("the answer is not a JSON Web Key Set")
	}
	var out []signingKey
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok && len(out) < maxKeys {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the key set has no key that can check signatures")
	}
	return out, nil
}

func parseKey(raw []byte) (signingKey, bool) {
	var j struct {
		Kty, Kid, Alg, Use, Crv, N, E, X, Y string
		KeyOps                              []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &j) != nil || j.Use != "" && j.Use != "sig" || j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify") {
		return signingKey{}, false
	}
	k := signingKey{kid: j.Kid, alg: j.Alg}
	switch {
	case j.Kty == "RSA":
		k.public = rsaKey(j.N, j.E)
	case j.Kty == "EC":
		k.public = ecKey(j.Crv, j.X, j.Y)
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		if x, err := partEncoding.DecodeString(j.X); err == nil && len(x) == ed25519.PublicKeySize {
			k.public = ed25519.PublicKey(x)
		}
	}
	return k, k.public != nil
}

// rsaKey is nil for keys that are too short to trust (RFC 7518 §3.3), or so long
// that checking would cost too much. (An untyped nil: see parseKey.)
func rsaKey(n, e string) any {
	nb, err1 := partEncoding.DecodeString(n)
	eb, err2 := partEncoding.DecodeString(e)
	if err1 != nil || err2 != nil || len(nb) > 1025 || len(eb) == 0 || len(eb) > 4 {
		return nil
	}
	modulus, exponent := new(big.Int).SetBytes(nb), new(big.Int).SetBytes(eb).Int64()
	if modulus.BitLen() < 2048 || modulus.Bit(0) == 0 || exponent < 3 || exponent%2 == 0 || exponent > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent)}
}

// ecKey is nil for points that are not on the curve.
func ecKey(crv, x, y string) any {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
	xb, err1 := partEncoding.DecodeString(x)
	yb, err2 := partEncoding.DecodeString(y)
	if curve == nil || err1 != nil || err2 != nil {
		return nil
	}
	if size := (curve.Params().BitSize + 7) / 8; len(xb) != size || len(yb) != size {
		return nil
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, xb, yb))
	if err != nil {
		return nil
	}
	return pub
}
