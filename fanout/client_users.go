package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Lookup asks with a filter and believes only resources that carry the value: a
// target that ignores filters shows everybody, and is then read to the end. Where the
// profile says that it cannot be asked so, the list is read if it shows everybody;
// otherwise that is an Unreadable error.
func (c *Client) Lookup(ctx context.Context, attr, value string) (RemoteUser, bool, error) {
	p, err := parseAttr(attr)
	if err != nil {
		return RemoteUser{}, false, &ClientError{Class: Invalid, Err: err}
	}
	query := url.Values{}
	if name, can := c.profile.searchName(c.profile.Filters.Users, p); can {
		query.Set("filter", equals(name, value))
	} else if !c.profile.ListTrustworthy {
		return RemoteUser{}, false, c.unsearchable("accounts", attr)
	}
	var found *RemoteUser
	for doc, err := range c.pages(ctx, "/Users", query, "") {
		if err != nil {
			return RemoteUser{}, false, err
		}
		u, err := userOf(doc)
		if err != nil {
			return RemoteUser{}, false, err
		}
		if !carries(p.get(doc), value, caseExact(attr)) || (found != nil && found.ID == u.ID) {
			continue
		}
		if found != nil {
			return RemoteUser{}, false, &ClientError{Class: Conflict, Detail: fmt.Sprintf("more than one account has %s %q: %s and %s", attr, value, found.ID, u.ID)}
		}
		found = &u
	}
	if found == nil {
		return RemoteUser{}, false, nil
	}
	return *found, true, nil
}

// searchName is the name by which a filter may ask for an attribute, given those that
// the profile lists. An element of a multi-valued attribute is asked for without saying
// which: the grammar has no such path, and what comes is looked at anyway.
func (p Profile) searchName(listed []string, a attrPath) (string, bool) {
	if !slices.Contains(p.Filters.Ops, "*") && !slices.ContainsFunc(p.Filters.Ops, func(op string) bool { return strings.EqualFold(op, "eq") }) {
		return "", false
	}
	full := a.attr
	if a.uri != "" {
		full = a.uri + ":" + a.attr
	}
	forms := []string{full}
	switch {
	case a.sub != "" && strings.EqualFold(a.sub, "value"):
		forms = []string{full + "." + a.sub, full}
	case a.sub != "":
		forms = []string{full + "." + a.sub}
	case len(a.conds) == 0:
		forms = []string{full, full + ".value"}
	}
	for _, f := range forms {
		if slices.ContainsFunc(listed, func(l string) bool { return l == "*" || strings.EqualFold(l, f) }) {
			return f, true
		}
	}
	return "", false
}

func (c *Client) unsearchable(what, attr string) *ClientError {
	return &ClientError{Class: Unreadable, Detail: fmt.Sprintf("%s cannot search %s by %s, and its list does not show all of them", c.application(), what, attr)}
}

func equals(attr, value string) string { return attr + " eq " + quoted(value) }

// quoted is a JSON string, as the filter grammar has it, without HTML escapes.
func quoted(s string) string { return string(canonicalJSON(s)) }

// caseExact tells the attributes in which case counts (RFC 7643 §3.1): a target that
// compares them loosely must not make two people one.
func caseExact(attr string) bool {
	return strings.EqualFold(attr, "externalId") || strings.EqualFold(attr, "id")
}

// carries reports whether a value, or one of a list (its `value`), is the text.
func carries(v any, text string, exact bool) bool {
	switch n := v.(type) {
	case []any:
		for _, e := range n {
			if carries(e, text, exact) {
				return true
			}
		}
		return false
	case map[string]any:
		inner, _ := field(n, "value")
		return inner != nil && carries(inner, text, exact)
	}
	if exact {
		return scalarText(plain(v)) == text
	}
	return looselyEqual(v, text)
}

// Get reads one account.
func (c *Client) Get(ctx context.Context, id string) (RemoteUser, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/Users/" + url.PathEscape(id)})
	if err != nil {
		return RemoteUser{}, err
	}
	if a.doc == nil {
		return RemoteUser{}, &ClientError{Class: Garbage, Status: a.status, Detail: "an empty answer to a read"}
	}
	u, err := userOf(a.doc)
	if err == nil && !strings.EqualFold(u.ID, id) {
		err = &ClientError{Class: Garbage, Status: a.status, Detail: "the target answers with another resource than the one asked for"}
	}
	return u, err
}

// List streams all accounts.
func (c *Client) List(ctx context.Context) iter.Seq2[RemoteUser, error] {
	return func(yield func(RemoteUser, error) bool) {
		for doc, err := range c.pages(ctx, "/Users", url.Values{}, "") {
			var u RemoteUser
			if err == nil {
				u, err = userOf(doc)
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Total asks for a page of one, where there are pages, and reads totalResults.
func (c *Client) Total(ctx context.Context) (int, error) {
	query := url.Values{}
	switch c.profile.Pagination {
	case "none":
	case "cursor":
		query = url.Values{"cursor": {""}, "count": {"1"}}
	default:
		query = url.Values{"startIndex": {"1"}, "count": {"1"}}
	}
	s, err := c.open(ctx, request{method: http.MethodGet, path: "/Users", query: query})
	if err != nil {
		return 0, err
	}
	defer s.close()
	end, err := readPage(s, "", func(map[string]any) bool { return true })
	if err != nil {
		return 0, err
	}
	if !end.hasTotal {
		return 0, &ClientError{Class: Garbage, Status: s.status, Detail: "the list has no totalResults"}
	}
	return end.total, nil
}

// Describe reads what an application says of itself: its ServiceProviderConfig,
// ResourceTypes or Schemas, by those names. Unreadable where its profile says that it
// has none. The answer is the document as it came.
func (c *Client) Describe(ctx context.Context, what string) (map[string]any, error) {
	d := c.profile.Discovery
	path := map[string]string{"ServiceProviderConfig": d.ServiceProviderConfig, "ResourceTypes": d.ResourceTypes, "Schemas": d.Schemas}[what]
	if path == "" {
		return nil, &ClientError{Class: Unreadable, Detail: c.application() + " has no " + what}
	}
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/" + strings.TrimLeft(path, "/")})
	if err == nil && a.doc == nil {
		err = &ClientError{Class: Garbage, Status: a.status, Detail: "an empty answer to a read"}
	}
	return a.doc, err
}
