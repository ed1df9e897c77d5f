package scimserver

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// params are the query parameters of RFC 7644 §3.4.2 that this service knows. A
// parameter without a value counts as not given: clients leave `filter=` behind.
type params struct {
	filter, startIndex, count, attributes, excluded string
}

// parseParams reads a raw query. Parameters it does not know are ignored (Entra
// sends a bare ?aadOptscim062020), stray separators too. A known parameter that
// cannot be read or comes twice is refused: to ignore a filter would be to answer
// with everything.
func parseParams(raw string) (params, error) {
	var p params
	seen := 0
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		field, bit := p.field(key)
		if field == nil {
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return p, scim.Errorf(http.StatusBadRequest, faultType(bit), "%s: the value is not properly percent-encoded", key)
		}
		if text == "" {
			continue
		}
		if seen&bit != 0 {
			return p, scim.Errorf(http.StatusBadRequest, faultType(bit), "%s: given more than once", key)
		}
		seen |= bit
		*field = text
	}
	return p, nil
}

const filterBit = 1

// field finds where a parameter goes. Names compare without case, so that a
// misspelt Filter is not an absent one.
func (p *params) field(key string) (*string, int) {
	switch {
	case strings.EqualFold(key, "filter"):
		return &p.filter, filterBit
	case strings.EqualFold(key, "startIndex"):
		return &p.startIndex, 2
	case strings.EqualFold(key, "count"):
		return &p.count, 4
	case strings.EqualFold(key, "attributes"):
		return &p.attributes, 8
	case strings.EqualFold(key, "excludedAttributes"):
		return &p.excluded, 16
	}
	return nil, 0
}

func faultType(bit int) string {
	if bit == filterBit {
		return scim.InvalidFilter
	}
	return scim.InvalidValue
}

// fields reads the projection (RFC 7644 §3.9).
func (x *exchange) fields() (params, scim.Fields, error) {
	p, err := parseParams(x.r.URL.RawQuery)
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

// query reads filter and paging (RFC 7644 §3.4.2.2, §3.4.2.4).
func (x *exchange) query(t *scim.ResourceType) (scim.Query, error) {
	p, fields, err := x.fields()
	if err != nil {
		return scim.Query{}, err
	}
	q := scim.Query{StartIndex: 1, Count: x.DefaultPage, Fields: passOn(fields, t)}
	if p.startIndex != "" {
		if q.StartIndex, err = number("startIndex", p.startIndex); err != nil {
			return q, err
		}
		q.StartIndex = max(1, q.StartIndex)
	}
	if p.count != "" {
		if q.Count, err = number("count", p.count); err != nil {
			return q, err
		}
		q.Count = min(max(0, q.Count), x.MaxPage)
	}
	if p.filter == "" {
		return q, nil
	}
	q.Filter, err = x.client.Dialect.ParseFilter(p.filter, t)
	return q, err
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

// readBody returns the body of a write after checking its media type.
func (x *exchange) readBody() ([]byte, error) {
	if err := checkMediaType(x.r.Header); err != nil {
		return nil, err
	}
	if x.r.ContentLength > x.MaxBody {
		return nil, &http.MaxBytesError{Limit: x.MaxBody}
	}
	var buf bytes.Buffer
	if x.r.ContentLength > 0 {
		buf.Grow(int(x.r.ContentLength) + bytes.MinRead)
	}
	_, err := io.Copy(&buf, http.MaxBytesReader(x.w, x.r.Body, x.MaxBody))
	var tooBig *http.MaxBytesError
	switch {
	case err == nil:
		return buf.Bytes(), nil
	case errors.As(err, &tooBig):
		return nil, err
	}
	e := scim.Errorf(http.StatusBadRequest, scim.InvalidSyntax, "the body could not be read to its end")
	e.Err = err
	return nil, e
}

// checkMediaType accepts SCIM's own type and plain JSON, in UTF-8 (RFC 7644 §3.1,
// §8.1). A missing type is taken as SCIM.
func checkMediaType(h http.Header) error {
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
	if kind != mediaType && kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return scim.Errorf(http.StatusUnsupportedMediaType, "", "Content-Type must be %s or application/json, in UTF-8", mediaType)
	}
	return nil
}
