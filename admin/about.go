package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// AboutView is which hub this is, and what it rests on.
type AboutView struct {
	Version
	Database  string    `json:"database"` // sqlite or postgres
	PublicURL string    `json:"public_url"`
	Config    int64     `json:"config_version"`
	Digest    string    `json:"config_digest"`
	Zone      string    `json:"zone"` // of dates that name none
	Now       time.Time `json:"now"`  // the hub's clock
	// SignIn says whether people sign in with an OpenID provider.
	SignIn bool `json:"sign_in"`
	Mail   bool `json:"mail"` // whether e-mail can be sent
	// Warnings are about what works in the configuration, but not as one may think.
	Warnings []string `json:"warnings"`
}

// SourceConnection is how a source is connected: what its provider has to be told.
type SourceConnection struct {
	Source      string           `json:"source"`
	Dialect     string           `json:"dialect"`
	Address     string           `json:"address"` // of SCIM, as the provider reaches it
	Credentials []CredentialView `json:"credentials"`
	Match       []string         `json:"match"` // by what its people are recognised, in that order
	Guard       string           `json:"guard"` // when a person is asked before leavers lose access, in words
	Silent      string           `json:"silent,omitempty"`
	Rate        string           `json:"rate,omitempty"`
	Owner       string           `json:"owner,omitempty"`
}

// CredentialView is one way in for a source, without its secret.
type CredentialView struct {
	Kind    string     `json:"kind"` // token, basic, certificate, jwt
	Name    string     `json:"name"`
	Detail  string     `json:"detail,omitempty"`
	Expires *time.Time `json:"expires,omitempty"` // absent: never, or it is said elsewhere
	ID      string     `json:"id,omitempty"`      // of a token that was made while the hub ran; empty: it is in the configuration
}

// scimAddress is where SCIM is served, below the public address.
const scimAddress = "/scim/v2"

// settingsRoutes are those about the hub itself.
func (a *API) settingsRoutes() []route {
	return []route{
		{"GET", "/about", rightRead, a.aboutHub, about{sum: "Which hub this is, and what it rests on", out: AboutView{}}},
		{"GET", "/sources/{source}/connection", rightRead, a.sourceConnection, about{sum: "How a source is connected: what its provider has to be told", out: SourceConnection{}}},
		{"GET", "/audit/search", rightRead, a.searchAudit, about{sum: "Entries of the audit trail by who, what, about what and when, the newest first", out: AuditSearchAnswer{}, query: paged("actor", "action", "object", "person", "since", "until")}},
	}
}

func (a *API) aboutHub(*http.Request, Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	d := snap.Doc
	out := AboutView{Version: a.Version, Database: "sqlite", PublicURL: a.baseURL(), Config: snap.Version, Digest: d.Digest(), Zone: d.Identity.Zone.String(),
		Now: a.now(), SignIn: d.Admin.OIDC != nil, Mail: d.SMTP != nil, Warnings: []string{}}
	if a.Hub.Store.Postgres() {
		out.Database = "postgres"
	}
	for _, w := range d.Warnings {
		out.Warnings = append(out.Warnings, w.String())
	}
	return out, nil
}

func (a *API) sourceConnection(r *http.Request, _ Caller) (any, error) {
	name := mux.Vars(r)["source"]
	doc := a.Hub.Snapshot().Doc
	s, ok := doc.Source(name)
	if !ok {
		return nil, model.Fail(model.NotFound, "there is no source "+name, nil)
	}
	out := SourceConnection{Source: s.Name, Dialect: s.Dialect, Address: a.baseURL() + scimAddress, Match: doc.Identity.Match, Owner: s.Owner,
		Guard:       fmt.Sprintf("more than %s of its people, and more than %d, leave within %s", percent(s.Guard.Percent), s.Guard.Floor, strings.TrimSuffix(model.Span(s.Guard.Window), " 0 min")),
		Credentials: configuredCredentials(s)}
	if out.Match == nil {
		out.Match = []string{}
	}
	if s.Silent > 0 {
		out.Silent = model.Span(s.Silent)
	}
	if s.Rate.Requests > 0 {
		out.Rate = fmt.Sprintf("%g a second, %d at once", s.Rate.Requests, s.Rate.Burst)
	}
	made, err := a.madeCredentials(r.Context(), name)
	out.Credentials = append(out.Credentials, made...)
	return out, err
}

func percent(p float64) string { return strings.TrimSuffix(fmt.Sprintf("%g", p), ".0") + " %" }

// configuredCredentials are those of the configuration.
func configuredCredentials(s config.Source) []CredentialView {
	out := []CredentialView{}
	for _, t := range s.Tokens {
		out = append(out, CredentialView{Kind: "token", Name: t.Name, Expires: t.Expires})
	}
	for _, b := range s.Basic {
		out = append(out, CredentialView{Kind: "basic", Name: b.Name, Detail: "user " + b.User, Expires: b.Expires})
	}
	for _, c := range s.Certificates {
		detail := "subject " + c.Subject
		if c.SHA256 != "" {
			detail = "SHA-256 " + c.SHA256
		}
		out = append(out, CredentialView{Kind: "certificate", Name: c.Name, Detail: detail})
	}
	if s.JWT != nil {
		out = append(out, CredentialView{Kind: "jwt", Name: s.JWT.Issuer, Detail: "for " + s.JWT.Audience})
	}
	return out
}

// madeCredentials are the tokens in force that were made while the hub ran.
func (a *API) madeCredentials(ctx context.Context, source string) (out []CredentialView, err error) {
	tokens, err := a.Hub.Store.Tokens(ctx, source)
	if err != nil {
		return nil, err
	}
	for _, k := range tokens {
		if k.Source == source && k.RevokedAt == nil {
			out = append(out, CredentialView{Kind: "token", Name: k.Name, Expires: k.ExpiresAt, ID: k.ID})
		}
	}
	return out, nil
}
