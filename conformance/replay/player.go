package replay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// Player sends recordings to one server. It is safe for concurrent use.
type Player struct {
	Client        *http.Client // redirects are answers to it, whatever is set there
	Base          string       // http://host/scim/v2, without a final slash
	Authorization string       // value of the header, "" sends none
}

// Fault is something that was not as it is due.
type Fault struct {
	Name string // of the file
	Line int    // of the answer that is due
	Step string // title of the step
	Text string // what was due, and what came
}

// String renders the fault as file:line: step: text.
func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.Name, f.Line, f.Step, f.Text) }

// Play plays a whole conversation and returns what was not as it is due, in order.
// It goes on after a fault, until a step lacks what the one before should have
// given. The error says that the server did not answer at all.
func (p *Player) Play(ctx context.Context, c *Conversation) ([]Fault, error) {
	r := &run{Player: p, c: c, values: values{"base": p.Base}, client: *p.Client}
	r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, s := range c.Steps {
		for n := range s.Repeat {
			r.values["n"] = strconv.Itoa(n + 1)
			if name := r.lacks(s); name != "" {
				r.fault(s, "not sent: no step before has given {{%s}}", name)
				return r.faults, nil
			}
			if err := r.play(ctx, s); err != nil {
				return r.faults, fmt.Errorf("%s:%d: %s: %w", c.Name, s.Line, s.Title, err)
			}
		}
	}
	return r.faults, nil
}

// run is one conversation on its way.
type run struct {
	*Player
	client http.Client
	c      *Conversation
	values values
	faults []Fault
}

func (r *run) fault(s Step, format string, args ...any) {
	r.faults = append(r.faults, Fault{Name: r.c.Name, Line: s.Want.Line, Step: s.Title, Text: fmt.Sprintf(format, args...)})
}

// lacks names a value that a request needs and that is not there.
func (r *run) lacks(s Step) string {
	texts := []string{s.Target, s.Body}
	for _, f := range s.Header {
		texts = append(texts, f.Value)
	}
	for _, text := range texts {
		for _, at := range places(text) {
			if _, ok := r.values[at.inner]; !ok {
				return at.inner
			}
		}
	}
	return ""
}

func (r *run) play(ctx context.Context, s Step) error {
	req, err := r.request(ctx, s)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer is cut off: %w", err)
	}
	switch slices.Index(s.Want.Status, res.StatusCode) {
	case 0:
	case -1:
		r.fault(s, "%s %s: status %d, due is %d: %s", s.Method, r.values.fill(s.Target), res.StatusCode, s.Want.Status[0], clip(string(body)))
		return nil
	default:
		return nil
	}
	m := &matcher{values: maps.Clone(r.values)}
	r.body(m, s, body) // first: a header may name what the body has given
	r.headers(m, s, res.Header)
	for _, text := range m.faults {
		r.fault(s, "%s", text)
	}
	r.values = m.values
	return nil
}

// request makes the request as it is recorded.
func (r *run) request(ctx context.Context, s Step) (*http.Request, error) {
	base, err := url.Parse(r.Base)
	if err != nil {
		return nil, fmt.Errorf("the base address: %w", err)
	}
	var body io.Reader
	if s.Body != "" {
		body = strings.NewReader(r.values.fill(s.Body))
	}
	req, err := http.NewRequestWithContext(ctx, s.Method, r.Base, body)
	if err != nil {
		return nil, err
	}
	// The target goes out as it is, not as net/http would tidy it up.
	req.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: base.EscapedPath() + r.values.fill(s.Target)}
	if r.Authorization != "" {
		req.Header.Set("Authorization", r.Authorization)
	}
	for _, fields := range [][]Field{r.c.Header, s.Header} {
		for _, f := range fields {
			if req.Header.Del(f.Name); f.Value != "" {
				req.Header.Set(f.Name, r.values.fill(f.Value))
			}
		}
	}
	return req, nil
}

func (r *run) headers(m *matcher, s Step, got http.Header) {
	for _, f := range s.Want.Header {
		value, there := any(nil), len(got.Values(f.Name)) > 0
		if there {
			value = got.Get(f.Name)
		}
		m.match(f.Name, f.Value, value, there)
	}
}

func (r *run) body(m *matcher, s Step, body []byte) {
	if s.Want.Empty && len(body) > 0 {
		m.fault("", "%s, due is none", clip(string(body)))
	}
	if s.Want.Body == nil {
		return
	}
	got, err := scim.ParseJSON(bytes.TrimSpace(body))
	if err != nil {
		m.fault("", "%v: %s", err, clip(string(body)))
		return
	}
	m.match("", s.Want.Body, got, true)
}
