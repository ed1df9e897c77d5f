package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// flowLife is how long somebody has to sign in at the provider.
const flowLife = 10 * time.Minute

// flow is one sign-in under way. The browser keeps it, sealed; the provider sees State.
type flow struct {
	State, Nonce, Verifier string
	Return                 string
	Issuer                 string
	Until                  time.Time
}

const flowPurpose = "sign-in flow"

// flowCookie is the cookie of a flow; each has its own, so that two tabs can sign in.
func (s *SignIn) flowCookie(state string) string {
	return s.cookieName("scimhub-flow-" + state[:min(8, len(state))])
}

// configured is the provider of the configuration in force; nil: none.
func (s *SignIn) configured() *config.OIDC { return s.o.Hub.Snapshot().Doc.Admin.OIDC }

// begin sends the browser to the provider.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request) {
	to := returnPath(r.URL.Query().Get("return"))
	o := s.configured()
	if o == nil {
		s.show(w, http.StatusNotFound, sheet{Title: "Sign in", Fault: "Signing in through a provider is not configured (admin.oidc)."})
		return
	}
	base := s.o.BaseURL()
	if u, err := url.Parse(base); err == nil && u.Host != r.Host && r.URL.Query().Get("there") == "" {
		// The provider sends the browser back to the public URL, where it must have the cookie.
		http.Redirect(w, r, base+"/sign-in/oidc?there=1&return="+url.QueryEscape(to), http.StatusSeeOther)
		return
	}
	p, err := s.providers.get(r.Context(), *o)
	if err != nil {
		s.refuse(w, r, "", err, to)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: to, Issuer: o.Issuer, Until: s.now().Add(flowLife)}
	plain, err := json.Marshal(f)
	if err == nil {
		plain, err = seal(s.o.Key, flowPurpose, plain)
	}
	if err != nil {
		s.refuse(w, r, "", err, to)
		return
	}
	s.setFlow(w, f.State, base64.RawURLEncoding.EncodeToString(plain), int(flowLife/time.Second))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	url := p.oauth(*o, "", base+"/sign-in/callback").AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	http.Redirect(w, r, url, http.StatusSeeOther)
}

func (s *SignIn) setFlow(w http.ResponseWriter, state, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: s.flowCookie(state), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode})
}

// flowOf is the flow that a provider's answer belongs to, which this browser began.
func (s *SignIn) flowOf(r *http.Request, state string) (f flow, err error) {
	again := model.Fail(model.Invalid, "this sign-in was begun in another browser, or more than ten minutes ago: start again", nil)
	cookie, err := r.Cookie(s.flowCookie(state))
	if state == "" || err != nil {
		return f, again
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return f, again
	}
	plain, err := unseal(s.o.Key, flowPurpose, sealed)
	if err != nil || json.Unmarshal(plain, &f) != nil ||
		subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 || !s.now().Before(f.Until) {
		return flow{}, again
	}
	return f, nil
}

// callback takes the provider's answer.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, err := s.flowOf(r, q.Get("state"))
	if err != nil {
		s.refuse(w, r, "", err, "/")
		return
	}
	s.setFlow(w, f.State, "", -1)
	if name := q.Get("error"); name != "" {
		text := "the provider refused: " + clip(strings.TrimSpace(name+" "+q.Get("error_description")), 300)
		s.refuse(w, r, "", model.Fail(model.Unauthorized, text, nil), f.Return)
		return
	}
	who, err := s.answered(r, f)
	if err == nil {
		b := &start{session: who.session, proof: hub.SignInProof{State: f.State, Until: f.Until.Add(skew)}}
		err = s.begun(w, r, b, facts{Values: who.values}, func(token string, f *facts) error {
			var err error
			f.Hint, err = seal([]byte(token), hintPurpose, []byte(who.raw))
			return err
		})
	}
	if err != nil {
		s.refuse(w, r, who.session.Name, err, f.Return)
		return
	}
	http.Redirect(w, r, f.Return, http.StatusSeeOther)
}

// hintPurpose is what the ID token is kept for.
const hintPurpose = "ID token"

// arrival is somebody whom the provider sent.
type arrival struct {
	session store.Session
	values  []string // of the claim that roles follow from
	raw     string   // the ID token
}

// answered asks the provider who it was, and works out what they may do.
func (s *SignIn) answered(r *http.Request, f flow) (who arrival, err error) {
	o := s.configured()
	if o == nil || o.Issuer != f.Issuer {
		return who, model.Fail(model.Unauthorized, "the provider of the configuration has changed meanwhile: start again", nil)
	}
	if iss := r.URL.Query().Get("iss"); iss != "" && iss != o.Issuer { // RFC 9207
		return who, model.Fail(model.Unauthorized, "the answer comes from another provider than was asked", nil)
	}
	p, err := s.providers.get(r.Context(), *o)
	if err != nil {
		return who, err
	}
	secret, err := o.ClientSecret.Reveal()
	if err != nil {
		return who, model.Fail(model.Unavailable, "the client secret of the sign-in provider cannot be read (admin.oidc.client_secret)", err)
	}
	ctx := s.providers.context(r.Context())
	tokens, err := p.oauth(*o, secret, s.o.BaseURL()+"/sign-in/callback").Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		code := model.Unavailable
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode == "invalid_grant" {
			code = model.Unauthorized
		}
		return who, model.Fail(code, "the provider gave no ID token for this sign-in: start again", tellExchange(err))
	}
	who.raw, _ = tokens.Extra("id_token").(string)
	token, err := p.verify(ctx, *o, who.raw, f.Nonce, tokens.AccessToken, s.now())
	if err != nil {
		return who, model.Fail(model.Unauthorized, "what the provider sent is not to be trusted: start again", err)
	}
	c, err := p.claims(ctx, *o, token, tokens)
	if err != nil {
		return who, err
	}
	return s.arrived(r, *o, c, who, token.Subject)
}

// arrived works out who came with these claims, and whether they may come in.
func (s *SignIn) arrived(r *http.Request, o config.OIDC, c claims, who arrival, subject string) (arrival, error) {
	who.session = store.Session{Kind: byProvider, Name: "oidc:" + c.name(subject), Issuer: o.Issuer, Subject: subject, SID: c.text("sid")}
	who.values = c.values(o.Claim)
	person, note, err := s.person(r.Context(), o.Person, c)
	if err != nil {
		return who, err
	}
	who.session.Person, who.session.PersonName, who.session.Stage, who.session.PersonHeld = person.ID, person.Name, person.Stage, person.OverGuard
	who.session.Role = roleOf(o, who.values, person.ID)
	if why := gone(who.session); why != "" {
		return who, model.Fail(model.Forbidden, "the hub does not let you in: "+why, nil)
	}
	if who.session.Role == "" {
		text := "you are signed in at the provider, but nothing there gives you a role here: "
		if len(who.values) == 0 {
			text += "it sent no " + o.Claim
		} else {
			text += "none of your " + o.Claim + " is among admin.oidc.roles"
		}
		return who, model.Fail(model.Forbidden, text+"; and "+note, nil)
	}
	return who, nil
}
