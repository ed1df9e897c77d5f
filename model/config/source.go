package config

import (
	"time"

	"github.com/scimhub/scimhub/model"
)

// dialects are the names that scim.DialectNamed knows.
var dialects = []string{"rfc", "interop", "entra", "okta", "onelogin", "lenient"}

func defaultGuard() model.Guard { return model.Guard{Percent: 10, Floor: 5, Window: time.Hour} }

func (r *reader) source(name string, n *node) Source {
	s := Source{Name: name, Dialect: "rfc", Guard: defaultGuard()}
	unique := r.unique("credential") // the audit trail names credentials
	r.fields(n, map[string]func(*node){
		"tokens": func(n *node) { r.each(n, func(v *node) { s.Tokens = append(s.Tokens, r.token(v, unique)) }) },
		"basic":  func(n *node) { r.each(n, func(v *node) { s.Basic = append(s.Basic, r.sourceBasic(v, unique)) }) },
		"certificates": func(n *node) {
			r.each(n, func(v *node) { s.Certificates = append(s.Certificates, r.certificate(v, unique)) })
		},
		"jwt":     func(n *node) { s.JWT = r.jwt(n) },
		"rate":    func(n *node) { s.Rate = r.sourceRate(n) },
		"dialect": func(n *node) { s.Dialect = r.enum(n, dialects...) },
		"guard":   func(n *node) { s.Guard = r.guard(n, "leavers") },
		"owner":   func(n *node) { s.Owner = r.text(n) },
		"silent":  func(n *node) { s.Silent = r.positive(n) },
	})
	return s
}

func (r *reader) token(n *node, unique func(*node, string)) (t Token) {
	r.need(n, "name", "secret")
	r.fields(n, map[string]func(*node){
		"name":    func(n *node) { t.Name = r.name(n); unique(n, t.Name) },
		"secret":  func(n *node) { t.Secret = r.secret(n) },
		"expires": func(n *node) { t.Expires = r.date(n) },
	})
	return t
}

func (r *reader) authority(n *node) map[string][]string {
	if n.kind != object {
		r.fields(n, nil)
		return nil
	}
	out := make(map[string][]string, len(n.entries))
	for _, e := range n.entries {
		if err := checkAuthority(e.key); err != nil {
			r.fault(&node{line: e.line, col: e.col, path: e.value.path}, "%v", err)
		}
		out[e.key] = r.texts(e.value)
	}
	return out
}
