package replay_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

func parse(t *testing.T, text string) *replay.Conversation {
	t.Helper()
	c, err := replay.Parse("x.txt", []byte("title T\ndialects rfc\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPlayOnTheWire wants the bytes of a request as they are recorded.
func TestPlayOnTheWire(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			sent <- err.Error()
			return
		}
		defer conn.Close()
		var raw bytes.Buffer
		req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
		if err == nil {
			_, err = io.Copy(io.Discard, req.Body)
		}
		if err != nil {
			sent <- err.Error()
			return
		}
		sent <- raw.String()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	}()
	c := parse(t, `header User-Agent: Okta SCIM Client 1.0.0
header Accept: text/none
== Put
PUT /Users/a%2Fb?filter=userName+eq%20%22x%22&&?
Accept-Encoding: gzip
Accept:
Content-Type: application/scim+json; charset=utf-8

{"é": 1}

-> 200
`)
	p := &replay.Player{Client: &http.Client{}, Base: "http://" + ln.Addr().String() + "/scim/v2", Authorization: "Bearer x"}
	faults, err := p.Play(t.Context(), c)
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	want := "PUT /scim/v2/Users/a%2Fb?filter=userName+eq%20%22x%22&&? HTTP/1.1\r\nHost: " + ln.Addr().String() +
		"\r\nUser-Agent: Okta SCIM Client 1.0.0\r\nContent-Length: 9\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer x\r\n" +
		"Content-Type: application/scim+json; charset=utf-8\r\n\r\n{\"é\": 1}"
	if diff := cmp.Diff(want, <-sent); diff != "" {
		t.Errorf("on the wire (-want +got):\n%s", diff)
	}
}

// server answers from a list, and remembers what it was asked.
func server(t *testing.T, answers ...func(w http.ResponseWriter)) (p *replay.Player, asked func() []string) {
	t.Helper()
	var log []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log = append(log, r.Method+" "+r.URL.RequestURI())
		if len(log) > len(answers) {
			t.Errorf("one request too many: %s", log[len(log)-1])
			return
		}
		answers[len(log)-1](w)
	}))
	t.Cleanup(s.Close)
	return &replay.Player{Client: s.Client(), Base: s.URL}, func() []string { return log }
}

func says(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const dialogue = `
== Create
POST /Users

{}

-> 201
Location: {{base}}/Users/{{id}}
X-None: {{absent}}

{"id": "{{id=}}"}

== Read
GET /Users/{{id}}

-> 200

{"id": "{{id}}"}
`

func TestPlay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []func(http.ResponseWriter)
		faults  []string
		asked   []string
	}{
		"as it is due": {[]func(http.ResponseWriter){says(201, `{"id":"7"}`, "Location", "{{base}}/Users/7"), says(200, `{"id":"7"}`)},
			nil, []string{"POST /Users", "GET /Users/7"}},
		"another status, so the rest is not sent": {[]func(http.ResponseWriter){says(200, `{"id":"7"}`)},
			[]string{"x.txt:8: Create: POST /Users: status 200, due is 201", "x.txt:17: Read: not sent: no step before has given {{id}}"}, []string{"POST /Users"}},
		"a redirect is an answer": {[]func(http.ResponseWriter){says(302, ``, "Location", "/login")},
			[]string{"status 302", "not sent"}, []string{"POST /Users"}},
		"no Location, one header too many": {[]func(http.ResponseWriter){says(201, `{"id":"7"}`, "X-None", "x"), says(200, `{"id":"8"}`)},
			[]string{`Location: missing`, `X-None: "x", due is nothing`, `Read: id: "8", due is "7"`}, []string{"POST /Users", "GET /Users/7"}},
		"a page instead": {[]func(http.ResponseWriter){says(201, `<html>`)},
			[]string{"Create: the body: ", "Location: missing", "not sent"}, []string{"POST /Users"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p *replay.Player
			var asked func() []string
			for i, a := range c.answers {
				c.answers[i] = func(w http.ResponseWriter) { a(based{w, p}) }
			}
			p, asked = server(t, c.answers...)
			faults, err := p.Play(t.Context(), parse(t, strings.TrimPrefix(dialogue, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			if len(faults) != len(c.faults) {
				t.Fatalf("faults %v, want %q", faults, c.faults)
			}
			for i, f := range faults {
				if !strings.Contains(f.String(), c.faults[i]) {
					t.Errorf("fault %q, want %q", f, c.faults[i])
				}
			}
			if diff := cmp.Diff(c.asked, asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// based puts the server's address into headers, which a table cannot know.
type based struct {
	http.ResponseWriter
	p *replay.Player
}

func (b based) WriteHeader(status int) {
	h := b.Header()
	if l := h.Get("Location"); l != "" {
		h.Set("Location", strings.ReplaceAll(l, "{{base}}", b.p.Base))
	}
	b.ResponseWriter.WriteHeader(status)
}

func TestPlayRepeats(t *testing.T) {
	t.Parallel()
	p, asked := server(t, says(200, ""), says(200, ""), says(204, ""), says(404, ""))
	faults, err := p.Play(t.Context(), parse(t, "== s\nrepeat 3\nGET /{{n}}\n\n-> 200 or 204\n\n== e\nGET /e\n\n-> 404\n(empty)\n"))
	if err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
	if diff := cmp.Diff([]string{"GET /1", "GET /2", "GET /3", "GET /e"}, asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestPlayWithoutServer(t *testing.T) {
	t.Parallel()
	c := parse(t, "== s\nGET /Users\n\n-> 200\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &replay.Player{Client: &http.Client{}, Base: "http://127.0.0.1:1"}
	if _, err := p.Play(ctx, c); err == nil || !strings.HasPrefix(err.Error(), "x.txt:3: s: ") {
		t.Errorf("got %v", err)
	}
	p.Base = "http://[::1"
	if _, err := p.Play(t.Context(), c); err == nil {
		t.Error("a base address that is none is no error")
	}
}
