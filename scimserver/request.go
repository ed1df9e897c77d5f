package scimserver

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// DefaultMaxQuery is the longest query of a URL that is read, in bytes. Beyond it
// the answer is 414; POST to .search takes longer ones.
const DefaultMaxQuery = 32 << 10

// params are the query parameters of RFC 7644 §3.4.2 and RFC 9865 that this service
// knows. A parameter without a value counts as not given, as clients leave
// `filter=` behind; but a cursor without a value asks for pages by cursor.
type params struct {
	filter, sortBy, sortOrder, startIndex, count, attributes, excluded, cursor string

	byCursor bool
	stray    bool // has separators too many or parameters that are none of these
}

// parseParams reads a raw query. Parameters it does not know are ignored (Entra
// sends a bare ?aadOptscim062020), stray separators too. A known parameter that
// cannot be read or comes twice is refused: to ignore a filter would be to answer
// with everything.
func parseParams(raw string) (params, error) {
	var p params
	seen := 0
	for more := raw != ""; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		field, bit := p.field(key)
		if field == nil {
			p.stray = true
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil || !utf8.ValidString(text) {
			return p, scim.Errorf(http.StatusBadRequest, faultType(bit), "%s: the value is not properly percent-encoded UTF-8", key)
		}
		if text == "" && bit != cursorBit {
			continue
		}
		if seen&bit != 0 {
			return p, scim.Errorf(http.StatusBadRequest, faultType(bit), "%s: given more than once", key)
		}
		seen |= bit
		*field = text
	}
	p.byCursor = seen&cursorBit != 0
	return p, nil
}

const (
	filterBit = 1 << iota
	cursorBit
	startIndexBit
	countBit
	attributesBit
	excludedBit
	sortByBit
	sortOrderBit
)

// field finds where a parameter goes. Names compare without case, so that a
// misspelt Filter is not an absent one.
func (p *params) field(key string) (*string, int) {
	switch {
	case strings.EqualFold(key, "filter"):
		return &p.filter, filterBit
	case strings.EqualFold(key, "startIndex"):
		return &p.startIndex, startIndexBit
	case strings.EqualFold(key, "count"):
		return &p.count, countBit
	case strings.EqualFold(key, "attributes"):
		return &p.attributes, attributesBit
	case strings.EqualFold(key, "excludedAttributes"):
		return &p.excluded, excludedBit
	case strings.EqualFold(key, "sortBy"):
		return &p.sortBy, sortByBit
	case strings.EqualFold(key, "sortOrder"):
		return &p.sortOrder, sortOrderBit
	case strings.EqualFold(key, "cursor"):
		return &p.cursor, cursorBit
	}
	return nil, 0
}

func faultType(bit int) string {
	switch bit {
	case filterBit:
		return scim.InvalidFilter
	case cursorBit:
		return scim.InvalidCursor
	}
	return scim.InvalidValue
}

// params reads the query of the request.
func (x *exchange) params() (params, error) {
	p, err := parseParams(x.r.URL.RawQuery)
	if err != nil {
		return p, err
	}
	if (p.stray || x.r.URL.ForceQuery) && !x.needs(x.client.Dialect.StrayQuery, scim.FlagStrayQuery) {
		return p, scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "the query has a parameter that means nothing here, or a separator too many")
	}
	// A filter that is too long is left to the filter's own limit: its error tells more.
	if len(x.r.URL.RawQuery) > x.MaxQuery && len(p.filter) <= scim.MaxFilterLength {
		return p, scim.Errorf(http.StatusRequestURITooLong, "", "the query is longer than the %d bytes this service accepts; POST to .search takes more", x.MaxQuery)
	}
	return p, nil
}

// fields reads the projection (RFC 7644 §3.9).
func (x *exchange) fields() (params, scim.Fields, error) {
	p, err := x.params()
	if err != nil {
		return p, scim.Fields{}, err
	}
	if p.attributes == "" && p.excluded == "" {
		return p, scim.Fields{}, nil
	}
	f, err := scim.ParseFields(p.attributes, p.excluded)
	return p, f, err
}

// passOn lets the backend hand attributes over as it keeps them, where all of them
// are shown.
func passOn(f scim.Fields, t *scim.ResourceType) scim.Fields {
	f.PassOn = len(f.Include)+len(f.Exclude) == 0 && t.ShowsAll()
	return f
}

// searchRequest is the query as the body of a .search would have it.
func (p params) searchRequest() (scim.SearchRequest, error) {
	r := scim.SearchRequest{Filter: p.filter, SortBy: p.sortBy, SortOrder: p.sortOrder,
		Attributes: names(p.attributes), ExcludedAttributes: names(p.excluded)}
	if p.byCursor {
		r.Cursor = &p.cursor
	}
	if p.startIndex != "" {
		n, err := number("startIndex", p.startIndex)
		if err != nil {
			return r, err
		}
		r.StartIndex = &n
	}
	if p.count != "" {
		n, err := number("count", p.count)
		if e, ok := scim.AsError(err); ok && p.byCursor {
			e.Type = scim.InvalidCount // RFC 9865 §2.1
		}
		if err != nil {
			return r, err
		}
		r.Count = &n
	}
	return r, nil
}

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// number reads an integer of any size; what is out of range counts as the end of
// the range, so that sums of two such numbers cannot overflow.
func number(name, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s: %q is not an integer", name, clip(text))
	}
	return min(max(n, -math.MaxInt32), math.MaxInt32), nil
}

// DefaultBodyTimeout is how long a client may take to send a body.
const DefaultBodyTimeout = 30 * time.Second

// announced is how much memory a body gets before it is there, in bytes.
const announced = 64 << 10

// readBody returns the body of a request, of at most limit bytes, after checking
// its media type. A client that sends it drop by drop is cut off, so that it cannot
// hold a worker.
func (x *exchange) readBody(limit int64) ([]byte, error) {
	if err := x.checkMediaType(x.r.Header); err != nil {
		return nil, err
	}
	if x.r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	conn := http.NewResponseController(x.w)
	deadline := time.Now().Add(x.BodyTimeout) //nolint:forbidigo // a connection knows no clock but the wall's
	limited := conn.SetReadDeadline(deadline) == nil
	var buf bytes.Buffer
	if x.r.ContentLength > 0 { // as far as a mere announcement is worth memory
		buf.Grow(int(min(x.r.ContentLength, announced)) + bytes.MinRead)
	}
	_, err := io.Copy(&buf, http.MaxBytesReader(x.w, x.r.Body, limit))
	var tooBig *http.MaxBytesError
	switch {
	case err == nil:
		// Taken back: the server watches an idle connection by reading it. Not so after
		// a fault, or the rest of the body, which net/http still reads, could drip for ever.
		if limited {
			_ = conn.SetReadDeadline(time.Time{})
		}
		return buf.Bytes(), nil
	case errors.As(err, &tooBig):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.w.Header().Set("Connection", "close")
		return nil, scim.Errorf(http.StatusRequestTimeout, "", "the body did not arrive within %s", x.BodyTimeout)
	}
	e := scim.Errorf(http.StatusBadRequest, scim.InvalidSyntax, "the body could not be read to its end")
	e.Err = err
	return nil, e
}

// checkMediaType accepts SCIM's own type and, in most dialects, plain JSON, in UTF-8
// (RFC 7644 §3.1, §8.1). A missing type is taken as SCIM.
func (x *exchange) checkMediaType(h http.Header) error {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return scim.Errorf(http.StatusUnsupportedMediaType, "", "bodies with Content-Encoding are not accepted")
	}
	text := h.Get("Content-Type")
	if text == "" || text == mediaType {
		return nil
	}
	kind, par, err := mime.ParseMediaType(text)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		kind = ""
	}
	charset := par["charset"]
	known := kind == mediaType || kind == "application/json" && x.needs(x.client.Dialect.PlainJSON, scim.FlagPlainJSON)
	if known && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	types := mediaType
	if x.client.Dialect.PlainJSON {
		types += " or application/json"
	}
	return scim.Errorf(http.StatusUnsupportedMediaType, "", "Content-Type must be %s, in UTF-8", types)
}
