package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/scimhub/scimhub/conformance/app"
)

// A lie is one way in which an application says what is not so.
type lie struct {
	name   string
	faults string // the application's own, see app.ParseFaults
	serve  func(honest http.Handler) http.Handler
	says   []string // one of these has to be in what the hub shows of the target meanwhile
	agrees bool     // writes seem to succeed: where members cannot be read nobody can know better
}

// liar stands before an application and lies when told to.
type liar struct {
	honest http.Handler
	now    atomic.Pointer[http.Handler]
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := l.now.Load(); h != nil && strings.HasPrefix(r.URL.Path, app.Prefix) {
		(*h).ServeHTTP(w, r)
		return
	}
	l.honest.ServeHTTP(w, r)
}

// tell begins a lie, or ends it with none.
func (l *liar) tell(serve func(http.Handler) http.Handler) {
	if serve == nil {
		l.now.Store(nil)
		return
	}
	h := serve(l.honest)
	l.now.Store(&h)
}

// retold has every answer pass through fn as a document.
func retold(fn func(r *http.Request, doc map[string]any)) func(http.Handler) http.Handler {
	return func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := httptest.NewRecorder()
			honest.ServeHTTP(got, r)
			var doc map[string]any
			text := got.Body.Bytes()
			if json.Unmarshal(text, &doc) == nil && got.Code < 300 {
				fn(r, doc)
				text, _ = json.Marshal(doc)
			}
			header := got.Header().Clone()
			header.Del("Content-Length")
			maps.Copy(w.Header(), header)
			w.WriteHeader(got.Code)
			_, _ = w.Write(text)
		})
	}
}

// users calls fn with every user that an answer shows.
func users(r *http.Request, doc map[string]any, fn func(map[string]any)) {
	if !strings.HasPrefix(r.URL.Path, app.Prefix+"/Users") {
		return
	}
	list, isList := doc["Resources"].([]any)
	if !isList {
		if doc["id"] != nil {
			fn(doc)
		}
		return
	}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			fn(m)
		}
	}
}

func answers(status int, kind, body string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
}

// throttles refuses everything for a year.
func throttles(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(365*24*3600))
		w.WriteHeader(http.StatusTooManyRequests)
	})
}

func asText(v any) any {
	switch n := v.(type) {
	case map[string]any:
		for k, e := range n {
			n[k] = asText(e)
		}
	case []any:
		for i, e := range n {
			n[i] = asText(e)
		}
	case bool:
		return strconv.FormatBool(n)
	case float64:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return v
}

// renumbered gives everything another id than before: what is asked for by the old one
// is not there.
func renumbered(honest http.Handler) http.Handler {
	const mark = "x-"
	answer := retold(func(_ *http.Request, doc map[string]any) { renumber(doc, mark) })(honest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.URL.Path, "/")
		if last := parts[len(parts)-1]; last != "Users" && last != "Groups" && len(parts) == 5 {
			id, ok := strings.CutPrefix(last, mark)
			if !ok {
				answers(http.StatusNotFound, "application/scim+json", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`)(honest).ServeHTTP(w, r)
				return
			}
			r.URL.Path = strings.Join(append(parts[:4], id), "/")
		}
		if r.Body != nil {
			text, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`"`+mark), []byte(`"`)), []byte(`\"`+mark), []byte(`\"`))))
		}
		answer.ServeHTTP(w, r)
	})
}

func renumber(v any, mark string) {
	switch n := v.(type) {
	case map[string]any:
		for _, key := range []string{"id", "value"} {
			if id, ok := n[key].(string); ok && len(id) == 36 {
				n[key] = mark + id
			}
		}
		for _, e := range n {
			renumber(e, mark)
		}
	case []any:
		for _, e := range n {
			renumber(e, mark)
		}
	}
}

// swallows answers writes as if they were carried out, and does nothing.
func swallows(honest http.Handler) http.Handler {
	made := atomic.Int64{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			honest.ServeHTTP(w, r)
		case http.MethodPost:
			var doc map[string]any
			_ = json.NewDecoder(r.Body).Decode(&doc)
			doc["id"] = fmt.Sprintf("made-up-%d", made.Add(1))
			w.Header().Set("Content-Type", "application/scim+json")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(doc)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// unfiltered shows everybody whatever was asked for.
func unfiltered(honest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Del("filter")
		r.URL.RawQuery = q.Encode()
		honest.ServeHTTP(w, r)
	})
}

// repeats shows the first page as every page.
func repeats(honest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Has("startIndex") {
			q.Set("startIndex", "1")
			r.URL.RawQuery = q.Encode()
		}
		honest.ServeHTTP(w, r)
	})
}

// swapped shows, under each id, the person of another one, and under a protected id the
// one who came last.
func swapped(a *app.App) func(http.Handler) http.Handler {
	return func(honest http.Handler) http.Handler {
		return retold(func(r *http.Request, doc map[string]any) {
			all := a.State("http://x").Users
			slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])) })
			users(r, doc, func(u map[string]any) {
				at := slices.IndexFunc(all, func(o map[string]any) bool { return o["id"] == u["id"] })
				if at < 0 {
					return
				}
				other := maps.Clone(all[(at+1)%len(all)])
				if u["userName"] == breakGlass {
					other = maps.Clone(slices.MaxFunc(all, func(a, b map[string]any) int { return strings.Compare(employee(a), employee(b)) }))
				}
				other["id"] = u["id"]
				clear(u)
				maps.Copy(u, other)
			})
		})(honest)
	}
}

// employee is the name of an account of somebody in the company, as opposed to others.
func employee(u map[string]any) string {
	if name := fmt.Sprint(u["userName"]); strings.HasPrefix(name, "p") {
		return name
	}
	return ""
}

// lies are those that are told, of an application and of another, empty one.
func lies(honest *app.App, other http.Handler) []lie {
	on := func(fn func(u map[string]any)) func(http.Handler) http.Handler {
		return retold(func(r *http.Request, doc map[string]any) { users(r, doc, fn) })
	}
	total := func(n float64) func(http.Handler) http.Handler {
		return retold(func(_ *http.Request, doc map[string]any) {
			if was, ok := doc["totalResults"].(float64); ok {
				doc["totalResults"] = max(was+n, 0)
			}
		})
	}
	noAnswer := []string{"no SCIM", "failed", "quarantined", "garbage"}
	return []lie{
		{name: "empty list", faults: "empty-list"},
		{name: "half a list", faults: "half-list"},
		{name: "page to sign in", faults: "html", says: noAnswer},
		{name: "forgets everything", faults: "forget", says: []string{"nothing is concluded"}},
		{name: "blind filters", faults: "blind", says: []string{"look-ups by"}},
		{name: "blind filters, empty list", faults: "blind,empty-list", says: []string{"look-ups by"}},
		{name: "garbage", faults: "garbage", says: noAnswer},
		{name: "cut answers", faults: "cut", says: []string{"timeout", "network", "unknown-outcome", "lost"}},
		{name: "down", faults: "down", says: []string{"503"}},
		{name: "401", faults: "401", says: []string{"refuses the hub's credentials"}},
		{name: "403", faults: "403", says: []string{"refuses the hub's credentials"}},
		{name: "404", serve: answers(404, "text/html", "<html>nginx</html>"), says: []string{"nothing is concluded", "no SCIM"}},
		{name: "410", serve: answers(410, "text/plain", "gone"), says: []string{"nothing is concluded", "no SCIM"}},
		{name: "another tenant", serve: func(http.Handler) http.Handler { return other }, says: []string{"nothing is concluded"}},
		{name: "everything as text", serve: retold(func(_ *http.Request, doc map[string]any) { asText(doc) })},
		{name: "other ids", serve: renumbered, says: []string{"nothing is concluded"}},
		{name: "everybody inactive", serve: on(func(u map[string]any) { u["active"] = false })},
		{name: "everybody active", serve: on(func(u map[string]any) { u["active"] = true })},
		{name: "names in capitals", serve: on(func(u map[string]any) { u["userName"] = strings.ToUpper(fmt.Sprint(u["userName"])) })},
		{name: "no names", serve: on(func(u map[string]any) { delete(u, "userName"); delete(u, "externalId") })},
		{name: "more than there are", serve: total(7)},
		{name: "fewer than there are", serve: total(-3)},
		{name: "none of many", serve: total(-1e6)},
		{name: "repeated pages", serve: repeats},
		{name: "wait a year", serve: throttles, says: []string{"throttled"}},
		{name: "writes swallowed", agrees: true, serve: swallows},
		{name: "filters ignored", serve: unfiltered},
		{name: "empty objects", agrees: true, serve: answers(200, "application/json", "{}"), says: noAnswer},
		{name: "empty answers", agrees: true, serve: answers(200, "application/json", ""), says: noAnswer},
		{name: "null", agrees: true, serve: answers(200, "application/json", "null"), says: noAnswer},
		{name: "a list for everything", agrees: true, serve: answers(200, "application/json", `{"totalResults":0,"Resources":[]}`), says: noAnswer},
		{name: "other people's attributes", serve: swapped(honest), says: []string{"other people"}},
		{name: "no members", serve: retold(func(_ *http.Request, doc map[string]any) { delete(doc, "members") })},
		{name: "redirects", serve: answers(302, "text/html", ""), says: noAnswer},
	}
}
