package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

const patchSchema = scim.URNPatchOp

// probeAnswer is an answer as it came.
type probeAnswer struct {
	status  int
	header  http.Header
	text    []byte
	doc     map[string]any // nil: no JSON object
	secrets []string
}

func (a probeAnswer) ok() bool { return a.status >= 200 && a.status < 300 }

// excerpt is the beginning of what the application said, without credentials.
func (a probeAnswer) excerpt() string { return excerpt(a.text, a.secrets) }

// words say what became of a request.
func (a probeAnswer) words(err error) string {
	if err != nil {
		return "no answer: " + err.Error()
	}
	if text := detailOf(a.text, a.secrets); text != "" && !a.ok() {
		return fmt.Sprintf("%d %s", a.status, text)
	}
	return strconv.Itoa(a.status)
}

func (a probeAnswer) id() string { return idOf(a.doc) }

// send makes one request as a client would that knows nothing of the application.
func (p *prober) send(ctx context.Context, method, path string, body any, tweaks ...func(*http.Request)) (probeAnswer, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return probeAnswer{}, err
		}
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, p.client.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.client.base+path, reader)
	if err != nil {
		return probeAnswer{}, err
	}
	req.Header.Set("Accept", mediaType+", application/json;q=0.9")
	req.Header.Set("User-Agent", "scimhub/"+p.client.opts.Version)
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	secrets, err := p.client.auth.sign(ctx, req)
	if err != nil {
		return probeAnswer{}, err
	}
	for _, tweak := range tweaks {
		tweak(req)
	}
	p.report.Requests++
	res, err := p.client.http.Do(req)
	if err != nil {
		return probeAnswer{}, lost(request{method: method}, err, false)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit))
	if err != nil {
		return probeAnswer{}, lost(request{method: method}, err, false)
	}
	p.paced(res)
	a := probeAnswer{status: res.StatusCode, header: res.Header, text: text, secrets: secrets}
	if doc, err := decodeObject(text); err == nil {
		a.doc = doc
	}
	return a, nil
}

// paced notes what the application says of its limits.
func (p *prober) paced(res *http.Response) {
	if res.StatusCode == http.StatusTooManyRequests {
		p.note("the application answered 429 to the probe itself; Retry-After %q", res.Header.Get("Retry-After"))
	}
	for name := range res.Header {
		low := strings.ToLower(name)
		if strings.Contains(low, "ratelimit") || strings.Contains(low, "rate-limit") {
			if p.pacing == nil {
				p.pacing = map[string]string{}
			}
			p.pacing[name] = res.Header.Get(name)
		}
	}
}

// field is a profile's value by its name, parts joined by dots; nil: no such field.
func (p Profile) field(name string) any {
	text, err := json.Marshal(p.Profile)
	if err != nil {
		return nil
	}
	var doc any
	if json.Unmarshal(text, &doc) != nil {
		return nil
	}
	for part := range strings.SplitSeq(name, ".") {
		m, _ := doc.(map[string]any)
		doc = m[part]
	}
	return doc
}

// sameValue compares as JSON does: numbers are numbers.
func sameJSON(a, b any) bool {
	return reflect.DeepEqual(jsonForm(a), jsonForm(b))
}

func jsonForm(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return v
	}
	return out
}

// place sets a value by a dotted name.
func place(m map[string]any, name string, v any) {
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		m[first] = v
		return
	}
	inner, ok := m[first].(map[string]any)
	if !ok {
		inner = map[string]any{}
		m[first] = inner
	}
	place(inner, rest, v)
}

func toAny[V any](m map[string]V) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range maps.All(m) {
		out[k] = v
	}
	return out
}
