package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// message is an answer of the reference on its way out, or a request on its way in.
type message struct {
	r      *http.Request
	in     map[string]any // the body of the request
	code   int
	header http.Header
	body   map[string]any // nil if there is none
	raw    []byte         // sent instead of body if not nil
}

// mutant is a server with one fault. Its checks are those that must find it, and no
// other may.
type mutant struct {
	name   string
	only   string // groups to run; empty means all of core
	in     func(m *message)
	out    func(m *message)
	checks string // ids, separated by spaces; a final * allows for results of several subjects
}

func (m *mutant) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		msg := &message{r: r}
		_ = json.Unmarshal(raw, &msg.in)
		if m.in != nil {
			m.in(msg)
			if msg.in != nil {
				raw, _ = json.Marshal(msg.in)
			}
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		msg.code, msg.header = rec.Code, rec.Header()
		out := rec.Body.Bytes()
		if json.Unmarshal(out, &msg.body) == nil && m.out != nil {
			m.out(msg)
			out, _ = json.Marshal(msg.body)
		} else if m.out != nil {
			m.out(msg)
		}
		if msg.raw != nil {
			out = msg.raw
		}
		msg.header.Del("Content-Length")
		maps.Copy(w.Header(), msg.header)
		w.WriteHeader(msg.code)
		if len(out) > 0 && !bytes.Equal(out, []byte("null")) {
			_, _ = w.Write(out)
		}
	})
}

func (m *message) each(f func(r map[string]any)) {
	if m.body == nil || m.code >= 300 {
		return
	}
	if l, ok := m.body["Resources"].([]any); ok {
		for _, e := range l {
			f(e.(map[string]any))
		}
		return
	}
	if m.body["userName"] != nil || m.body["displayName"] != nil {
		f(m.body)
	}
}

// setQuery replaces or, with an empty value, removes a parameter.
func (m *message) setQuery(key, value string) {
	q := m.r.URL.Query()
	if !q.Has(key) {
		return
	}
	q.Set(key, value)
	if value == "" {
		q.Del(key)
	}
	m.r.URL.RawQuery = q.Encode()
}

func (m *message) operations(f func(o map[string]any)) {
	l, _ := m.in["Operations"].([]any)
	for _, e := range l {
		if o, ok := e.(map[string]any); ok {
			f(o)
		}
	}
}

func (m *message) is(method, suffix string) bool {
	return m.r.Method == method && strings.HasSuffix(m.r.URL.Path, suffix)
}

// TestMutants: each fault is found by the checks meant for it, and by no other.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range slices.Concat(errorMutants(), resourceMutants(), listMutants(), writeMutants(), featureMutants()) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			o := Options{}
			if m.only != "" {
				o.Only = strings.Split(m.only, ",")
			}
			got := found(examine(t, m.wrap(reference(t, "rfc")), o))
			want := strings.Fields(m.checks)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("found by %v, want %v", got, want)
			}
		})
	}
}

// found are the checks with findings, sorted, each once.
func found(r *Report) []string {
	var out []string
	for _, res := range r.Results {
		if (res.Outcome == Fail || res.Outcome == Warn) && res.ID != "group.type" {
			out = append(out, res.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
