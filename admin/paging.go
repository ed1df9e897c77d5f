package admin

import (
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// cursorOf reads ?cursor= as encodeCursor wrote it; empty: the first page.
func cursorOf(r *http.Request) (string, error) { return decodeCursor(r.URL.Query().Get("cursor")) }

// encodeCursor makes a cursor of what the next page begins behind; empty: there is none.
func encodeCursor(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

// pageOf is a page of a list that is in memory: what the configuration names, or what is
// never much. Things are told apart by name.
func pageOf[T any](r *http.Request, all []T, name func(T) string) (items []T, next string, err error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, "", err
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == after })
		if i < 0 {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing, or what it stood for is gone: begin anew", nil)
		}
		all = all[i+1:]
	}
	if len(all) > limit {
		all, next = all[:limit], encodeCursor(name(all[limit-1]))
	}
	return all, next, nil
}
