package signin

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the page
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("sign-in").Parse(pageText)) //nolint:gochecknoglobals // read only, and part of the program

// sheet is what a page of signing in shows.
type sheet struct {
	Title    string
	Fault    string
	Said     string
	Link     string // a link's token: a button uses it
	Provider bool   // a button leads to the provider
	Form     bool   // a form takes an API token
	Leave    bool   // a button signs out
	Next     string // where the browser goes by itself
	Return   string
	Again    bool // a link leads to the beginning
}

// policy lets the page have the console's style and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *SignIn) show(w http.ResponseWriter, status int, v sheet) {
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		s.o.Log.Error("a page cannot be made", "error", err)
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // a link's token stands in the address
	h.Set("Cache-Control", "no-store")
	if s.secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// refuse says in words why somebody is not let in, and notes it.
func (s *SignIn) refuse(w http.ResponseWriter, r *http.Request, name string, err error, to string) {
	status, text := http.StatusInternalServerError, "something went wrong; the log says more"
	code := model.CodeOf(err)
	switch code {
	case model.Invalid, model.Conflict:
		status = http.StatusBadRequest
	case model.Unauthorized:
		status = http.StatusUnauthorized
	case model.Forbidden:
		status = http.StatusForbidden
	case model.Unavailable:
		status = http.StatusServiceUnavailable
	}
	if e, ok := errors.AsType[*model.Error](err); ok && code != model.Internal {
		text = e.Message
	}
	if first, size := utf8.DecodeRuneInString(text); size > 0 {
		text = string(unicode.ToUpper(first)) + text[size:] + "."
	}
	if admin.Slowed(err) {
		status = http.StatusTooManyRequests
	}
	s.o.Log.WarnContext(r.Context(), "not signed in", "actor", name, "error", err, "cause", errors.Unwrap(err))
	if s.o.Refused != nil && (status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests) {
		s.o.Refused(r.Context(), hub.APIRefusal{Remote: remote(r), Method: r.Method, Route: "sign-in", Status: status, Reason: text})
	}
	s.show(w, status, sheet{Title: "Not signed in", Fault: text, Return: to, Again: true})
}

// showSignIn shows the ways in. What a link's token stands in only shows a button:
// whoever looks at links before people do must not use it up.
func (s *SignIn) showSignIn(w http.ResponseWriter, r *http.Request) {
	v := sheet{Title: "Sign in", Return: returnPath(r.URL.Query().Get("return")), Link: r.URL.Query().Get("token")}
	if v.Link == "" {
		if _, err := s.Watching(r); err == nil {
			http.Redirect(w, r, v.Return, http.StatusSeeOther)
			return
		}
		v.Provider, v.Form = s.configured() != nil, true
	}
	if f := s.find(r); f.row.EndedWhy != "" && !f.alive {
		v.Said = "You were signed out: " + f.row.EndedWhy + "."
	}
	s.show(w, http.StatusOK, v)
}

// doSignIn takes a link's token or an API token.
func (s *SignIn) doSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, "", model.Fail(model.Invalid, "the form cannot be read", err), "/")
		return
	}
	to := returnPath(r.PostForm.Get("return"))
	var err error
	if link := r.PostForm.Get("link"); link != "" {
		if err = s.known(r, link); err == nil {
			err = s.begun(w, r, &start{session: store.Session{Kind: byLink}, proof: hub.SignInProof{Link: link}}, facts{}, nil)
		}
	} else {
		err = s.withToken(w, r, r.PostForm.Get("token"))
	}
	if err != nil {
		s.refuse(w, r, "", err, to)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// known refuses a link that cannot be used before anything is written, and slows down who
// tries many, as where tokens are guessed: strangers must not keep the database busy.
func (s *SignIn) known(r *http.Request, link string) error {
	sum, works, err := sha256.Sum256([]byte(link)), false, error(nil)
	look := func() bool {
		works, err = s.o.Hub.Store.SignInLinkWorks(r.Context(), sum[:])
		return works || err != nil // who cannot be checked has guessed nothing
	}
	as := r.Clone(r.Context())
	as.Header.Set("Authorization", "Link "+link)
	switch wait := s.o.Tokens.Slow(as, look); {
	case wait != nil:
		return wait
	case err != nil:
		return model.Fail(model.Unavailable, "the database does not answer: the link cannot be looked up", err)
	case !works:
		return model.Fail(model.Unauthorized, "this link was used already or is too old; make another one on the hub's machine: scimhub sign-in", nil)
	}
	return nil
}

// withToken starts a session with an API token, which is checked, and slowed down where
// somebody guesses, as the API does.
func (s *SignIn) withToken(w http.ResponseWriter, r *http.Request, secret string) error {
	if secret == "" {
		return model.Fail(model.Invalid, "the token is missing", nil)
	}
	as := r.Clone(r.Context())
	as.Header.Set("Authorization", "Bearer "+secret)
	t, err := s.o.Tokens.Shown(as)
	if err != nil {
		return err
	}
	b := &start{session: store.Session{Kind: byToken, Name: t.Name, Role: t.Role}}
	if t.Expires != nil {
		b.session.ExpiresAt = *t.Expires
	}
	return s.begun(w, r, b, facts{Token: t.Name}, func(token string, f *facts) error {
		f.Proof = proofOf(token, t)
		return nil
	})
}

// FirstLink makes the link with which the first admin comes in; empty where people can
// sign in otherwise, or somebody came in so already.
func (s *SignIn) FirstLink(ctx context.Context) (link string, expires time.Time, err error) {
	a := s.o.Hub.Snapshot().Doc.Admin
	if a.OIDC != nil {
		return "", expires, nil
	}
	for _, t := range a.Tokens {
		if t.Role == admin.RoleAdmin {
			return "", expires, nil
		}
	}
	done, err := s.o.Hub.Store.SignedInFirst(ctx)
	if err != nil || done {
		return "", expires, err
	}
	token, expires, err := s.o.Hub.CreateSignInLink(ctx, hub.Actor{Name: "serve"}, admin.RoleAdmin, true)
	if err != nil {
		return "", expires, err
	}
	return s.o.BaseURL() + "/sign-in?token=" + url.QueryEscape(token), expires, nil
}
