package scim

import (
	"net/url"
	"strings"
)

// URNs of the messages of RFC 7644 §3.7.
const (
	URNBulkRequest  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	URNBulkResponse = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// SearchRequest is a query by POST (RFC 7644 §3.4.3). Nil and empty mean not given.
type SearchRequest struct {
	Attributes         []string
	ExcludedAttributes []string
	Filter             string
	SortBy, SortOrder  string
	StartIndex, Count  *int
	Cursor             *string // RFC 9865 §3; "" asks for the first page
}

// Fields reads the attribute lists, as ParseFields does with query parameters.
func (s SearchRequest) Fields() (Fields, error) {
	return ParseFields(strings.Join(s.Attributes, ","), strings.Join(s.ExcludedAttributes, ","))
}

// ParseSearchRequest reads the body of a POST to /.search. Numbers have to be
// JSON numbers without a fraction; members that it does not know are treated as
// unknown attributes are. The error is an *Error 400: invalidSyntax for the shape
// of the message, invalidValue for a value.
func ParseSearchRequest(body []byte, d Dialect) (SearchRequest, error) {
	o, err := parseBody(body, &d)
	if err != nil {
		return SearchRequest{}, err
	}
	if err := checkMessage(o, URNSearchRequest, &d); err != nil {
		return SearchRequest{}, err
	}
	var s SearchRequest
	for _, m := range o {
		switch strings.ToLower(m.name) {
		case "attributes":
			s.Attributes, err = names(m, &d)
		case "excludedattributes":
			s.ExcludedAttributes, err = names(m, &d)
		case "filter":
			s.Filter, err = text(m)
		case "sortby":
			s.SortBy, err = text(m)
		case "sortorder":
			s.SortOrder, err = text(m)
		case "startindex":
			s.StartIndex, err = whole64(m)
		case "count":
			s.Count, err = whole64(m)
		case "cursor":
			if m.value != nil {
				s.Cursor = new(string)
				*s.Cursor, err = text(m)
			}
		case "schemas":
		default:
			if !d.use(d.UnknownAttributes, FlagUnknownAttributes) {
				err = Errorf(400, InvalidSyntax, "%s: a SearchRequest has no such attribute", m.name)
			}
		}
		if err != nil {
			return SearchRequest{}, err
		}
	}
	return s, nil
}

// checkMessage demands the URN of a message in schemas (RFC 7644 §3.1).
func checkMessage(o object, urn string, d *Dialect) error {
	v, _ := o.get("schemas")
	if v == nil && d.use(d.MissingSchemas, FlagMissingSchemas) {
		return nil
	}
	list, ok := v.([]any)
	if s, single := v.(string); single && d.use(d.SingleForList, FlagSingleForList) {
		list, ok = []any{s}, true
	}
	if ok {
		for _, e := range list {
			if s, _ := e.(string); strings.EqualFold(s, urn) {
				return nil
			}
		}
	}
	return Errorf(400, InvalidSyntax, "schemas: must contain %s", urn)
}

// text reads a member that is a string; "" for null.
func text(m member) (string, error) {
	s, ok := m.value.(string)
	if !ok && m.value != nil {
		return "", Errorf(400, InvalidValue, "%s: must be a string", m.name)
	}
	return s, nil
}

// whole64 reads a member that is an integer; nil for null.
func whole64(m member) (*int, error) {
	if m.value == nil {
		return nil, nil
	}
	n, ok := m.value.(int64)
	if !ok || int64(int(n)) != n {
		return nil, Errorf(400, InvalidValue, "%s: must be an integer", m.name)
	}
	i := int(n)
	return &i, nil
}

// names reads a list of attribute paths.
func names(m member, d *Dialect) ([]string, error) {
	list, ok := m.value.([]any)
	if s, single := m.value.(string); single && d.use(d.SingleForList, FlagSingleForList) {
		list, ok = []any{s}, true
	}
	if !ok && m.value != nil {
		return nil, Errorf(400, InvalidValue, "%s: must be a list of attribute names", m.name)
	}
	out := make([]string, 0, len(list))
	for i, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, Errorf(400, InvalidValue, "%s[%d]: must be a string", m.name, i)
		}
		out = append(out, s)
	}
	return out, nil
}

// splitTarget cuts the path of a Bulk operation into endpoint and id.
func splitTarget(path string) (endpoint, id string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok || strings.ContainsAny(rest, "?#\\") {
		return "", "", false
	}
	name, tail, hasID := strings.Cut(rest, "/")
	if !validName(name) || strings.Contains(tail, "/") || hasID && tail == "" {
		return "", "", false
	}
	id, err := url.PathUnescape(tail)
	if err != nil {
		return "", "", false
	}
	return "/" + name, id, true
}
