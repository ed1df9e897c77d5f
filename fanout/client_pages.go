package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const maxPages = 100_000 // of one list; beyond it something goes in circles

// pages reads a list to its end, resource by resource. It ends without an error only
// where everything the target says there is has come. Resources that come twice are
// shown once. What is named by skip is left out of each resource, unread.
//
// A list that is changed while it is read may hide from one page what the page before
// had no room for: where it became shorter, or it falls short and its total changed or
// something came twice, it is read once more, and what the first pass missed is shown.
func (c *Client) pages(ctx context.Context, endpoint string, query url.Values, skip string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		w := &walk{client: c, ctx: ctx, endpoint: endpoint, query: query, skip: skip, yield: yield,
			seed: maphash.MakeSeed(), seen: map[uint64]int32{}}
		var err error
		switch c.profile.Pagination {
		case "none":
			err = w.whole()
		case "cursor":
			err = w.cursors()
		default:
			err = w.indexes()
		}
		if err != nil && !w.stopped {
			yield(nil, err)
		}
	}
}

// walk is a list being read.
type walk struct {
	client   *Client
	ctx      context.Context //nolint:containedctx // a walk lives within one call
	endpoint string
	query    url.Values
	skip     string
	yield    func(map[string]any, error) bool

	seed    maphash.Seed
	seen    map[uint64]int32 // id -> the page that showed it last
	pages   int32            // read so far
	first   int32            // page of this pass
	pass    int
	met     int  // resources of this pass; on two pages is once
	twice   bool // something came on two pages of this pass
	stopped bool // nobody wants more
}

// page reads one page and shows what is new; fresh counts what this pass had not met.
func (w *walk) page(query url.Values) (end pageEnd, fresh int, err error) {
	s, err := w.client.open(w.ctx, request{method: http.MethodGet, path: w.endpoint, query: query})
	if err != nil {
		return end, 0, err
	}
	defer s.close()
	w.pages++
	end, err = readPage(s, w.skip, func(doc map[string]any) bool {
		id := maphash.String(w.seed, idOf(doc))
		before, known := w.seen[id]
		if known && before >= w.first && before < w.pages {
			w.twice = true
			return true
		}
		w.seen[id] = w.pages
		w.met++
		fresh++
		w.stopped = !known && !w.yield(doc, nil)
		return !w.stopped
	})
	return end, fresh, err
}

func (w *walk) start() { w.pass, w.first, w.met, w.twice = w.pass+1, w.pages+1, 0, false }

// indexes reads pages by startIndex (RFC 7644 §3.4.2.4).
func (w *walk) indexes() error {
	for {
		w.start()
		moved, err := w.indexed()
		if err != nil && moved && w.pass == 1 && !w.stopped {
			continue
		}
		return err
	}
}

// indexed is one pass; moved says that the list changed meanwhile.
func (w *walk) indexed() (moved bool, err error) {
	next, total, asked, fell := 1, -1, w.client.profile.PageMax, false
	w.query.Set("count", strconv.Itoa(asked))
	for range maxPages {
		w.query.Set("startIndex", strconv.Itoa(next))
		end, fresh, err := w.page(w.query)
		if err != nil || w.stopped {
			return false, err
		}
		if end.hasTotal {
			moved, fell = moved || (total >= 0 && end.total != total), fell || end.total < total
			total = end.total
		}
		next += end.n
		switch {
		case fresh == 0 && end.n > 0 && !end.hasTotal && end.n == asked:
			return false, incomplete("the target shows the same page again and does not say how many there are")
		case fresh == 0, end.hasTotal && next > end.total:
			if w.met < total {
				return (moved || w.twice) && (fresh > 0 || end.n == 0), incomplete(fmt.Sprintf("the list ends after %d of %d", w.met, total))
			}
			if fell && w.pass == 1 {
				// What was taken away may have drawn others from a page that was not
				// read yet to one that was.
				return true, incomplete("the list became shorter while it was read")
			}
			return moved, nil
		}
	}
	return false, incomplete("the list does not end")
}

// cursors reads pages by cursor (RFC 9865). A cursor that expired starts it again, once.
func (w *walk) cursors() error {
	for {
		w.start()
		expired, err := w.cursored()
		if expired && w.pass == 1 {
			continue
		}
		return err
	}
}

func (w *walk) cursored() (expired bool, err error) {
	cursor := ""
	w.query.Set("count", strconv.Itoa(w.client.profile.PageMax))
	for range maxPages {
		w.query.Set("cursor", cursor)
		end, _, err := w.page(w.query)
		switch {
		case err != nil && cursor != "" && cursorRefused(err):
			return true, err
		case err != nil || w.stopped:
			return false, err
		case end.next == "" && end.hasTotal && w.met < end.total:
			return false, incomplete(fmt.Sprintf("the list ends after %d of %d", w.met, end.total))
		case end.next == "":
			return false, nil
		case end.next == cursor:
			return false, incomplete("the target shows the same page again")
		}
		cursor = end.next
	}
	return false, incomplete("the list does not end")
}

// cursorRefused tells the two answers to a cursor that is no longer good.
func cursorRefused(err error) bool {
	e := asClientError(err)
	text := strings.ToLower(e.Detail)
	return e.Class == Invalid && (strings.Contains(text, "expiredcursor") || strings.Contains(text, "invalidcursor"))
}

// whole reads a list that knows no pages. Nothing but the total tells whether it was
// cut; the answer to a filter is believed without.
func (w *walk) whole() error {
	w.start()
	end, _, err := w.page(w.query)
	switch {
	case err != nil || w.stopped:
		return err
	case !end.hasTotal && w.query.Has("filter"):
		return nil
	}
	return w.client.uncut(end, w.met)
}

func incomplete(words string) *ClientError { return &ClientError{Class: Garbage, Detail: words} }

// pageEnd is what a page says beside its resources.
type pageEnd struct {
	total    int
	hasTotal bool
	next     string // cursor
	n        int    // resources
}

// readPage reads a ListResponse while it comes and shows its resources one by one
// until show answers false. An object that has neither resources nor a total is no
// list: it must not read as "nobody is there".
func readPage(s *stream, skip string, show func(map[string]any) bool) (end pageEnd, err error) {
	dec := newDecoder(s)
	beside, listed, stopped := map[string]any{}, false, false
	err = s.object(dec, func(name string) error {
		if !strings.EqualFold(name, "Resources") {
			return s.beside(dec, name, beside, "totalResults", "nextCursor")
		}
		list, err := s.list(dec, func() error {
			s.allow(resourceLimit)
			doc, err := s.resource(dec, skip)
			if err != nil {
				return err
			}
			if end.n++; !show(doc) {
				stopped = true
				return errStopped
			}
			return nil
		})
		listed = listed || list
		return err
	})
	if stopped {
		return end, nil
	}
	if err != nil {
		return end, s.fault(err)
	}
	end.total, end.hasTotal = intOf(beside, "totalResults")
	end.next = stringOf(beside, "nextCursor")
	if !listed && !end.hasTotal {
		return end, &ClientError{Class: Garbage, Status: s.status, Detail: "the answer is no SCIM list"}
	}
	return end, nil
}

// resource reads one resource, without the attribute named by skip.
func (s *stream) resource(dec *json.Decoder, skip string) (map[string]any, error) {
	if skip == "" {
		v, err := readWhole(dec)
		if err != nil {
			return nil, err
		}
		doc, ok := v.(map[string]any)
		if !ok {
			return nil, &notSCIM{notResource}
		}
		return doc, nil
	}
	t, err := dec.Token()
	if err != nil {
		return nil, noEOF(err)
	}
	if t != json.Delim('{') {
		return nil, &notSCIM{notResource}
	}
	out := map[string]any{}
	return out, readFields(dec, 1, func(name string) error {
		if strings.EqualFold(name, skip) {
			return s.pass(dec)
		}
		v, err := readValue(dec, 2)
		if err == nil {
			out[name] = v
		}
		return err
	}, out)
}

const notResource = "the list holds something that is no resource"
