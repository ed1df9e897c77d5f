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

// ListFrom streams the pages of the list of accounts. A cursor that expired starts it
// again from the beginning, once.
func (c *Client) ListFrom(ctx context.Context, place string) iter.Seq2[UserPage, error] {
	return func(yield func(UserPage, error) bool) {
		first, again := "", false
		for range maxPages {
			page, counted, err := c.userPage(ctx, place)
			begins := ""
			if len(page.Users) > 0 {
				begins = page.Users[0].ID
			}
			switch {
			case err != nil && !again && strings.HasPrefix(place, cursorPlace) && cursorRefused(err):
				first, place, again = "", "", true
				continue
			case err != nil:
				yield(UserPage{}, err)
				return
			case begins != "" && begins == first:
				// The same page again: a target that does not page. Where it says how many
				// there are, or shows as many as it was asked for, some are not shown.
				if counted || len(page.Users) == c.profile.PageMax {
					yield(UserPage{}, incomplete("the list shows the same page again"))
				}
				return
			case !yield(page, nil) || page.Next == "":
				return
			}
			first, place = begins, page.Next
		}
		yield(UserPage{}, incomplete("the list does not end"))
	}
}

// userPage reads one page; counted says that the target told how many accounts there are.
func (c *Client) userPage(ctx context.Context, place string) (page UserPage, counted bool, err error) {
	query, start, err := c.placeQuery(place)
	if err != nil {
		return page, false, err
	}
	s, err := c.open(ctx, request{method: http.MethodGet, path: "/Users", query: query})
	if err != nil {
		return page, false, err
	}
	defer s.close()
	var bad error
	end, err := readPage(s, "", func(doc map[string]any) bool {
		u, err := userOf(doc)
		if bad = err; err == nil {
			page.Users = append(page.Users, u)
		}
		return err == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return page, false, err
	}
	got := start - 1 + len(page.Users)
	switch {
	case c.profile.Pagination == "none":
		err = c.uncut(end, len(page.Users))
	case query.Has("cursor"):
		if end.next != "" {
			page.Next = cursorPlace + end.next
		}
	case len(page.Users) == 0 && end.hasTotal && got < end.total:
		err = incomplete(fmt.Sprintf("the list ends after %d of %d", got, end.total))
	case len(page.Users) > 0 && (!end.hasTotal || got < end.total):
		page.Next = strconv.Itoa(got + 1)
	}
	return page, end.hasTotal, err
}

// placeQuery asks for the page at a place; start is the number of its first account.
func (c *Client) placeQuery(place string) (query url.Values, start int, err error) {
	query, start = url.Values{"count": {strconv.Itoa(c.profile.PageMax)}}, 1
	cursor, isCursor := strings.CutPrefix(place, cursorPlace)
	switch {
	case isCursor:
		query.Set("cursor", cursor)
	case c.profile.Pagination == "cursor":
		query.Set("cursor", "")
	case c.profile.Pagination == "none":
		return nil, start, nil
	default:
		if place != "" {
			if start, err = strconv.Atoi(place); err != nil || start < 1 {
				return nil, 0, &ClientError{Class: Invalid, Detail: "no place of a list: " + place}
			}
		}
		query.Set("startIndex", strconv.Itoa(start))
	}
	return query, start, nil
}

// uncut says whether a list that knows no pages was shown wholly: nothing but the total
// tells.
func (c *Client) uncut(end pageEnd, met int) error {
	switch {
	case !end.hasTotal:
		return incomplete(c.application() + " has no pages and does not say how many there are")
	case met < end.total:
		return incomplete(fmt.Sprintf("%s has no pages and shows %d of %d", c.application(), met, end.total))
	}
	return nil
}
