package config

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func defaultTarget(name string) model.Target {
	return model.Target{
		Name:    name,
		Profile: "generic",
		Mode:    model.ModeEnforce,
		Match:   []string{"externalId", "userName"},
		Adopt:   "auto",
		Leaver:  defaultLeaver(),
		Groups:  model.GroupPolicy{Adopt: "auto", Remove: "keep", Nested: "flatten"},
		Guard:   defaultGuard(),
		Drift:   model.DriftPolicy{Every: 6 * time.Hour, Changed: "revert", Missing: "recreate", Unknown: "report", Sightings: 2},
	}
}

func defaultLeaver() model.LeaverPolicy {
	return model.LeaverPolicy{First: "disable", Successor: "manager", Goal: 5 * time.Minute}
}

func (r *reader) target(name string, n *node) model.Target {
	t := defaultTarget(name)
	if !n.has("manual") {
		r.need(n, "url")
	}
	t.Overrides = map[string]any{}
	known := profileFields(r, t.Overrides)
	maps.Copy(known, map[string]func(*node){
		"manual":  func(n *node) { t.Manual = r.manual(n) },
		"url":     func(n *node) { t.URL = strings.TrimRight(r.url(n), "/") },
		"auth":    func(n *node) { t.Auth = r.auth(n) },
		"profile": func(n *node) { t.Profile = r.name(n) },
		"mode": func(n *node) {
			t.Mode = model.Mode(r.enum(n, string(model.ModeObserve), string(model.ModeCreateOnly),
				string(model.ModeNoDelete), string(model.ModeEnforce)))
		},
		"scope":   func(n *node) { t.Scope = r.expression(n) },
		"user":    func(n *node) { t.User = r.mapping(n) },
		"match":   func(n *node) { t.Match = r.paths(n) },
		"adopt":   func(n *node) { t.Adopt = r.enum(n, "auto", "ask", "never") },
		"groups":  func(n *node) { r.groups(n, &t) },
		"leaver":  func(n *node) { t.Leaver = r.leaver(n) },
		"guard":   func(n *node) { t.Guard = r.guard(n, "removals") },
		"rate":    func(n *node) { r.rate(n, &t) },
		"drift":   func(n *node) { r.drift(n, &t.Drift) },
		"protect": func(n *node) { t.Protect = r.filters(n) },

		"propagate": func(n *node) { t.Propagate = r.flag(n) },
	})
	r.fields(n, known)
	r.byHand(n)
	if len(t.Overrides) == 0 {
		t.Overrides = nil
	}
	return t
}

func (r *reader) paths(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.path(v)) })
	return out
}

func (r *reader) filters(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.filter(v)) })
	return out
}

// mapping reads attribute path -> CEL. What the hub manages by other means is no
// attribute to map: memberships come from roles, and passwords are never sent.
func (r *reader) mapping(n *node) map[string]string {
	if n.kind != object {
		r.fields(n, nil)
		return nil
	}
	out := make(map[string]string, len(n.entries))
	seen := map[string]string{}
	for _, e := range n.entries {
		at := &node{line: e.line, col: e.col, path: e.value.path}
		if err := checkMapped(e.key); err != nil {
			r.fault(at, "%v", err)
		}
		if other, twice := seen[strings.ToLower(e.key)]; twice {
			r.fault(at, "the same attribute as %q", other)
		}
		seen[strings.ToLower(e.key)] = e.key
		out[e.key] = r.expression(e.value)
	}
	return out
}

func checkMapped(key string) error {
	if err := checkPath(key); err != nil {
		return err
	}
	p, _ := scim.ParsePath(key)
	switch strings.ToLower(p.Attr) {
	case "password", "id", "meta", "schemas", "groups":
		if p.URI == "" || strings.EqualFold(p.URI, scim.URNUser) {
			return fmt.Errorf("%s cannot be mapped", p.Attr)
		}
	}
	return nil
}

func (r *reader) auth(n *node) (a model.Auth) {
	kinds := 0
	one := func(read func(*node)) func(*node) {
		return func(n *node) {
			if kinds++; kinds > 1 {
				r.fault(n, "one of bearer, basic, oauth2 and header is enough")
			}
			read(n)
		}
	}
	r.fields(n, map[string]func(*node){
		"bearer":  one(func(n *node) { a.Bearer = r.secret(n) }),
		"basic":   one(func(n *node) { a.Basic = r.basic(n) }),
		"oauth2":  one(func(n *node) { a.OAuth2 = r.oauth2(n) }),
		"header":  one(func(n *node) { a.Header = r.header(n) }),
		"mtls":    func(n *node) { a.MTLS = r.mtls(n) },
		"expires": func(n *node) { a.Expires = r.date(n) },
		"owner":   func(n *node) { a.Owner = r.text(n) },
		"next":    func(n *node) { a.Next = r.nextAuth(n) },
	})
	if kinds == 0 && n.has("expires") && !n.has("mtls") {
		r.fault(n, "expires belongs to a credential, and there is none")
	}
	if kinds == 0 && n.has("next") {
		r.fault(n, "next replaces a credential, and there is none")
	}
	return a
}

func (r *reader) basic(n *node) *model.BasicAuth {
	b := &model.BasicAuth{}
	r.need(n, "user", "password")
	r.fields(n, map[string]func(*node){
		"user":     func(n *node) { b.User = r.text(n) },
		"password": func(n *node) { b.Password = r.secret(n) },
	})
	return b
}

func (r *reader) oauth2(n *node) *model.OAuth2 {
	o := &model.OAuth2{}
	r.need(n, "token_url", "client_id", "client_secret")
	r.fields(n, map[string]func(*node){
		"token_url":     func(n *node) { o.TokenURL = r.url(n) },
		"client_id":     func(n *node) { o.ClientID = r.text(n) },
		"client_secret": func(n *node) { o.ClientSecret = r.secret(n) },
		"scopes":        func(n *node) { o.Scopes = r.texts(n) },
	})
	return o
}

func (r *reader) header(n *node) *model.HeaderAuth {
	h := &model.HeaderAuth{}
	r.need(n, "name", "value")
	r.fields(n, map[string]func(*node){
		"name":  func(n *node) { h.Name = r.checked(n, checkHeader) },
		"value": func(n *node) { h.Value = r.secret(n) },
	})
	return h
}

// checkHeader accepts a field name (RFC 9110 §5.1) that the client does not set itself.
func checkHeader(s string) error {
	for _, c := range s {
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !word && !strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return fmt.Errorf("%q is not the name of an HTTP header", s)
		}
	}
	switch http.CanonicalHeaderKey(s) {
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Accept":
		return fmt.Errorf("header %s cannot carry a credential", s)
	}
	return nil
}

func (r *reader) mtls(n *node) *model.ClientCert {
	c := &model.ClientCert{}
	r.need(n, "cert", "key")
	r.fields(n, map[string]func(*node){
		"cert": func(n *node) { c.Cert = r.text(n) },
		"key":  func(n *node) { c.Key = r.text(n) },
	})
	return c
}

func (r *reader) leaver(n *node) model.LeaverPolicy {
	l := defaultLeaver()
	r.fields(n, map[string]func(*node){
		"first":       func(n *node) { l.First = r.enum(n, "disable", "delete") },
		"then":        func(n *node) { l.Then = r.enum(n, "delete") },
		"after":       func(n *node) { l.After = r.positive(n) },
		"transfer":    func(n *node) { l.Transfer = r.enum(n, "required") },
		"successor":   func(n *node) { l.Successor = r.text(n) },
		"connector":   func(n *node) { l.Connector = r.connector(n) },
		"goal":        func(n *node) { l.Goal = r.positive(n) },
		"memberships": func(n *node) { l.RemoveMemberships = r.enum(n, "keep", "remove") == "remove" },
	})
	if l.Transfer == "" && (n.has("connector") || n.has("successor")) {
		r.fault(n, "successor and connector belong to transfer: required")
	}
	switch {
	case n.has("then") && !n.has("after"):
		r.fault(n, "then: delete needs after: how long the account stays disabled, for example 30d")
	case n.has("after") && !n.has("then"):
		r.fault(n, "after needs then: delete")
	case l.First == "delete" && n.has("then"):
		r.fault(n, "first: delete leaves nothing for then")
	}
	return l
}

// rate reads the target's own limits, and the buckets of its profile stated anew.
func (r *reader) rate(n *node, t *model.Target) {
	r.fields(n, map[string]func(*node){
		"requests": func(n *node) {
			r.quantity(n, func(s string) (err error) { t.Rate.PerSecond, err = parseRate(s); return err })
		},
		"concurrency": func(n *node) { t.Rate.Concurrency = r.integer(n, 1, 256) },
		"buckets": func(n *node) {
			t.Overrides["rate"] = map[string]any{"buckets": r.typed(n, reflect.TypeFor[[]model.Bucket](), "")}
		},
	})
}

func (r *reader) groups(n *node, t *model.Target) {
	r.fields(n, map[string]func(*node){
		"mirror": func(n *node) { t.Mirror = r.filters(n) },
		"adopt":  func(n *node) { t.Groups.Adopt = r.enum(n, "auto", "ask", "never") },
		"remove": func(n *node) { t.Groups.Remove = r.enum(n, "keep", "empty", "delete") },
		"nested": func(n *node) { t.Groups.Nested = r.enum(n, "flatten", "direct") },
	})
}

func (r *reader) manual(n *node) *model.Manual {
	m := &model.Manual{Due: 3 * day, DueLeave: 4 * time.Hour}
	r.fields(n, map[string]func(*node){
		"assignee":   func(n *node) { m.Assignee = r.text(n) },
		"due":        func(n *node) { m.Due = r.positive(n) },
		"due_leaver": func(n *node) { m.DueLeave = r.positive(n) },
		"proof":      func(n *node) { m.Proof = r.enum(n, "required", "optional") == "required" },
	})
	return m
}

// byHand finds what means nothing at a target that people look after.
func (r *reader) byHand(n *node) {
	if !n.has("manual") {
		return
	}
	if n.has("url") {
		r.fault(n, "manual stands in the place of url: an application is reached over SCIM or looked after by hand")
	}
	for _, key := range []string{"auth", "profile", "rate", "drift", "match"} {
		if n.has(key) {
			r.warn(n, key+" means nothing at a target that is looked after by hand (manual)")
		}
	}
}

func (r *reader) connector(n *node) *model.Connector {
	c := &model.Connector{Method: http.MethodPost}
	r.need(n, "url")
	r.fields(n, map[string]func(*node){
		"method": func(n *node) { c.Method = r.enum(n, "POST", "PUT", "PATCH", "DELETE") },
		"url":    func(n *node) { c.URL = r.url(n) },
		"body":   func(n *node) { c.Body = r.text(n) },
	})
	return c
}

func (r *reader) nextAuth(n *node) *model.NextAuth {
	a := &model.NextAuth{}
	r.need(n, "secret")
	r.fields(n, map[string]func(*node){
		"secret":  func(n *node) { a.Secret = r.secret(n) },
		"expires": func(n *node) { a.Expires = r.date(n) },
		"owner":   func(n *node) { a.Owner = r.text(n) },
	})
	return a
}

func (r *reader) drift(n *node, d *model.DriftPolicy) {
	r.fields(n, map[string]func(*node){
		"every":     func(n *node) { d.Every = r.duration(n) },
		"changed":   func(n *node) { d.Changed = r.enum(n, "report", "revert", "adopt") },
		"missing":   func(n *node) { d.Missing = r.enum(n, "report", "recreate") },
		"unknown":   func(n *node) { d.Unknown = r.enum(n, "report", "disable") },
		"sightings": func(n *node) { d.Sightings = r.integer(n, 1, 10) },
	})
}
