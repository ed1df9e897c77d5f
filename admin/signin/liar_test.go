package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signingKeys are made once: they are slow to make.
var signingKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for range 2 {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
})

// liar is an OpenID provider that signs everybody in, and lies where a test has it lie.
type liar struct {
	*httptest.Server
	t     *testing.T
	clock func() time.Time

	mu       sync.Mutex
	claims   map[string]any          // of whoever signs in next
	info     map[string]any          // of the page about them
	lie      func(map[string]any)    // changes the ID token; nil: the truth
	key      int                     // that signs
	shown    []int                   // keys that are shown
	alg      jose.SignatureAlgorithm // that signs
	down     bool                    // nothing answers
	asked    map[string]url.Values   // what was asked, by code
	seen     url.Values              // what was asked last
	ids      []string                // ID tokens given
	answer   func(url.Values)        // changes what the browser brings back; nil: nothing
	requests map[string]int          // by path
}

func newLiar(t *testing.T, clock func() time.Time) *liar {
	p := &liar{t: t, clock: clock, shown: []int{0}, alg: jose.RS256, asked: map[string]url.Values{}, requests: map[string]int{}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/info", "end_session_endpoint": p.URL + "/end?tenant=1", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
	})
	routes.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		var set jose.JSONWebKeySet
		for _, k := range p.shown {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: signingKeys()[k].Public(), KeyID: keyID(k), Algorithm: "RS256", Use: "sig"})
		}
		p.json(w, set)
	})
	routes.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { p.json(w, p.info) })
	routes.HandleFunc("GET /authorize", p.authorize)
	routes.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests[r.URL.Path]++
		if p.down {
			http.Error(w, "<html>down for maintenance</html>", http.StatusBadGateway)
			return
		}
		routes.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func keyID(k int) string { return []string{"old", "new"}[k] }

func (p *liar) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// set changes what the provider does.
func (p *liar) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// authorize signs whoever asks in, without a word.
func (p *liar) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.seen = q
	code := rand.Text()
	p.asked[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if p.answer != nil {
		p.answer(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token gives an ID token for a code, once, to who has the verifier and the secret.
func (p *liar) token(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.asked[r.PostFormValue("code")]
	delete(p.asked, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || asked.Get("code_challenge_method") != "S256" ||
		id != "hub" || secret != clientSecret || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]string{"error": "invalid_grant", "error_description": "no"})
		return
	}
	c := map[string]any{"iss": p.URL, "aud": "hub", "exp": p.clock().Add(5 * time.Minute).Unix(), "iat": p.clock().Unix(), "nonce": asked.Get("nonce")}
	maps.Copy(c, p.claims)
	if p.lie != nil {
		p.lie(c)
	}
	raw := p.sign(c)
	p.ids = append(p.ids, raw)
	p.json(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": raw})
}

// sign signs claims with the key of the day.
func (p *liar) sign(c map[string]any) string {
	var key any = signingKeys()[p.key]
	if p.alg == jose.HS256 { // with what everybody knows: the key that is shown
		key = signingKeys()[p.key].N.Bytes()
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", keyID(p.key)))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	body, _ := json.Marshal(c)
	signed, err := signer.Sign(body)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	return raw
}

// logoutToken is what the provider says at the back door.
func (p *liar) logoutToken(change func(map[string]any)) string {
	c := map[string]any{"iss": p.URL, "aud": "hub", "exp": p.clock().Add(2 * time.Minute).Unix(), "iat": p.clock().Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	change(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(c)
}
