package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

const (
	urnUser       = scim.URNUser
	urnGroup      = scim.URNGroup
	urnEnterprise = scim.URNEnterprise
	urnList       = scim.URNListResponse
	urnError      = scim.URNError
	urnPatch      = scim.URNPatchOp
	urnSearch     = scim.URNSearchRequest
	urnBulk       = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	urnBulkReply  = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	urnMessages   = "urn:ietf:params:scim:api:messages:2.0:"
)

// facts is what the service says about itself, with what the standard says where it
// is silent.
type facts struct {
	spc                 *answer
	types               []*resourceType
	schemas             map[string]*schema // by URN in lower case
	features            map[string]bool
	maxResults          int // 0 if not said
	bulkOps, bulkBytes  int
	listTypes, listURNs *answer // of /ResourceTypes and /Schemas
}

// survey reads the discovery endpoints, and makes sure that there is a service that
// lets us in.
func (s *suite) survey(ctx context.Context) error {
	ask := func(path string) *answer {
		return s.send(ctx, request{method: http.MethodGet, path: path, header: http.Header{}})
	}
	s.spc = ask("/ServiceProviderConfig")
	if s.spc.err != nil && s.spc.code == 0 {
		return fmt.Errorf("%w: %s does not answer: %w", ErrUnusable, s.base, s.spc.err)
	}
	s.listTypes, s.listURNs = ask("/ResourceTypes"), ask("/Schemas")
	s.readFeatures()
	s.readSchemas()
	s.readTypes()
	t := s.typeNamed("User")
	if t == nil {
		t = s.types[0]
	}
	first := ask(query(t.endpoint, "count", "1"))
	switch {
	case first.code == http.StatusUnauthorized || first.code == http.StatusForbidden:
		return fmt.Errorf("%w: GET %s%s is answered %d: the credentials are not accepted", ErrUnusable, s.base, t.endpoint, first.code)
	case first.code >= 300 && first.code < 400:
		return fmt.Errorf("%w: GET %s%s is redirected to %q: use the address behind it", ErrUnusable, s.base, t.endpoint, first.reply.Get("Location"))
	case first.obj == nil && s.spc.obj == nil:
		return fmt.Errorf("%w: neither /ServiceProviderConfig (%s) nor %s (%s) below %s answers with a JSON object: is this the base address of a SCIM service?",
			ErrUnusable, s.spc.saw(), t.endpoint, first.saw(), s.base)
	}
	s.report.Features = s.features
	return nil
}

func (s *suite) note(format string, args ...any) {
	s.report.Notes = append(s.report.Notes, fmt.Sprintf(format, args...))
}

// readFeatures takes what is advertised. Without a ServiceProviderConfig only what
// every client expects is assumed: PATCH and filters.
func (s *suite) readFeatures() {
	s.features = map[string]bool{}
	if !s.spc.success() || s.spc.obj == nil {
		s.features["patch"], s.features["filter"] = true, true
		s.note("there is no usable /ServiceProviderConfig: PATCH and filters are taken to be supported, nothing else")
		return
	}
	for _, f := range []string{"patch", "bulk", "filter", "sort", "etag", "changePassword"} {
		s.features[f] = dig(s.spc.obj, f, "supported") == true
	}
	s.features["cursor"] = dig(s.spc.obj, "pagination", "cursor") == true
	s.maxResults, _ = number(dig(s.spc.obj, "filter", "maxResults"))
	s.bulkOps, _ = number(dig(s.spc.obj, "bulk", "maxOperations"))
	s.bulkBytes, _ = number(dig(s.spc.obj, "bulk", "maxPayloadSize"))
}

func (s *suite) readTypes() {
	for _, m := range discovered(s.listTypes) {
		t := &resourceType{id: text(get(m, "id")), name: text(get(m, "name")), endpoint: text(get(m, "endpoint")), urn: text(get(m, "schema"))}
		if t.name == "" || t.endpoint == "" || t.urn == "" {
			continue
		}
		t.endpoint = "/" + strings.Trim(strings.TrimPrefix(t.endpoint, s.base), "/")
		for _, e := range list(get(m, "schemaExtensions")) {
			if urn := text(dig(e, "schema")); urn != "" {
				t.extensions = append(t.extensions, extension{urn, dig(e, "required") == true})
			}
		}
		s.types = append(s.types, t)
	}
	for i, t := range s.types {
		if sch := s.schemas[strings.ToLower(t.urn)]; sch != nil && !isExtension(s.types, sch.urn) {
			for _, a := range sch.attributes {
				a.extension = ""
				for _, sub := range a.sub {
					sub.extension = ""
				}
			}
		}
		if slices.ContainsFunc(s.types[:i], func(o *resourceType) bool { return o.endpoint == t.endpoint }) {
			s.note("two resource types share the endpoint %s", t.endpoint)
		}
	}
	if len(s.types) > 0 {
		return
	}
	s.note("/ResourceTypes shows no resource type: /Users and /Groups of RFC 7643 are taken to be there")
	s.types = []*resourceType{
		{id: "User", name: "User", endpoint: "/Users", urn: urnUser, extensions: []extension{{urn: urnEnterprise}}},
		{id: "Group", name: "Group", endpoint: "/Groups", urn: urnGroup},
	}
}

func isExtension(types []*resourceType, urn string) bool {
	return slices.ContainsFunc(types, func(t *resourceType) bool {
		return slices.ContainsFunc(t.extensions, func(e extension) bool { return strings.EqualFold(e.urn, urn) })
	})
}

func (s *suite) typeNamed(name string) *resourceType {
	for _, t := range s.types {
		if strings.EqualFold(t.name, name) {
			return t
		}
	}
	return nil
}

// missing says which of the needs is not met, in words; "" if all are.
func (s *suite) missing(needs []string) string {
	for _, n := range needs {
		if why := s.lacksFeature(n); why != "" {
			return why
		}
	}
	return ""
}

func (s *suite) lacksFeature(n string) string {
	user, group := s.typeNamed("User"), s.typeNamed("Group")
	switch n {
	case "patch", "bulk", "filter", "sort", "etag":
		if !s.features[n] {
			return n + " is not advertised in ServiceProviderConfig"
		}
	case "cursor":
		if !s.features[n] {
			return "pagination.cursor is not advertised in ServiceProviderConfig"
		}
	case "user":
		if user == nil {
			return "there is no resource type User"
		}
	case "group":
		if group == nil {
			return "there is no resource type Group"
		}
	case "enterprise":
		if user == nil || !slices.ContainsFunc(user.extensions, func(e extension) bool { return strings.EqualFold(e.urn, urnEnterprise) }) {
			return "User has no enterprise extension"
		}
	case "credentials":
		if s.o.Token == "" && s.o.User == "" {
			return "no credentials were given for this run"
		}
	default:
		return s.lacksAttribute(n)
	}
	return ""
}

// lacksAttribute answers for needs such as User.nickName, which must be writable, and
// !User.groups, which need not be.
func (s *suite) lacksAttribute(n string) string {
	name, readOnlyToo := strings.CutPrefix(n, "!")
	typ, path, _ := strings.Cut(name, ".")
	if a := s.defined(s.typeNamed(typ), path); a == nil || a.mutability == "readOnly" && !readOnlyToo {
		return "the schema has no such attribute: " + name
	}
	return ""
}
