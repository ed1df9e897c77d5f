package fanout

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// capabilities is what an application says of itself; nil: it does not say.
type capabilities struct {
	patch, filter, etag, sort, bulk *bool
	cursor, index                   *bool
	maxResults                      int
}

// discover reads ServiceProviderConfig and ResourceTypes where there are any. What
// cannot be read is taken as not said, one feature at a time.
func (p *prober) discover(ctx context.Context) error {
	var heard bool
	var last probeAnswer
	var lastErr error
	for _, path := range []string{"/ServiceProviderConfig", "/ServiceProviderConfigs"} {
		a, err := p.send(ctx, "GET", path, nil)
		last, lastErr = a, err
		if err == nil && a.ok() && a.doc != nil {
			p.found("discovery_paths.service_provider_config", path, "answered %d", a.status)
			p.readCapabilities(a.doc)
			heard = true
			break
		}
	}
	if !heard {
		if lastErr != nil || last.status == 401 || last.status == 403 {
			return unreachable(last, lastErr, "ServiceProviderConfig")
		}
		p.found("discovery_paths.service_provider_config", "", "both usual addresses answered %s", last.words(lastErr))
	}
	p.resourceTypes(ctx)
	if a, err := p.send(ctx, "GET", "/Schemas", nil); err == nil && (!a.ok() || a.doc == nil) {
		p.found("discovery_paths.schemas", "", "answered %s", a.words(nil))
	}
	return nil
}

// readCapabilities takes each feature by itself: one that is malformed says nothing
// about the others.
func (p *prober) readCapabilities(doc map[string]any) {
	p.said.patch, p.said.filter, p.said.etag = p.capability(doc, "patch"), p.capability(doc, "filter"), p.capability(doc, "etag")
	p.said.sort, p.said.bulk = p.capability(doc, "sort"), p.capability(doc, "bulk")
	if f, _ := field(doc, "filter"); f != nil {
		if m, ok := f.(map[string]any); ok {
			v, _ := field(m, "maxResults")
			if n, err := wholeNumber(v); err == nil && n > 0 {
				p.said.maxResults = n
			}
		}
	}
	if v, _ := field(doc, "pagination"); v != nil { // RFC 9865 §4
		if m, ok := v.(map[string]any); ok {
			p.said.cursor, p.said.index = truth(m, "cursor"), truth(m, "index")
		}
	}
}

// capability reads {"supported": true}, true, "true" and the like.
func (p *prober) capability(doc map[string]any, name string) *bool {
	v, there := field(doc, name)
	if !there || v == nil {
		return nil
	}
	if m, ok := v.(map[string]any); ok {
		if b := truth(m, "supported"); b != nil {
			return b
		}
	} else if b := truth(map[string]any{"v": v}, "v"); b != nil {
		return b
	}
	p.note("ServiceProviderConfig says %q in a form that cannot be read; it is found out by trying", name)
	return nil
}

func truth(m map[string]any, name string) *bool {
	v, _ := field(m, name)
	switch t := v.(type) {
	case bool:
		return &t
	case string:
		if b := strings.EqualFold(t, "true"); b || strings.EqualFold(t, "false") {
			return &b
		}
	}
	return nil
}

func wholeNumber(v any) (int, error) {
	var n int
	_, err := fmt.Sscan(scalarText(plain(v)), &n)
	return n, err
}

// resourceTypes asks what there is; where the application does not say, by asking for it.
func (p *prober) resourceTypes(ctx context.Context) {
	var types []string
	a, err := p.send(ctx, "GET", "/ResourceTypes", nil)
	if err == nil && a.ok() && a.doc != nil {
		list, _ := field(a.doc, "Resources")
		for _, e := range asList(list) {
			m, _ := e.(map[string]any)
			endpoint, _ := field(m, "endpoint")
			switch path := strings.ToLower(scalarText(plain(endpoint))); {
			case strings.HasSuffix(path, "/users"):
				types = append(types, "User")
			case strings.HasSuffix(path, "/groups"):
				types = append(types, "Group")
			}
		}
	} else {
		p.found("discovery_paths.resource_types", "", "answered %s", a.words(err))
	}
	g, err := p.send(ctx, "GET", "/Groups?count=1", nil)
	works := err == nil && g.ok() && g.doc != nil
	said := slices.Contains(types, "Group")
	switch {
	case works && !said && len(types) > 0:
		p.note("ResourceTypes does not name Group, but /Groups answers")
	case !works && said:
		p.note("ResourceTypes names Group, but /Groups answers %s", g.words(err))
	}
	if p.groups = works; works {
		p.found("resource_types", []string{"User", "Group"}, "/Groups answered %d", g.status)
	} else if err == nil && (g.status == 404 || g.status == 501 || g.status == 405) && !said {
		p.found("resource_types", []string{"User"}, "/Groups answered %s", g.words(nil))
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// listing reads the first accounts: how pages go, whether the list is to be trusted.
func (p *prober) listing(ctx context.Context) error {
	a, err := p.send(ctx, "GET", "/Users?startIndex=1&count=2", nil)
	if err != nil || !a.ok() || a.doc == nil {
		return unreachable(a, err, "the list of accounts")
	}
	page, err := pageOf(a.doc)
	if err != nil {
		return unreachable(a, nil, "the list of accounts cannot be read: "+err.Error())
	}
	if !page.hasTotal {
		p.found("list_trustworthy", false, "the list has no totalResults: whether it is complete cannot be known")
	}
	for _, doc := range page.resources {
		if u, err := userOf(doc); err == nil && p.known.id == "" {
			p.known = knownOf(u)
		}
	}
	p.userAgent(ctx)
	return nil
}

func knownOf(u RemoteUser) knownUser {
	k := knownUser{id: u.ID, userName: u.UserName}
	external, _ := field(u.Attrs, "externalId")
	k.externalID = scalarText(plain(external))
	emails, _ := field(u.Attrs, "emails")
	for _, e := range asList(emails) {
		if m, ok := e.(map[string]any); ok && k.email == "" {
			v, _ := field(m, "value")
			k.email = scalarText(plain(v))
		}
	}
	return k
}

func (p *prober) userAgent(ctx context.Context) {
	a, err := p.send(ctx, "GET", "/Users?startIndex=1&count=1", nil, func(r *http.Request) { r.Header["User-Agent"] = nil })
	if err == nil && !a.ok() {
		p.found("user_agent_required", true, "a request without User-Agent was answered %s", a.words(nil))
	}
}

// paging compares the second account asked for alone with the first.
func (p *prober) paging(ctx context.Context) {
	head, err := p.send(ctx, "GET", "/Users?startIndex=1&count=2", nil)
	if err != nil || !head.ok() {
		return
	}
	first, err := pageOf(head.doc)
	if err != nil {
		return
	}
	if p.said.cursor != nil && *p.said.cursor && (p.said.index == nil || !*p.said.index) {
		p.found("pagination", "cursor", "ServiceProviderConfig offers cursors (RFC 9865) and no index")
	}
	if first.total >= 2 && len(first.resources) >= 1 {
		a, err := p.send(ctx, "GET", "/Users?startIndex=2&count=1", nil)
		if err == nil && a.ok() && a.doc != nil {
			second, err := pageOf(a.doc)
			switch {
			case err != nil || len(second.resources) == 0:
				p.found("pagination", "none", "startIndex=2 shows nobody, though there are %d", first.total)
			case idOf(second.resources[0]) == idOf(first.resources[0]):
				p.found("pagination", "none", "startIndex=2 shows the first account again")
			default:
				p.found("pagination", "index", "startIndex=2 shows the second account")
			}
		}
	} else {
		p.unknown("pagination: there are not two accounts to page through")
	}
	a, err := p.send(ctx, "GET", "/Users?startIndex=1&count=1000", nil)
	if err != nil || !a.ok() || a.doc == nil {
		p.unknown("page_max: a page of 1000 was answered %s", a.words(err))
		return
	}
	page, err := pageOf(a.doc)
	if n := len(page.resources); err == nil && n > 0 && n < 1000 && page.total > n {
		p.found("page_max", n, "a page of 1000 holds %d of %d", n, page.total)
	} else if p.said.maxResults > 0 && p.said.maxResults < 100 {
		p.found("page_max", p.said.maxResults, "ServiceProviderConfig names filter.maxResults")
	}
}

// filters tries each look-up with a value that exists and with one that does not: a
// filter that finds both, or neither, is none.
func (p *prober) filters(ctx context.Context) {
	p.badFilter(ctx)
	if p.known.id == "" {
		p.unknown("supported_filters: there is no account to look for")
		return
	}
	var works []string
	for _, c := range []struct{ attr, value string }{
		{"userName", p.known.userName}, {"externalId", p.known.externalID}, {"emails.value", p.known.email}, {"id", p.known.id},
	} {
		if c.value == "" {
			continue
		}
		finds, words := p.tryFilter(ctx, "/Users", equals(c.attr, c.value), p.known.id)
		misses, other := p.tryFilter(ctx, "/Users", equals(c.attr, "no-such-"+p.options.Mark), "")
		if finds && misses {
			works = append(works, c.attr)
			continue
		}
		p.note("a look-up by %s does not work: %s; %s", c.attr, words, other)
	}
	if len(works) == 0 {
		p.note("no look-up works: accounts that exist cannot be found before they are created")
	}
	p.found("supported_filters.users", works, "tried with an account that exists and one that does not")
	if p.known.userName != "" {
		if ok, _ := p.tryFilter(ctx, "/Users", `userName sw `+quoted(p.known.userName), p.known.id); !ok {
			p.found("supported_filters.ops", []string{"eq"}, "userName sw does not find what userName eq does")
		}
		both := equals("userName", p.known.userName) + ` and ` + equals("userName", p.known.userName)
		if ok, _ := p.tryFilter(ctx, "/Users", both, p.known.id); !ok {
			p.found("supported_filters.compound", "none", "two conditions joined by and do not find what one does")
		}
	}
}

// tryFilter asks and says whether exactly the account with the id came; with no id,
// whether nobody did.
func (p *prober) tryFilter(ctx context.Context, endpoint, filter, id string) (bool, string) {
	a, err := p.send(ctx, "GET", endpoint+"?"+strings.ReplaceAll(url.Values{"filter": {filter}}.Encode(), "+", "%20"), nil)
	if err != nil || !a.ok() || a.doc == nil {
		return false, filter + " was answered " + a.words(err)
	}
	page, err := pageOf(a.doc)
	if err != nil {
		return false, filter + " was answered with no list"
	}
	words := fmt.Sprintf("%s found %d", filter, len(page.resources))
	if id == "" {
		return len(page.resources) == 0, words
	}
	return len(page.resources) == 1 && idOf(page.resources[0]) == id, words
}

func (p *prober) badFilter(ctx context.Context) {
	a, err := p.send(ctx, "GET", "/Users?filter="+url.QueryEscape(`scimhubNoSuchAttribute eq "x"`), nil)
	if err != nil {
		return
	}
	page, pageErr := pageOf(a.doc)
	switch {
	case !a.ok():
		p.found("unsupported_filter_behaviour", "refuse", "a filter by an attribute that does not exist was answered %d", a.status)
	case pageErr == nil && len(page.resources) == 0:
		p.found("unsupported_filter_behaviour", "empty", "a filter by an attribute that does not exist was answered 200 with nobody: an empty answer proves nothing here")
	case pageErr == nil:
		p.found("unsupported_filter_behaviour", "ignore", "a filter by an attribute that does not exist was answered with everybody")
	}
}
