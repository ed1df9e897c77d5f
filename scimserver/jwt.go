package scimserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scimhub/scimhub/model/scim"
)

// JWT lets a source in with access tokens that an issuer signed (RFC 7519, RFC
// 9068). Several sources may share an issuer if audience or claims tell them apart.
type JWT struct {
	Client
	Issuer   string // iss is exactly this
	Audience string // aud is or contains this
	KeysURL  string // the issuer's key set (RFC 7517 §5)

	// The value of SubjectClaim in a token is that of SubjectAttribute of the User on
	// whose behalf it was issued. An empty SubjectClaim says that tokens belong to systems.
	SubjectClaim     string
	SubjectAttribute string

	// Claims are those that a token must have, each with a value that it must be, or
	// contain: as an element of a list, or as a word of a text such as scope.
	Claims map[string]string
}

// jwtLeeway is how far clocks may differ.
const jwtLeeway = time.Minute

// claims is the payload of a token.
type claims map[string]any

// signedToken is a token taken apart; nothing in it is proven.
type signedToken struct {
	jws      *jose.JSONWebSignature
	alg, kid string
	claims   claims
}

// maxJWT is in bytes.
const maxJWT = 16 << 10

// parseJWT takes a token apart (RFC 7515 §3.1). The errors hold nothing of it. One of
// a way to sign that is not taken here is an [*jose.ErrUnexpectedSignatureAlgorithm].
func parseJWT(token string) (t signedToken, err error) {
	if len(token) > maxJWT {
		return t, fmt.Errorf("it is longer than %d bytes", maxJWT)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return t, errors.New("it does not have three parts")
	}
	// What is read leniently elsewhere is refused first: one token, one spelling.
	if err := decodePart(parts[0], new(map[string]json.RawMessage)); err != nil {
		return t, fmt.Errorf("its header %w", err)
	}
	if err := decodePart(parts[1], &t.claims); err != nil {
		return t, fmt.Errorf("its payload %w", err)
	}
	if t.claims == nil {
		return t, errors.New("its payload is no object")
	}
	if _, err := unpart(parts[2]); err != nil {
		return t, fmt.Errorf("its signature %w", err)
	}
	t.jws, err = jose.ParseSignedCompact(token, algorithms)
	if e, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return t, e
	}
	if err != nil {
		return t, errors.New("its header is not formed as the standard says")
	}
	header := t.jws.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} { // nothing that is critical is understood here (RFC 7515 §4.1.11)
		if _, given := header.ExtraHeaders[name]; given {
			return t, fmt.Errorf("its header has %s", name)
		}
	}
	t.alg, t.kid = header.Algorithm, header.KeyID
	return t, nil
}

func decodePart(part string, into any) error {
	raw, err := unpart(part)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errors.New("is not a JSON object")
	}
	return nil
}

// unpart decodes a part; line breaks in it, which decoders skip, are refused.
func unpart(part string) ([]byte, error) {
	raw, err := partEncoding.DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("is not base64url")
	}
	return raw, nil
}

// authenticate finds out whose a token is. Each refusal names the check that
// failed, and nothing of the token.
func (k *keyring) authenticate(ctx context.Context, list []JWT, token string, now time.Time) (Client, error) {
	t, err := parseJWT(token)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return Client{}, Unauthorized("the signed token: its alg is not one of " + algorithmNames())
	}
	if err != nil {
		return Client{}, Unauthorized("the bearer token is not a signed token: " + err.Error())
	}
	candidates, err := addressed(list, t.claims)
	if err != nil {
		return Client{}, err
	}
	proven, err := k.proven(ctx, candidates, t)
	if err != nil {
		return Client{}, err
	}
	if err := t.claims.timely(now); err != nil {
		return Client{}, err
	}
	owner, err := entitled(proven, t.claims)
	if err != nil {
		return Client{}, err
	}
	client := owner.Client
	if v, ok := t.claims[owner.SubjectClaim].(string); ok && v != "" && owner.SubjectClaim != "" {
		client.Subject = &Subject{Attribute: owner.SubjectAttribute, Value: v}
	}
	return client, nil
}

// addressed are the entries whose issuer and audience the token names.
func addressed(list []JWT, c claims) (out []JWT, err error) {
	issuer, _ := c["iss"].(string)
	known := false
	for _, j := range list {
		if j.Issuer != issuer {
			continue
		}
		known = true
		if c.has("aud", j.Audience, false) {
			out = append(out, j)
		}
	}
	switch {
	case !known:
		return nil, Unauthorized("the signed token: its issuer (iss) is not known here")
	case len(out) == 0:
		return nil, Unauthorized("the signed token: it is meant for another audience (aud)")
	}
	return out, nil
}

// proven are the entries with whose keys the signature verifies. Usually all have
// the same.
func (k *keyring) proven(ctx context.Context, list []JWT, t signedToken) (out []JWT, err error) {
	verdicts := map[string]error{}
	for _, j := range list {
		verdict, asked := verdicts[j.KeysURL]
		if !asked {
			verdict = k.verify(ctx, j.KeysURL, t)
			verdicts[j.KeysURL] = verdict
		}
		if verdict == nil {
			out = append(out, j)
		} else if err == nil {
			err = verdict
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// entitled is the entry whose required claims the token has; the one that requires
// most, where there are several.
func entitled(list []JWT, c claims) (JWT, error) {
	slices.SortStableFunc(list, func(a, b JWT) int { return len(b.Claims) - len(a.Claims) })
	var fit []JWT
	lacking := map[string]bool{}
	for _, j := range list {
		complete := true
		for name, value := range j.Claims {
			if !c.has(name, value, true) {
				complete, lacking[name] = false, true
			}
		}
		if complete {
			fit = append(fit, j)
		}
	}
	switch {
	case len(fit) == 0:
		names := make([]string, 0, len(lacking))
		for n := range lacking {
			names = append(names, n)
		}
		slices.Sort(names)
		return JWT{}, scim.Errorf(http.StatusForbidden, "", "the signed token does not have what is required in: %s", strings.Join(names, ", "))
	case len(fit) > 1 && len(fit[0].Claims) == len(fit[1].Claims):
		return JWT{}, Unauthorized("the signed token could be that of two sources")
	}
	return fit[0], nil
}

// timely checks exp, which must be there, and nbf (RFC 7519 §4.1).
func (c claims) timely(now time.Time) error {
	at := float64(now.UnixMilli()) / 1000
	exp, ok := c["exp"].(float64)
	if !ok || math.IsNaN(exp) {
		return Unauthorized("the signed token: it has no expiry (exp)")
	}
	if at >= exp+jwtLeeway.Seconds() {
		return Unauthorized("the signed token: it has expired (exp)")
	}
	nbf, given := c["nbf"]
	if from, ok := nbf.(float64); given && (!ok || at < from-jwtLeeway.Seconds()) {
		return Unauthorized("the signed token: it is not valid yet (nbf)")
	}
	return nil
}

// has reports whether a claim is the value or a list that contains it; with words,
// also a text that contains it between spaces.
func (c claims) has(name, value string, words bool) bool {
	return holds(c[name], value, words)
}

func holds(v any, value string, words bool) bool {
	switch v := v.(type) {
	case string:
		return v == value || words && slices.Contains(strings.Fields(v), value)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool {
			_, nested := e.([]any)
			return !nested && holds(e, value, false)
		})
	case bool, float64:
		text, err := json.Marshal(v)
		return err == nil && string(text) == value
	}
	return false
}
