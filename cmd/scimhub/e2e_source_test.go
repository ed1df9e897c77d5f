package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// source pushes to the hub as an HR system or an identity provider does, by plain
// HTTP. It repeats what was not answered, and looks first whether it was done.
type source struct {
	name, base, token string
	http              *http.Client
	acknowledged      atomic.Int64 // writes answered with 2xx
	repeated          atomic.Int64 // requests without an answer, or with 429 or 5xx
}

func (w *world) source(name string) *source {
	token := map[string]string{"hr": hrToken, "idp": idpToken}[name]
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &source{name: name, base: w.base + "/scim/v2", token: token, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// answer is a response in full.
type answer struct {
	status int
	header http.Header
	doc    map[string]any // nil: none, or no JSON object
	body   []byte
}

// once sends one request.
func (s *source) once(ctx context.Context, method, path string, body any) (answer, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	res, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return answer{}, err // an answer cut short is no answer
	}
	_ = json.Unmarshal(a.body, &a.doc)
	return a, nil
}

// settled sends a request until it is answered by anything but "come back later";
// unsure says that an earlier try may have been carried out.
func (s *source) settled(ctx context.Context, method, path string, body any) (a answer, unsure bool, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a, err = s.once(ctx, method, path, body)
		if err == nil && a.status < 500 && a.status != http.StatusTooManyRequests {
			if a.status < 300 && method != http.MethodGet {
				s.acknowledged.Add(1)
			}
			return a, unsure, nil
		}
		s.repeated.Add(1)
		unsure = true
		select {
		case <-ctx.Done():
			return a, unsure, fmt.Errorf("%s %s: no answer in time, the last: %d %s %w", method, path, a.status, a.body, err)
		case <-tick.C:
		}
	}
}

// create makes a resource once, whatever happens on the way, and returns its id.
// A create without an answer is looked for before it is repeated.
func (s *source) create(ctx context.Context, endpoint, key string, doc map[string]any) (string, error) {
	for {
		a, err := s.once(ctx, http.MethodPost, endpoint, doc)
		switch {
		case err == nil && a.status == http.StatusCreated:
			s.acknowledged.Add(1)
			return text(a.doc, "id"), nil
		case err == nil && a.status < 500 && a.status != http.StatusTooManyRequests:
			return "", fmt.Errorf("POST %s %v: %d %s", endpoint, doc[key], a.status, a.body)
		case ctx.Err() != nil:
			return "", fmt.Errorf("POST %s: no answer in time: %d %s %w", endpoint, a.status, a.body, err)
		}
		s.repeated.Add(1)
		id, err := s.find(ctx, endpoint, key, doc[key].(string))
		if err != nil || id != "" {
			return id, err
		}
	}
}

// find looks a resource up by an attribute; "" where there is none.
func (s *source) find(ctx context.Context, endpoint, key, value string) (string, error) {
	a, _, err := s.settled(ctx, http.MethodGet, endpoint+"?filter="+url.QueryEscape(key+" eq "+string(mustJSON(value))), nil)
	if err != nil {
		return "", err
	}
	list, _ := a.doc["Resources"].([]any)
	if a.status != http.StatusOK || len(list) > 1 {
		return "", fmt.Errorf("%s %s: %d %s", endpoint, value, a.status, a.body)
	}
	if len(list) == 0 {
		return "", nil
	}
	found, _ := list[0].(map[string]any)
	return text(found, "id"), nil
}

func (s *source) change(ctx context.Context, method, path string, body any) error {
	a, unsure, err := s.settled(ctx, method, path, body)
	switch {
	case err != nil:
		return err
	case a.status < 300, method == http.MethodDelete && unsure && a.status == http.StatusNotFound:
		return nil
	}
	return fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
}

// op is one operation of a PATCH.
func op(kind, path string, value any) map[string]any {
	o := map[string]any{"op": kind}
	if path != "" {
		o["path"] = path
	}
	if value != nil {
		o["value"] = value
	}
	return o
}

func (s *source) patch(ctx context.Context, path string, ops ...map[string]any) error {
	return s.change(ctx, http.MethodPatch, path, map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops})
}

// pushPerson makes a person at the sources that know them.
func pushPerson(ctx context.Context, hr, idp *source, p *person) error {
	if p.inHR && p.hrID == "" {
		id, err := hr.create(ctx, "/Users", "userName", p.hrDoc())
		if err != nil {
			return err
		}
		p.hrID = id
	}
	if p.inIDP && p.idpID == "" {
		id, err := idp.create(ctx, "/Users", "userName", p.idpDoc())
		if err != nil {
			return err
		}
		p.idpID = id
	}
	return nil
}

// deletePerson removes a person everywhere.
func deletePerson(ctx context.Context, hr, idp *source, p *person) error {
	if p.hrID != "" {
		if err := hr.change(ctx, http.MethodDelete, "/Users/"+p.hrID, nil); err != nil {
			return err
		}
		p.hrID = ""
	}
	if p.idpID != "" {
		if err := idp.change(ctx, http.MethodDelete, "/Users/"+p.idpID, nil); err != nil {
			return err
		}
		p.idpID = ""
	}
	return nil
}

// push brings a whole company in: people from both sources at once, then the
// groups with their members, many requests at a time.
func push(t *testing.T, w *world, c *company) (hr, idp *source) {
	t.Helper()
	hr, idp = w.source("hr"), w.source("idp")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	inParallel(t, 8, c.people, func(p *person) error { return pushPerson(ctx, hr, idp, p) })
	inParallel(t, 8, c.people, func(p *person) error {
		// Managers come after everybody is there: theirs is another goroutine's id.
		if p.hrID == "" || p.manager == nil || p.manager.hrID == "" {
			return nil
		}
		p.managerID = p.manager.hrID
		return hr.patch(ctx, "/Users/"+p.hrID, op("replace", enterpriseURN+":manager", map[string]any{"value": p.managerID}))
	})
	inParallel(t, 4, c.groups, func(g *group) error {
		members := []any{}
		for _, p := range c.people {
			if p.groups[g.name] {
				members = append(members, map[string]any{"value": p.idpID})
			}
		}
		id, err := idp.create(ctx, "/Groups", "displayName", map[string]any{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name, "members": members})
		g.setID(id)
		return err
	})
	return hr, idp
}

// inParallel works on a list with some goroutines and fails with the first error.
func inParallel[T any](t *testing.T, width int, list []T, work func(T) error) {
	t.Helper()
	queue := make(chan T)
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for range width {
		workers.Go(func() {
			for item := range queue {
				if failed.Load() != nil {
					continue
				}
				if err := work(item); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	for _, item := range list {
		queue <- item
	}
	close(queue)
	workers.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
}
