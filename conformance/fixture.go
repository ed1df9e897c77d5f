package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// resource is something this run made.
type resource struct {
	path, name string
	keep       bool   // until the end of the run
	why        string // it could not be removed
}

// lostName is the name of something that may have been made although no answer said
// so.
type lostName struct{ endpoint, attribute, name string }

// unique is a name that nobody else has, in lower case.
func (s *suite) unique() string {
	s.seq++
	return fmt.Sprintf("%s-%d", s.run, s.seq)
}

// userName is a new user name: an address, unless the service takes short names only.
func (s *suite) userName() string {
	if s.short {
		return s.unique()
	}
	return s.unique() + "@example.com"
}

// mail is an address made of a name.
func mail(name string) string {
	local, _, _ := strings.Cut(name, "@")
	return local + "@example.com"
}

// tryNames finds out whether long names are taken, and uses short ones if only those
// are.
func (s *suite) tryNames(ctx context.Context) {
	t := s.users()
	if t == nil {
		return
	}
	post := func() bool {
		a := s.send(ctx, request{method: http.MethodPost, path: t.endpoint, body: encode(s.body(t)), header: http.Header{}})
		s.remember(a)
		s.clear(ctx, 0)
		return a.code < 400 || a.code >= 500 || a.err != nil
	}
	if post() {
		return
	}
	long := s.run
	s.run, s.short = "sc"+s.run[len(s.run)-6:], true
	if post() {
		s.report.Run = s.run
		s.note("long user names are refused: names begin with %s, and are no addresses", s.run)
		return
	}
	s.run, s.short = long, false
}

// remember keeps account of what exists, from what the service answers.
func (s *suite) remember(a *answer) {
	switch {
	case a.method == http.MethodDelete && a.single && (a.success() || a.code == 404 || a.code == 410):
		p, _, _ := strings.Cut(a.path, "?")
		s.made = slices.DeleteFunc(s.made, func(r *resource) bool { return r.path == p })
	case a.method == http.MethodPost && strings.HasPrefix(a.path, "/Bulk"):
		s.rememberBulk(a)
	case a.method == http.MethodPost && a.typ != nil && !a.single && !strings.Contains(a.path, "/.search"):
		s.rememberPost(a)
	}
}

// named is the name that a body gives a resource, and the attribute it stands in.
func named(body any) (attr, name string) {
	for _, attr := range []string{"userName", "displayName"} {
		if name := text(dig(body, attr)); name != "" {
			return attr, name
		}
	}
	return "", ""
}

// lose notes what may be there although no answer said so.
func (s *suite) lose(endpoint string, body any) {
	if attr, name := named(body); strings.HasPrefix(strings.ToLower(name), s.run) {
		s.lost = append(s.lost, lostName{endpoint, attr, name})
	}
}

func (s *suite) rememberPost(a *answer) {
	var body any
	_ = json.Unmarshal(a.body, &body) // bodies that are no JSON have no name either
	_, name := named(body)
	if a.code >= 400 && a.code < 500 {
		return
	}
	id := text(get(a.obj, "id"))
	if at := a.reply.Get("Location"); id == "" && at != "" {
		if u, err := url.Parse(at); err == nil {
			id = path.Base(u.Path)
		}
	}
	if a.success() && id != "" {
		s.made = append(s.made, &resource{path: a.typ.endpoint + "/" + url.PathEscape(id), name: name})
		return
	}
	s.lose(a.typ.endpoint, body)
}

// rememberBulk believes what the results say was made, and looks for the rest later.
func (s *suite) rememberBulk(a *answer) {
	var body any
	_ = json.Unmarshal(a.body, &body) // as above
	for _, e := range list(dig(body, "Operations")) {
		if text(dig(e, "method")) == http.MethodPost {
			s.lose(text(dig(e, "path")), dig(e, "data"))
		}
	}
	for _, e := range list(get(a.obj, "Operations")) {
		at := text(dig(e, "location"))
		if !strings.EqualFold(text(dig(e, "method")), http.MethodPost) || at == "" {
			continue
		}
		u, err := url.Parse(at)
		if err != nil {
			continue
		}
		for _, t := range s.types {
			if strings.HasSuffix(path.Dir(u.Path), t.endpoint) {
				s.made = append(s.made, &resource{path: t.endpoint + "/" + url.PathEscape(path.Base(u.Path)), name: "made by bulk"})
			}
		}
	}
}

// clear removes what was made since, unless it is to be kept. It does so also when
// the run was stopped.
func (s *suite) clear(ctx context.Context, since int) {
	ctx, cancel := s.closing(ctx)
	defer cancel()
	for i := len(s.made) - 1; i >= since && i < len(s.made); i-- {
		if r := s.made[i]; !r.keep && r.why == "" {
			s.erase(ctx, r)
		}
	}
}

// closing is a context to clear up in: that of the run, or, if it has ended, a short
// one.
func (s *suite) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
}

func (s *suite) erase(ctx context.Context, r *resource) {
	a := s.send(ctx, request{method: http.MethodDelete, path: r.path, header: http.Header{}})
	if a.code == http.StatusPreconditionFailed || a.code == http.StatusPreconditionRequired {
		h := http.Header{"If-Match": {"*"}}
		a = s.send(ctx, request{method: http.MethodDelete, path: r.path, header: h})
	}
	s.observe(a)
	r.why = a.saw()
	s.remember(a)
}

// cleanup removes everything that is left, and says what could not be removed.
func (s *suite) cleanup(ctx context.Context) {
	ctx, cancel := s.closing(ctx)
	defer cancel()
	for _, l := range s.lost {
		s.find(ctx, l)
	}
	for _, r := range slices.Backward(slices.Clone(s.made)) {
		s.erase(ctx, r)
	}
	for _, r := range s.made {
		s.report.Leftovers = append(s.report.Leftovers, fmt.Sprintf("%s (%s): DELETE is answered with %s", r.path, r.name, r.why))
	}
}

// find looks for something with a name of this run that was made without an answer
// that said so.
func (s *suite) find(ctx context.Context, l lostName) {
	p := query(l.endpoint, "filter", fmt.Sprintf("%s eq %q", l.attribute, l.name))
	a := s.send(ctx, request{method: http.MethodGet, path: p, header: http.Header{}})
	for _, m := range a.resources() {
		id, name := text(get(m, "id")), text(get(m, l.attribute))
		if id != "" && strings.EqualFold(name, l.name) {
			s.made = append(s.made, &resource{path: l.endpoint + "/" + url.PathEscape(id), name: l.name})
		}
	}
}

// body is the smallest sensible resource of a type: what its schemas require, and a
// name by which it can be recognised.
func (s *suite) body(t *resourceType) object {
	out := object{"schemas": array{t.urn}}
	for _, a := range s.schemaOf(t.urn).attributes {
		if a.required && a.writable() {
			out[a.name] = s.sample(a)
		}
	}
	for _, e := range t.extensions {
		part := object{}
		for _, a := range s.schemaOf(e.urn).attributes {
			if a.required && a.writable() {
				part[a.name] = s.sample(a)
			}
		}
		if e.required || len(part) > 0 && e.urn != urnEnterprise {
			out["schemas"] = append(list(out["schemas"]), e.urn)
			out[e.urn] = part
		}
	}
	switch {
	case strings.EqualFold(t.name, "User"):
		return merge(out, s.userPart(t))
	case strings.EqualFold(t.name, "Group"):
		return merge(out, object{"displayName": s.unique(), "externalId": s.unique()})
	}
	return out
}

// userPart is what most services want of a user, as far as the schema has it.
func (s *suite) userPart(t *resourceType) object {
	name := s.userName()
	out := object{"userName": name, "externalId": s.unique()}
	for key, v := range map[string]any{
		"name":        object{"givenName": "Conformance", "familyName": "Check"},
		"displayName": "Conformance Check",
		"emails":      array{object{"value": mail(name), "type": "work", "primary": true}},
		"active":      true,
	} {
		if a := s.defined(t, key); a != nil && a.writable() {
			out[key] = v
		}
	}
	return out
}

func (s *suite) users() *resourceType  { return s.typeNamed("User") }
func (s *suite) groups() *resourceType { return s.typeNamed("Group") }

// userBody is a new user with changes; a nil value leaves an attribute out.
func (s *suite) userBody(changes ...object) object {
	return merge(append([]object{s.body(s.users())}, changes...)...)
}

// user makes a user that the check needs, and returns its path and the answer.
func (p *probe) user(changes ...object) (string, *answer) {
	return p.create(p.users(), p.userBody(changes...))
}

// group makes a group with the members.
func (p *probe) group(members ...string) (string, *answer) {
	body := p.body(p.groups())
	if len(members) > 0 {
		body["members"] = refs(members...)
	}
	return p.create(p.groups(), body)
}

// refs is a list of references by id.
func refs(ids ...string) array {
	out := array{}
	for _, id := range ids {
		out = append(out, object{"value": id})
	}
	return out
}

// create makes something that a check needs. Where that is refused, the check is
// skipped, unless it is one of those about what can be made.
func (p *probe) create(t *resourceType, body object) (string, *answer) {
	if p.done {
		return "", &answer{reply: http.Header{}}
	}
	if p.broken != "" && t == p.users() {
		p.skip("it needs a user, and none can be made: %s", p.broken)
		return "", &answer{reply: http.Header{}}
	}
	a := p.post(t.endpoint, body)
	id := text(get(a.obj, "id"))
	if !a.success() || id == "" {
		if t == p.users() && !p.userOK && !p.done {
			p.broken = "POST " + t.endpoint + " is answered with " + a.saw()
			p.skip("it needs a user, and none can be made: %s", p.broken)
		}
		if slices.Contains([]string{"create", "attr", "okta", "entra", "onelogin"}, p.result.Group) || strings.HasSuffix(p.result.ID, ".create") {
			p.fail("status 201 with the id of the new "+t.name, a.saw())
		}
		p.skip("it needs a %s that cannot be made: POST %s is answered with %s", t.name, t.endpoint, a.saw())
		return "", a
	}
	p.userOK = p.userOK || t == p.users()
	return t.endpoint + "/" + url.PathEscape(id), a
}

// id is that of the resource in an answer.
func (a *answer) id() string { return text(get(a.obj, "id")) }
