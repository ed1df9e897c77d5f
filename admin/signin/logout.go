package signin

import (
	"context"
	"net/http"
	"net/url"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// maxForm is how large a form may be, bytes. Logout tokens are the largest.
const maxForm = 64 << 10

func (s *SignIn) showSignOut(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, sheet{Title: "Sign out", Leave: true})
}

// doSignOut ends the session here and, where somebody came from a provider, takes them
// there to end theirs. A page does that and no redirect: pages that let forms be sent
// to the hub alone let none be redirected elsewhere.
func (s *SignIn) doSignOut(w http.ResponseWriter, r *http.Request) {
	f := s.find(r)
	m := s.manager()
	elsewhere := ""
	if f.alive && f.row.Kind == byProvider {
		elsewhere = s.endAtProvider(r, f)
	}
	ctx := context.WithValue(r.Context(), endKey{}, ending{f.row.Name, "they signed out"})
	ctx, err := m.Load(ctx, f.token)
	if err == nil && f.row.ID != "" {
		err = m.Destroy(ctx)
	}
	if err != nil {
		s.refuse(w, r, f.row.Name, model.Fail(model.Unavailable, "the database does not answer: you are still signed in", err), "/")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: m.Cookie.Name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: m.Cookie.Secure, SameSite: http.SameSiteLaxMode})
	s.show(w, http.StatusOK, sheet{Title: "Signed out", Said: "You are signed out.", Next: elsewhere})
}

// endAtProvider is where the browser ends its session at the provider (OpenID Connect
// RP-Initiated Logout 1.0); empty: nowhere.
func (s *SignIn) endAtProvider(r *http.Request, f found) string {
	o := s.configured()
	if o == nil || o.Issuer != f.row.Issuer {
		return ""
	}
	p, err := s.providers.get(r.Context(), *o)
	if err != nil || p.says.EndSession == "" {
		return ""
	}
	at, err := url.Parse(p.says.EndSession)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return ""
	}
	q := at.Query()
	q.Set("client_id", o.ClientID)
	q.Set("post_logout_redirect_uri", s.o.BaseURL()+"/sign-in")
	if hint, err := unseal([]byte(f.token), hintPurpose, f.facts.Hint); err == nil {
		q.Set("id_token_hint", string(hint))
	}
	at.RawQuery = q.Encode()
	return at.String()
}

// backChannel ends sessions because the provider says so (OpenID Connect Back-Channel
// Logout 1.0). Sessions that began after the token was made go on: it may be an old one.
func (s *SignIn) backChannel(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	o := s.configured()
	if o == nil {
		http.Error(w, "no provider is configured", http.StatusNotFound)
		return
	}
	if !s.logouts.allow(r, s.now()) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many at once", http.StatusTooManyRequests)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	raw := r.PostFormValue("logout_token")
	if raw == "" {
		http.Error(w, "logout_token is missing", http.StatusBadRequest)
		return
	}
	p, err := s.providers.get(r.Context(), *o)
	if err != nil {
		s.o.Log.WarnContext(r.Context(), "sessions cannot be ended for the provider", "error", err)
		http.Error(w, "the provider's keys cannot be read", http.StatusServiceUnavailable)
		return
	}
	token, err := p.verifier.VerifyLogout(s.providers.context(r.Context()), raw)
	if err != nil || token.IssuedAt.After(s.now().Add(skew)) {
		s.o.Log.WarnContext(r.Context(), "a logout token is not to be trusted", "error", err)
		http.Error(w, "the logout token is not valid", http.StatusBadRequest)
		return
	}
	n, err := s.o.Hub.EndSessionsOf(r.Context(), hub.Actor{Name: "provider " + o.Issuer}, o.Issuer, token.Subject, token.SessionID,
		token.IssuedAt.Add(skew), "they signed out at the provider")
	if err != nil {
		s.o.Log.ErrorContext(r.Context(), "sessions cannot be ended for the provider", "error", err)
		http.Error(w, "it cannot be stored: try again", http.StatusServiceUnavailable)
		return
	}
	s.o.Log.InfoContext(r.Context(), "the provider ended sessions", "n", n)
}
