package fanout

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// cursorPlace begins a place that is a cursor (RFC 9865); any other is a startIndex.
const cursorPlace = "cursor "

// ListFrom streams the pages of the list of accounts.
func (c *Client) ListFrom(ctx context.Context, place string) iter.Seq2[UserPage, error] {
	return func(yield func(UserPage, error) bool) {
		first := ""
		for range maxPages {
			page, counted, err := c.userPage(ctx, place)
			begins := ""
			if len(page.Users) > 0 {
				begins = page.Users[0].ID
			}
			switch {
			case err != nil:
				yield(UserPage{}, err)
				return
			case begins != "" && begins == first:
				// The same page again: a target that does not page. Where it says how many
				// there are, some are not shown.
				if counted {
					yield(UserPage{}, &ClientError{Class: Garbage, Detail: "the list shows the same page again"})
				}
				return
			case !yield(page, nil) || page.Next == "":
				return
			}
			first, place = begins, page.Next
		}
		yield(UserPage{}, &ClientError{Class: Garbage, Detail: "the list does not end"})
	}
}

// userPage reads one page; counted says that the target told how many accounts there are.
func (c *Client) userPage(ctx context.Context, place string) (page UserPage, counted bool, err error) {
	query := url.Values{"count": {strconv.Itoa(c.profile.PageMax)}}
	start := 1
	switch cursor, isCursor := strings.CutPrefix(place, cursorPlace); {
	case isCursor:
		query.Set("cursor", cursor)
	case c.profile.Pagination == "cursor":
		query.Set("cursor", "")
	default:
		if place != "" {
			if start, err = strconv.Atoi(place); err != nil || start < 1 {
				return page, false, &ClientError{Class: Invalid, Detail: "no place of a list: " + place}
			}
		}
		query.Set("startIndex", strconv.Itoa(start))
	}
	a, err := c.do(ctx, request{method: http.MethodGet, path: "/Users", query: query})
	if err != nil {
		return page, false, err
	}
	p, err := pageOf(a.doc)
	if err != nil {
		return page, false, err
	}
	for _, doc := range p.resources {
		u, err := userOf(doc)
		if err != nil {
			return page, false, err
		}
		page.Users = append(page.Users, u)
	}
	if query.Has("cursor") {
		if next := stringOf(a.doc, "nextCursor"); next != "" {
			page.Next = cursorPlace + next
		}
		return page, p.hasTotal, nil
	}
	got := start - 1 + len(page.Users)
	switch {
	case len(page.Users) == 0 && p.hasTotal && got < p.total:
		return page, false, &ClientError{Class: Garbage, Detail: fmt.Sprintf("the list ends after %d of %d", got, p.total)}
	case len(page.Users) > 0 && (!p.hasTotal || got < p.total):
		page.Next = strconv.Itoa(got + 1)
	}
	return page, p.hasTotal, nil
}
