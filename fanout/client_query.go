package fanout

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Query asks for a part of a list, as clients of the proxy do.
type Query struct {
	Endpoint string // /Users or /Groups
	Filter   string // one that the profile allows; empty: none
	Start    int    // 1-based
	Most     int    // resources at most; negative: all
	Skip     string // an attribute that is left out unread; empty: none
}

// Query streams resources as the target shows them, from Start on; total becomes the
// number that the target says there are, or stays negative where it does not say.
// Where the target has no numbered pages the list is read from its beginning.
func (c *Client) Query(ctx context.Context, q Query, total *int) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		*total = -1
		if q.Most == 0 {
			if end, err := c.part(ctx, q, 1, 0, nil); err != nil {
				yield(nil, err)
			} else if end.hasTotal {
				*total = end.total
			}
			return
		}
		if c.profile.Pagination != "index" {
			c.fromBeginning(ctx, q, total, yield)
			return
		}
		for next, left := max(q.Start, 1), q.Most; left != 0; {
			asked := c.profile.PageMax
			if left > 0 {
				asked = min(asked, left)
			}
			going := true
			end, err := c.part(ctx, q, next, asked, func(doc map[string]any) bool {
				going = yield(doc, nil)
				return going
			})
			switch {
			case err != nil:
				yield(nil, err)
				return
			case !going:
				return
			}
			if end.hasTotal {
				*total = end.total
			}
			next += end.n
			if left > 0 {
				left = max(left-end.n, 0)
			}
			if end.n == 0 || (end.hasTotal && next > end.total) || (!end.hasTotal && end.n < asked) {
				return
			}
		}
	}
}

// part reads one page.
func (c *Client) part(ctx context.Context, q Query, start, count int, each func(map[string]any) bool) (pageEnd, error) {
	query := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
	if q.Filter != "" {
		query.Set("filter", q.Filter)
	}
	s, err := c.open(ctx, request{method: http.MethodGet, path: q.Endpoint, query: query})
	if err != nil {
		return pageEnd{}, err
	}
	defer s.close()
	if each == nil {
		each = func(map[string]any) bool { return true }
	}
	return readPage(s, q.Skip, each)
}

// fromBeginning reads the whole list and shows the part.
func (c *Client) fromBeginning(ctx context.Context, q Query, total *int, yield func(map[string]any, error) bool) {
	query := url.Values{}
	if q.Filter != "" {
		query.Set("filter", q.Filter)
	}
	n := 0
	for doc, err := range c.pages(ctx, q.Endpoint, query, q.Skip) {
		if err != nil {
			yield(nil, err)
			return
		}
		n++
		if n >= q.Start && (q.Most < 0 || n < q.Start+q.Most) && !yield(doc, nil) {
			return
		}
	}
	*total = n
}

// Searchable reports whether the target may be asked for resources of an endpoint
// whose attribute equals a value, and can be believed when it shows none.
func (p Profile) Searchable(endpoint, attr string) bool {
	if p.BadFilter == "ignore" {
		return false
	}
	if endpoint == "/Groups" {
		return p.GroupFilterable(attr)
	}
	return p.Filterable(attr)
}

// Resource reads one resource of an endpoint as it is shown.
func (c *Client) Resource(ctx context.Context, endpoint, id string) (map[string]any, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: endpoint + "/" + url.PathEscape(id), limit: groupBodyLimit})
	if err != nil {
		return nil, err
	}
	if a.doc == nil || idOf(a.doc) == "" {
		return nil, &ClientError{Class: Garbage, Status: a.status, Detail: "the answer to a read names no id"}
	}
	return a.doc, nil
}

// SetGroupExternalID writes the identifier that a group's client gave it.
func (c *Client) SetGroupExternalID(ctx context.Context, id, externalID string) error {
	return c.setGroup(ctx, id, "externalId", externalID)
}
