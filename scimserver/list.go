package scimserver

import (
	"iter"
	"net/http"

	"github.com/scimhub/scimhub/model/scim"
)

// listBody is the ListResponse of RFC 7644 §3.4.2 and RFC 9865 §2. Resources is
// never null.
type listBody struct {
	Schemas      []string
	Total        int // left out if negative
	StartIndex   int // left out if zero: a page by cursor has none
	ItemsPerPage int
	Late         bool   // itemsPerPage comes behind the resources: only then it is known
	Next         string // nextCursor, left out if empty
	Resources    []any

	stream  func(yield func(*entry, error) bool) // in place of Resources
	counted func() int
}

func listOf(resources []any) listBody {
	return listBody{Schemas: []string{scim.URNListResponse}, Total: len(resources), StartIndex: 1,
		ItemsPerPage: len(resources), Resources: resources}
}

// entry is one resource of a page. It is rendered when its turn to be encoded
// comes, so that a page of large groups is never in memory as a whole.
type entry struct {
	t      *scim.ResourceType
	res    scim.Resource
	base   string
	fields scim.Fields

	// read, if set, gets the resource when its turn comes; till then only its id is
	// known.
	read func(id string) (scim.Resource, error)
}

// load gets what is not there yet; false if the resource has gone meanwhile.
func (e *entry) load() (bool, error) {
	if e.read == nil {
		return true, nil
	}
	res, err := e.read(e.res.ID)
	if e2, ok := scim.AsError(err); ok && e2.Status == http.StatusNotFound {
		return false, nil
	}
	e.res = res
	return err == nil, err
}

// list serves GET /Users (RFC 7644 §3.4.2) and, with all types, GET / (§3.4.2.1).
func list(level string, types ...*scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		p, err := x.params()
		if err != nil {
			return reply{}, err
		}
		r, err := p.searchRequest()
		if err != nil {
			return reply{}, err
		}
		return x.search(level, types, r)
	}
}

// searchByPost serves POST /Users/.search and, with all types, POST /.search
// (RFC 7644 §3.4.3).
func searchByPost(level string, types ...*scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		x.asks = true
		body, err := x.readBody(x.MaxBody)
		if err != nil {
			return reply{}, err
		}
		r, err := scim.ParseSearchRequest(body, x.client.Dialect)
		if err != nil {
			return reply{}, err
		}
		return x.search(level, types, r)
	}
}

// streamed is the answer whose resources come while it is written.
func (s *search) streamed(page result) listBody {
	body := listOf(nil)
	body.Total, body.StartIndex, body.Late, body.counted = -1, s.start, true, page.counted
	body.stream = func(yield func(*entry, error) bool) {
		for res, err := range page.stream {
			if !yield(&entry{t: s.types[0], res: res, base: s.x.base, fields: s.shown}, err) {
				return
			}
		}
	}
	return body
}

// result is a page of a search.
type result struct {
	stream  iter.Seq2[scim.Resource, error]
	counted func() int

	total     int
	resources []found
	next      string
}

// found is a resource and the number of its type in the search.
type found struct {
	scim.Resource
	of int
}

// search answers a query over resource types (RFC 7644 §3.4.2, §3.4.3). level is
// the endpoint that was asked.
func (x *exchange) search(level string, types []*scim.ResourceType, r scim.SearchRequest) (reply, error) {
	s, err := x.newSearch(level, types, r)
	if err != nil {
		return reply{}, err
	}
	page, err := s.run()
	if err != nil {
		return reply{}, err
	}
	if page.stream != nil {
		return reply{status: http.StatusOK, body: s.streamed(page)}, nil
	}
	entries := make([]entry, len(page.resources))
	body := listOf(make([]any, len(page.resources)))
	for i, f := range page.resources {
		entries[i] = entry{t: types[f.of], res: f.Resource, base: x.base, fields: s.shown}
		if t := types[f.of]; s.oneByOne(t) {
			body.Late = true
			entries[i].read = func(id string) (scim.Resource, error) { return x.Backend.Get(x.ctx, t, id, passOn(s.shown, t)) }
		}
		body.Resources[i] = &entries[i]
	}
	body.Total, body.StartIndex, body.Next = page.total, s.start, page.next
	if s.byCursor {
		body.StartIndex = 0
	}
	return reply{status: http.StatusOK, body: body}, nil
}
