package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

var adminRoles = []string{"admin", "operator", "approver", "auditor"}

// personRole is what a token may do that acts for a person and is no operator's:
// ask, and decide what that person is asked.
const personRole = "person"

func (r *reader) publicURL(n *node) string {
	return strings.TrimRight(r.checked(n, func(s string) error {
		if err := checkURL(s); err != nil {
			return err
		}
		if u, _ := url.Parse(s); u.RawQuery != "" {
			return errors.New("must not have a query")
		}
		return nil
	}), "/")
}

// database takes the URL as it is; what it refuses must not repeat the text,
// which may hold a password.
func (r *reader) database(n *node) string {
	s := r.checked(n, func(s string) error {
		if isReference(s) {
			return nil
		}
		scheme, rest, _ := strings.Cut(s, ":")
		switch {
		case scheme == "sqlite" && rest != "":
			return nil
		case scheme == "postgres" || scheme == "postgresql":
			if u, err := url.Parse(s); err != nil || u.Host == "" && u.Query().Get("host") == "" {
				return errors.New("must be postgres://user:password@host:5432/name; special characters in the password are written as %XX")
			}
			return nil
		}
		return errors.New("must be sqlite:PATH, postgres://… or a reference ${env:NAME}")
	})
	if shown, hide := hideDatabasePassword(s); hide {
		r.hide = append(r.hide, hidden{node: n, with: shown})
	}
	return s
}

func (r *reader) admin(n *node) (a Admin) {
	a.Session, a.TokenLifetime = defaultSession(), defaultTokenLifetime
	r.fields(n, map[string]func(*node){
		"tokens": func(n *node) {
			unique := r.unique("token")
			r.each(n, func(v *node) { a.Tokens = append(a.Tokens, r.adminToken(v, unique)) })
		},
		"oidc":           func(n *node) { a.OIDC = r.oidc(n) },
		"session":        func(n *node) { r.session(n, &a.Session) },
		"token_lifetime": func(n *node) { a.TokenLifetime = r.positive(n) },
	})
	return a
}

func (r *reader) adminToken(n *node, unique func(*node, string)) (t AdminToken) {
	r.need(n, "name", "secret", "role")
	r.fields(n, map[string]func(*node){
		"name":    func(n *node) { t.Name = r.name(n); unique(n, t.Name) },
		"secret":  func(n *node) { t.Secret = r.secret(n) },
		"role":    func(n *node) { t.Role = r.enum(n, append(slices.Clone(adminRoles), personRole)...) },
		"expires": func(n *node) { t.Expires = r.date(n) },
		"person":  func(n *node) { t.Person = r.text(n) },
	})
	if t.Role == personRole && t.Person == "" && !n.has("person") {
		r.fault(n, "role person needs person, the userName of whom the token acts for")
	}
	return t
}

func (r *reader) name(n *node) string {
	s := r.text(n)
	if s != "" {
		r.checkName(n, s)
	}
	return s
}

// unique makes a check that a list uses no name twice.
func (r *reader) unique(what string) func(*node, string) {
	seen := map[string]bool{}
	return func(n *node, name string) {
		if seen[name] && name != "" {
			r.fault(n, "there is a %s %q already", what, name)
		}
		seen[name] = true
	}
}

func (r *reader) audit(n *node, a *Audit) {
	r.fields(n, map[string]func(*node){
		"retain":     func(n *node) { a.Retain = r.auditRetain(n) },
		"key":        func(n *node) { a.Key = r.secret(n) },
		"checkpoint": func(n *node) { a.Checkpoint = r.positive(n) },
	})
}

func (r *reader) outbound(n *node) (o Outbound) {
	r.fields(n, map[string]func(*node){
		"allow_private": func(n *node) { o.AllowPrivate = r.flag(n) },
	})
	return o
}

// guard reads a limit on removals; share is the key of the percentage.
func (r *reader) guard(n *node, share string) model.Guard {
	g := defaultGuard()
	r.fields(n, map[string]func(*node){
		share:    func(n *node) { g.Percent = r.percent(n) },
		"floor":  func(n *node) { g.Floor = r.integer(n, 0, 1_000_000) },
		"window": func(n *node) { g.Window = r.positive(n) },
	})
	return g
}
