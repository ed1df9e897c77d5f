package config

import (
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// OIDC is sign-in to the console through an OpenID provider.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret model.Secret
	Scopes       []string // asked for beside openid; default profile and email

	Claim  string              // that roles follow from; default groups. A claim within another is written a.b
	Roles  map[string][]string // role of an operator -> values of the claim
	Person SignInPerson
}

// SignInPerson says how who signs in is found among the people the hub knows. Both
// empty: the claim preferred_username, or else email, is their user name; or else email
// is their address for work. An e-mail address counts only if the provider verified it.
type SignInPerson struct {
	Claim     string
	Attribute string // userName, emails (the address for work) or externalId
}

// Session is how long who signed in at the console stays so.
type Session struct {
	Idle     time.Duration // without doing anything; default 30 minutes
	Lifetime time.Duration // at most; default 12 hours
}

// defaultTokenLifetime is how long a token of the API may be made for.
const defaultTokenLifetime = 365 * 24 * time.Hour

func defaultSession() Session { return Session{Idle: 30 * time.Minute, Lifetime: 12 * time.Hour} }

// StrongestRole is the first of admin, operator, approver and auditor that one of the
// values of the claim stands for; empty: none.
func (o OIDC) StrongestRole(values []string) string {
	for _, role := range adminRoles {
		if slices.ContainsFunc(o.Roles[role], func(v string) bool { return slices.Contains(values, v) }) {
			return role
		}
	}
	return ""
}

func (r *reader) oidc(n *node) *OIDC {
	o := &OIDC{Roles: map[string][]string{}, Claim: "groups", Scopes: []string{"profile", "email"}}
	r.need(n, "issuer", "client_id", "client_secret", "roles")
	r.fields(n, map[string]func(*node){
		"issuer":        func(n *node) { o.Issuer = r.url(n) },
		"client_id":     func(n *node) { o.ClientID = r.text(n) },
		"client_secret": func(n *node) { o.ClientSecret = r.secret(n) },
		"scopes":        func(n *node) { o.Scopes = r.texts(n) },
		"claim":         func(n *node) { o.Claim = r.text(n) },
		"roles": func(n *node) {
			known := map[string]func(*node){}
			for _, role := range adminRoles {
				known[role] = func(v *node) { o.Roles[role] = r.texts(v) }
			}
			r.fields(n, known)
		},
		"person": func(n *node) {
			r.need(n, "claim", "attribute")
			r.fields(n, map[string]func(*node){
				"claim":     func(n *node) { o.Person.Claim = r.text(n) },
				"attribute": func(n *node) { o.Person.Attribute = r.enum(n, "userName", "emails", "externalId") },
			})
		},
	})
	return o
}

func (r *reader) session(n *node, s *Session) {
	r.fields(n, map[string]func(*node){
		"idle":     func(n *node) { s.Idle = r.positive(n) },
		"lifetime": func(n *node) { s.Lifetime = r.positive(n) },
	})
	if s.Idle < time.Minute && n.has("idle") {
		r.fault(n, "idle must be a minute at least")
	}
	if s.Lifetime < s.Idle {
		r.fault(n, "lifetime must not be shorter than idle")
	}
}
