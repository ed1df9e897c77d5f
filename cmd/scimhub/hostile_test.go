package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bomb is a request that is meant to cost the server more than it may.
type bomb struct {
	name, method, target, body string
	status                     []int // any of them, each with an Error body
}

// bombs are made of what parsers and decoders are known to fall over: depth, length,
// number. USER and GROUP stand for resources that exist.
func bombs() []bomb {
	refused, long := []int{400}, []int{400, 414}
	tooLarge := []int{413}
	or := strings.TrimSuffix(strings.Repeat(`userName eq "a" or `, 5000), " or ")
	find := func(name, filter string) []bomb {
		search := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":` + strconv.Quote(filter) + `}`
		return []bomb{
			{"GET: " + name, "GET", "/Users?filter=" + strings.ReplaceAll(url.PathEscape(filter), "&", "%26"), "", append(long, 431)},
			{"search: " + name, "POST", "/Users/.search", search, append(refused, 413)},
			{"search everywhere: " + name, "POST", "/.search", search, append(refused, 413)},
		}
	}
	patch := func(name, operation string, status ...int) bomb {
		return bomb{"PATCH: " + name, "PATCH", "/Users/USER", patchHead + "[" + operation + "]}", status}
	}
	path := func(p string) string { return `{"op":"replace","path":` + strconv.Quote(p) + `,"value":"x"}` }
	nested := func(open, end string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(end, n) }
	out := slices.Concat(
		find("300,000 parentheses", strings.Repeat("(", 300_000)),
		find("200 kB of not(", strings.Repeat("not(", 50_000)),
		find("200 kB of not ( in brackets", "emails["+strings.Repeat("not (", 40_000)),
		find("brackets in brackets", strings.Repeat("emails[", 40_000)),
		find("a literal of 900 kB", `userName eq "`+strings.Repeat("x", 900_000)+`"`),
		find("a literal of escapes", `userName eq "`+strings.Repeat(`\u0041`, 50_000)+`"`),
		find("a number of 200,000 digits", `userName eq `+strings.Repeat("9", 200_000)),
		find("5,000 terms", or),
		find("a path of 200,000 parts", "a"+strings.Repeat(".a", 100_000)+" pr"),
	)
	return append(out,
		patch("a path of 300,000 :a", path("urn"+strings.Repeat(":a", 300_000)), 400),
		patch("a path of 300,000 .a", path("name"+strings.Repeat(".a", 300_000)), 400),
		patch("a path of brackets", path(strings.Repeat("emails[", 100_000)), 400),
		patch("a path of parentheses", path("emails["+strings.Repeat("(", 400_000)), 400),
		patch("a path of not", path("emails["+strings.Repeat("not (", 100_000)), 400),
		patch("20,000 deep", `{"op":"replace","path":"name","value":`+nested(`{"a":`, "}", 20_000)+`}`, 400),
		patch("20,000 operations", strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 20_000)+`{"op":"replace","path":"id","value":"x"}`, 413),
		patch("5,000 operations, the last one wrong", strings.Repeat(`{"op":"add","path":"emails","value":[{"value":"x"}]},`, 4_999)+`{"op":"replace","path":"id","value":"x"}`, 400),
		bomb{"POST: 20,000 deep", "POST", "/Users", userHead + `"userName":"b","x":` + nested(`{"a":`, "}", 20_000) + "}", refused},
		bomb{"POST: 500,000 lists", "POST", "/Users", strings.Repeat("[", 500_000), refused},
		bomb{"POST: 6 MB of emails", "POST", "/Users", userHead + `"userName":"b","emails":[` + strings.TrimSuffix(strings.Repeat(`{"value":"a@x.test","type":"w"},`, 200_000), ",") + "]}", tooLarge},
		bomb{"POST: 50,000 unknown attributes, twice each", "POST", "/Users", userHead + `"userName":"b"` + strings.Repeat(`,"k":1`, 100_000) + "}", refused},
		bomb{"POST: a number of 500,000 digits", "POST", "/Users", userHead + `"userName":"b","active":` + strings.Repeat("9", 500_000) + "}", refused},
		bomb{"POST: an exponent", "POST", "/Users", userHead + `"userName":"b","active":1e999999999}`, refused},
		bomb{"POST: duplicate keys", "POST", "/Users", userHead + `"userName":"b","userName":"c"}`, refused},
		bomb{"POST: two values", "POST", "/Users", userHead + `"userName":"b"}{}`, refused},
		bomb{"POST: garbage behind the value", "POST", "/Users", userHead + `"userName":"b"} x`, refused},
		bomb{"POST: a NUL in a text", "POST", "/Users", userHead + `"userName":"b\u0000"}`, refused},
		bomb{"POST: a bare NUL", "POST", "/Users", userHead + "\"userName\":\"b\x00\"}", refused},
		bomb{"POST: no UTF-8", "POST", "/Users", userHead + "\"userName\":\"b\xc3\x28\"}", refused},
		bomb{"POST: half a surrogate", "POST", "/Users", userHead + `"userName":"b\ud800"}`, refused},
		bomb{"POST: two byte order marks", "POST", "/Users", "\ufeff\ufeff" + userHead + `"userName":"b"}`, refused},
		bomb{"POST: UTF-16", "POST", "/Users", "\xff\xfe{\x00}\x00", refused},
		bomb{"bulk: 20,000 operations", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` +
			strings.TrimSuffix(strings.Repeat(`{"method":"DELETE","path":"/Users/x"},`, 20_000), ",") + "]}", tooLarge},
		bomb{"bulk: deep", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":` + nested("[", "]", 20_000) + "}", refused},
		bomb{"an id of 10 kB", "GET", "/Users/" + strings.Repeat("x", 10_000), "", []int{404}},
		bomb{"an id with a NUL", "GET", "/Users/a%00b", "", []int{400, 404}},
		bomb{"a broken escape", "GET", "/Users?filter=%zz", "", refused},
		bomb{"a cursor of 50 kB", "GET", "/Users?cursor=" + strings.Repeat("A", 20_000), "", refused},
		bomb{"attributes of 20 kB", "GET", "/Users?attributes=" + strings.Repeat("a.", 10_000), "", long},
		bomb{"sorted by what nests", "GET", "/Users?sortBy=" + strings.Repeat("a.", 10_000), "", long},
	)
}

// TestHostileService sends a service provider everything that is meant to end it,
// several at a time, and then asks it for an ordinary thing.
func TestHostileService(t *testing.T) {
	t.Parallel()
	eachProvider(t, map[string]string{"victim": "lenient", "plain": "rfc"}, func(t *testing.T, p *provider) {
		c := p.connect("victim")
		user := text(c.must(t, 201, "POST", "/Users", userHead+`"userName":"victim","displayName":"V"}`).doc, "id")
		before := c.must(t, 200, "GET", "/Users", nil)
		requests := make(chan bomb)
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for b := range requests {
					throw(t, c, b, user)
				}
			})
		}
		for _, b := range bombs() {
			requests <- b
		}
		close(requests)
		senders.Wait()
		halfRequests(t, p)
		// In the RFC's own dialect a byte order mark is none of its tolerances.
		p.connect("plain").must(t, 400, "POST", "/Users", "\ufeff"+userHead+`"userName":"b"}`)
		if diff := cmp.Diff(string(before.body), string(c.must(t, 200, "GET", "/Users", nil).body)); diff != "" {
			t.Errorf("something was changed (-before +after):\n%s", diff)
		}
		if err := p.alive(t.Context(), "/healthz"); err != nil || p.hub.ended() {
			t.Fatalf("the hub has ended: %v\n%s", err, p.hub.err.tail(20))
		}
		const most = 700 << 20 // an idle hub has about 60 MB, three times that with the race detector
		if held := p.metric(t, "process_resident_memory_bytes"); held > most {
			t.Errorf("the process holds %d MB afterwards", int(held)>>20)
		}
	})
}

func throw(t *testing.T, c connection, b bomb, user string) {
	t.Helper()
	var body any
	if b.body != "" {
		body = b.body
	}
	a, err := c.send(t.Context(), b.method, strings.ReplaceAll(b.target, "USER", user), body)
	if err != nil {
		t.Errorf("%s: no answer: %v", b.name, err)
		return
	}
	if !slices.Contains(b.status, a.status) {
		t.Errorf("%s: %s, due is %v", b.name, a, b.status)
	}
	// net/http itself answers a header that is longer than a megabyte.
	if err := a.isError(a.status); err != nil && a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s: %v", b.name, err)
	}
	if detail := text(a.doc, "detail"); len(detail) > 2000 || strings.Contains(detail, "goroutine") || strings.Contains(detail, ".go:") {
		t.Errorf("%s: detail: %.300s", b.name, detail)
	}
}

// metric reads one metric without labels.
func (p *provider) metric(t *testing.T, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for sc := bufio.NewScanner(res.Body); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// halfRequests are requests that end early or lie about their length: they make
// nothing, and what comes back, if anything, is a refusal.
func halfRequests(t *testing.T, p *provider) {
	t.Helper()
	head := "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + sourceToken("victim") + "\r\nContent-Type: " + scimType + "\r\n"
	body := userHead + `"userName":"half"}`
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	for name, text := range map[string]string{
		"a body that is cut off":          head + "Content-Length: " + fmt.Sprint(len(body)+1) + "\r\n\r\n" + body,
		"a body cut off in the middle":    head + "Content-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body[:20],
		"a length that is too small":      head + "Connection: close\r\nContent-Length: 20\r\n\r\n" + body,
		"a length that is no number":      head + "Content-Length: many\r\n\r\n" + body,
		"a negative length":               head + "Content-Length: -5\r\n\r\n" + body,
		"a length beyond all":             head + "Content-Length: 99999999999999999999\r\n\r\n" + body,
		"a length of 8 EB":                head + "Content-Length: 9223372036854775807\r\n\r\n" + body,
		"chunks without an end":           head + "Transfer-Encoding: chunked\r\n\r\n" + chunk,
		"chunks of garbage":               head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
		"a chunk longer than it is":       head + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + body + "\r\n0\r\n\r\n",
		"a chunk size of 17 digits":       head + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n" + body,
		"chunks and a length":             head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"5,000 headers, then no body":     head + strings.Repeat("X-Header: y\r\n", 5000) + "Content-Length: 10\r\n\r\n",
		"a header line of 2 MB":           head + "X-Long: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"a header without a colon":        head + "X-Header\r\nContent-Length: 0\r\n\r\n",
		"a header that is folded":         head + "X-Header: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"an unknown transfer encoding":    head + "Transfer-Encoding: brew\r\n\r\n" + body,
		"gzip that is none":               head + "Content-Encoding: gzip\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body,
		"an expectation nobody meets":     head + "Expect: miracles\r\nContent-Length: " + fmt.Sprint(len(body)+5) + "\r\n\r\n" + body,
		"HTTP/1.0 without a length":       strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n" + body,
		"HTTP/9.9":                        strings.Replace(head, "HTTP/1.1", "HTTP/9.9", 1) + "\r\n",
		"TLS on a port that has none":     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a request line without a target": "GET\r\n\r\n",
	} {
		answer, err := rawExchange(t, p, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if answer != nil && answer.StatusCode < 400 {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

// rawExchange writes bytes to the hub, says that there are no more and reads what
// comes back; nil where the connection is closed without an answer.
func rawExchange(t *testing.T, p *provider, text string) (*http.Response, error) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	_, _ = io.WriteString(conn, text) // the server may refuse before it has read all
	_ = conn.(*net.TCPConn).CloseWrite()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return nil, errors.New("neither an answer nor an end within 20 seconds")
		}
		return nil, nil // closed without an answer
	}
	return res, res.Body.Close()
}
