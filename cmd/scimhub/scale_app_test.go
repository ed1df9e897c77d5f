package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

// lightApps serves simulated applications for TestScale: /NAME/scim/v2 is one, made when
// it is first asked. They know just what the hub asks of an application of the generic
// profile, and keep of an account the bytes that were sent, of a group one bit for each
// account: so that a million of them fit beside what is measured, and cost little of the
// processors. GET /_state tells how many there are.
func lightApps() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on http://%s\n", ln.Addr())
	apps := &lightWorld{apps: map[string]*lightApp{}}
	fmt.Fprintln(os.Stderr, http.Serve(ln, apps)) //nolint:gosec // loopback, of a test
}

type lightWorld struct {
	mu   sync.Mutex
	apps map[string]*lightApp
}

// lightCounts is what /_state tells of one application.
type lightCounts struct {
	Users  int            `json:"users"`
	Writes int            `json:"writes"` // requests that changed something
	Groups map[string]int `json:"groups"` // members by name
}

func (w *lightWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_state" {
		w.mu.Lock()
		apps := maps.Clone(w.apps)
		w.mu.Unlock()
		out := map[string]lightCounts{}
		for name, a := range apps {
			out[name] = a.counts()
		}
		_ = json.NewEncoder(rw).Encode(out)
		return
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/scim/v2")
	w.mu.Lock()
	a := w.apps[name]
	if a == nil {
		a = &lightApp{users: map[string]*lightUser{}, byName: map[string]*lightUser{}, byExternal: map[string]*lightUser{}, groups: map[string]*lightGroup{}}
		w.apps[name] = a
	}
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/scim+json")
	a.serve(rw, r, strings.Split(strings.Trim(rest, "/"), "/"))
}

type lightApp struct {
	mu         sync.RWMutex
	last       int
	writes     int
	order      []*lightUser
	users      map[string]*lightUser // by id
	byName     map[string]*lightUser
	byExternal map[string]*lightUser
	groups     map[string]*lightGroup
	groupOrder []*lightGroup
}

type lightUser struct {
	id, name, external string
	doc                []byte // as it is shown
}

type lightGroup struct {
	id, name string
	members  []uint64 // one bit for each account, by number
}

func (g *lightGroup) count() (n int) {
	for _, word := range g.members {
		n += bits.OnesCount64(word)
	}
	return n
}

// set reports whether it changed anything.
func (g *lightGroup) set(id string, in bool) bool {
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 {
		return false
	}
	for n/64 >= len(g.members) {
		g.members = append(g.members, make([]uint64, 1+len(g.members)/4)...)
	}
	before := g.members[n/64]
	if g.members[n/64] |= 1 << (n % 64); !in {
		g.members[n/64] &^= 1 << (n % 64)
	}
	return g.members[n/64] != before
}

func (a *lightApp) counts() lightCounts {
	a.mu.RLock()
	defer a.mu.RUnlock()
	c := lightCounts{Users: len(a.order), Writes: a.writes, Groups: map[string]int{}}
	for _, g := range a.groupOrder {
		c.Groups[g.name] = g.count()
	}
	return c
}

func lightFail(w http.ResponseWriter, status int, scimType string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","scimType":%q}`, status, scimType)
}

func (a *lightApp) serve(w http.ResponseWriter, r *http.Request, path []string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		lightFail(w, http.StatusBadRequest, "")
		return
	}
	if r.Method == http.MethodGet {
		a.mu.RLock()
		defer a.mu.RUnlock()
	} else {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.writes++
	}
	id := ""
	if len(path) > 1 {
		id = path[1]
	}
	switch kind := path[0]; {
	case kind == "ServiceProviderConfig":
		fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],"patch":{"supported":true},"bulk":{"supported":false},"filter":{"supported":true,"maxResults":1000},"changePassword":{"supported":false},"sort":{"supported":false},"etag":{"supported":false},"authenticationSchemes":[]}`)
	case kind == "Users" && id == "" && r.Method == http.MethodGet:
		a.listUsers(w, r)
	case kind == "Users" && id == "" && r.Method == http.MethodPost:
		a.createUser(w, body)
	case kind == "Users" && a.users[id] != nil:
		a.oneUser(w, r, a.users[id], body)
	case kind == "Groups" && id == "" && r.Method == http.MethodGet:
		a.listGroups(w, r)
	case kind == "Groups" && id == "" && r.Method == http.MethodPost:
		a.createGroup(w, body)
	case kind == "Groups" && a.groups[id] != nil:
		a.oneGroup(w, r, a.groups[id], body)
	default:
		lightFail(w, http.StatusNotFound, "")
	}
}

// lightFilter reads ATTR eq "VALUE", which is all that the hub asks.
func lightFilter(text string) (attr, value string, err error) {
	attr, quoted, ok := strings.Cut(text, " eq ")
	if !ok {
		return "", "", fmt.Errorf("no such filter: %s", text)
	}
	return attr, value, json.Unmarshal([]byte(quoted), &value)
}

func lightWindow(r *http.Request, total int) (from, to int) {
	q := r.URL.Query()
	start, err := strconv.Atoi(cmp.Or(q.Get("startIndex"), "1"))
	if err != nil || start < 1 {
		start = 1
	}
	count, err := strconv.Atoi(cmp.Or(q.Get("count"), "100"))
	if err != nil || count < 0 {
		count = 100
	}
	from = min(start-1, total)
	return from, min(from+min(count, 1000), total)
}

func lightPage(w http.ResponseWriter, total, start int, docs [][]byte) {
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[`, total, start, len(docs))
	_, _ = w.Write(bytes.Join(docs, []byte(",")))
	_, _ = io.WriteString(w, "]}")
}

func (a *lightApp) listUsers(w http.ResponseWriter, r *http.Request) {
	found := a.order
	if f := r.URL.Query().Get("filter"); f != "" {
		attr, value, err := lightFilter(f)
		by := map[string]map[string]*lightUser{"userName": a.byName, "externalId": a.byExternal}[attr]
		if err != nil || by == nil {
			lightFail(w, http.StatusBadRequest, "invalidFilter")
			return
		}
		found = nil
		if u := by[value]; u != nil {
			found = []*lightUser{u}
		}
	}
	from, to := lightWindow(r, len(found))
	docs := make([][]byte, 0, to-from)
	for _, u := range found[from:to] {
		docs = append(docs, u.doc)
	}
	lightPage(w, len(found), from+1, docs)
}

func (a *lightApp) createUser(w http.ResponseWriter, body []byte) {
	u := &lightUser{id: strconv.Itoa(a.last + 1)}
	if err := u.take(body); err != nil {
		lightFail(w, http.StatusBadRequest, "invalidSyntax")
		return
	}
	if a.byName[u.name] != nil {
		lightFail(w, http.StatusConflict, "uniqueness")
		return
	}
	a.last++
	a.order = append(a.order, u)
	a.users[u.id], a.byName[u.name] = u, u
	if u.external != "" {
		a.byExternal[u.external] = u
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(u.doc)
}

// take makes the account what a body says.
func (u *lightUser) take(body []byte) error {
	var key struct {
		UserName   string `json:"userName"`
		ExternalID string `json:"externalId"`
	}
	if err := json.Unmarshal(body, &key); err != nil || key.UserName == "" || body[0] != '{' {
		return fmt.Errorf("no user: %w", err)
	}
	u.name, u.external = key.UserName, key.ExternalID
	u.doc = append([]byte(`{"id":"`+u.id+`",`), body[1:]...)
	return nil
}

func (a *lightApp) oneUser(w http.ResponseWriter, r *http.Request, u *lightUser, body []byte) {
	before := *u
	switch r.Method {
	case http.MethodDelete:
		delete(a.users, u.id)
		delete(a.byName, u.name)
		delete(a.byExternal, u.external)
		for i, o := range a.order {
			if o == u {
				a.order = append(a.order[:i:i], a.order[i+1:]...)
				break
			}
		}
		for _, g := range a.groupOrder {
			g.set(u.id, false)
		}
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPut:
		if err := u.take(body); err != nil {
			lightFail(w, http.StatusBadRequest, "invalidSyntax")
			return
		}
	case http.MethodPatch:
		doc := map[string]any{}
		if json.Unmarshal(u.doc, &doc) != nil || lightPatch(doc, body) != nil {
			lightFail(w, http.StatusBadRequest, "invalidPath")
			return
		}
		delete(doc, "id")
		text, _ := json.Marshal(doc)
		if err := u.take(text); err != nil {
			lightFail(w, http.StatusBadRequest, "invalidValue")
			return
		}
	}
	if before.name != u.name || before.external != u.external {
		delete(a.byName, before.name)
		delete(a.byExternal, before.external)
		a.byName[u.name], a.byExternal[u.external] = u, u
	}
	_, _ = w.Write(u.doc)
}

type lightOps struct {
	Operations []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	} `json:"Operations"` //nolint:tagliatelle // as RFC 7644 spells it
}

// lightPatch changes what stands at the top of a resource.
func lightPatch(doc map[string]any, body []byte) error {
	var ops lightOps
	if err := json.Unmarshal(body, &ops); err != nil {
		return err
	}
	for _, op := range ops.Operations {
		var v any
		if len(op.Value) > 0 {
			if err := json.Unmarshal(op.Value, &v); err != nil {
				return err
			}
		}
		all, isMap := v.(map[string]any)
		switch {
		case strings.ContainsAny(op.Path, "[.:"):
			return fmt.Errorf("path %q is not for light applications", op.Path)
		case op.Path != "" && op.Op == "remove":
			delete(doc, op.Path)
		case op.Path != "":
			doc[op.Path] = v
		case isMap:
			maps.Copy(doc, all)
		}
	}
	return nil
}

func (g *lightGroup) doc() []byte {
	name, _ := json.Marshal(g.name)
	return fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"%s","displayName":%s}`, g.id, name)
}

func (a *lightApp) listGroups(w http.ResponseWriter, r *http.Request) {
	found := a.groupOrder
	if f := r.URL.Query().Get("filter"); f != "" {
		_, value, err := lightFilter(f)
		if err != nil {
			lightFail(w, http.StatusBadRequest, "invalidFilter")
			return
		}
		found = nil
		for _, g := range a.groupOrder {
			if g.name == value {
				found = append(found, g)
			}
		}
	}
	from, to := lightWindow(r, len(found))
	docs := make([][]byte, 0, to-from)
	for _, g := range found[from:to] {
		docs = append(docs, g.doc())
	}
	lightPage(w, len(found), from+1, docs)
}

func (a *lightApp) createGroup(w http.ResponseWriter, body []byte) {
	var in struct {
		DisplayName string `json:"displayName"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.DisplayName == "" {
		lightFail(w, http.StatusBadRequest, "invalidSyntax")
		return
	}
	g := &lightGroup{id: "g" + strconv.Itoa(len(a.groupOrder)+1), name: in.DisplayName}
	a.groups[g.id] = g
	a.groupOrder = append(a.groupOrder, g)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(g.doc())
}

func (a *lightApp) oneGroup(w http.ResponseWriter, r *http.Request, g *lightGroup, body []byte) {
	switch r.Method {
	case http.MethodGet:
		doc := g.doc()
		_, _ = w.Write(append(doc[:len(doc)-1], `,"members":[`...))
		comma := ""
		for i, word := range g.members {
			for ; word != 0; word &= word - 1 {
				fmt.Fprintf(w, `%s{"value":"%d"}`, comma, i*64+bits.TrailingZeros64(word))
				comma = ","
			}
		}
		_, _ = io.WriteString(w, "]}")
	case http.MethodPatch:
		var ops lightOps
		if err := json.Unmarshal(body, &ops); err != nil {
			lightFail(w, http.StatusBadRequest, "invalidSyntax")
			return
		}
		for _, op := range ops.Operations {
			var members []struct {
				Value string `json:"value"`
			}
			if quoted, one := strings.CutPrefix(op.Path, "members[value eq "); one {
				members = append(members, struct {
					Value string `json:"value"`
				}{strings.Trim(quoted, `"]`)})
			} else if op.Path != "members" || json.Unmarshal(op.Value, &members) != nil {
				lightFail(w, http.StatusBadRequest, "invalidPath")
				return
			}
			for _, m := range members {
				if a.users[m.Value] == nil {
					lightFail(w, http.StatusBadRequest, "invalidValue")
					return
				}
				g.set(m.Value, op.Op != "remove")
			}
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		lightFail(w, http.StatusMethodNotAllowed, "")
	}
}
