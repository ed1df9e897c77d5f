package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

// soakKind is one kind of work, done again and again.
type soakKind struct {
	name  string
	every time.Duration
	do    func(ctx context.Context, s *soak, n int, dice *rand.Rand) error
}

// soakKinds is what a company of a few hundred does in eight hours, each fifty times as
// often.
func soakKinds() []soakKind {
	return []soakKind{
		{"change", 60 * time.Millisecond, soakChange},
		{"member", 250 * time.Millisecond, soakMember},
		{"leaver", 700 * time.Millisecond, soakLeaver},
		{"request", 500 * time.Millisecond, soakRequest},
		{"read", 200 * time.Millisecond, soakRead},
		{"console", 2 * time.Second, soakConsole},
		{"stream", time.Second, soakStream},
		{"scrape", 2 * time.Second, soakScrape},
		{"rotate", 5 * time.Second, soakRotate},
		{"config", 25 * time.Second, soakConfig},
		{"fault", 10 * time.Second, soakFault},
		{"drift", 15 * time.Second, soakDrift},
	}
}

// load begins all work; stop ends it and waits.
func (s *soak) load(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for i, kind := range soakKinds() {
		workers.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // no secret
			tick := time.NewTicker(kind.every)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				err := kind.do(ctx, s, n, dice)
				if ctx.Err() != nil {
					return
				}
				s.mu.Lock()
				if s.done[kind.name]++; err != nil {
					s.failed[kind.name]++
					s.last[kind.name] = err.Error()
				}
				s.mu.Unlock()
			}
		})
	}
	return func() { cancel(); workers.Wait() }
}

// somebody of the share of people that a kind of work has for itself.
func (s *soak) somebody(share int, dice *rand.Rand) *person {
	return s.people.people[dice.IntN(len(s.people.people)/2)*2+share]
}

func soakChange(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	p := s.somebody(0, dice)
	if p.hrID == "" {
		return nil
	}
	if n%3 == 0 {
		return s.hr.patch(ctx, "/Users/"+p.hrID, op("replace", enterpriseURN+":department", departments[dice.IntN(len(departments))]))
	}
	return s.hr.patch(ctx, "/Users/"+p.hrID, op("replace", "title", fmt.Sprint("Engineer ", dice.IntN(50))))
}

// soakMember has somebody join a group and leave it again the next time.
func soakMember(ctx context.Context, s *soak, n int, _ *rand.Rand) error {
	p, g := s.people.people[n/2*2%len(s.people.people)], s.people.groups[n/2%len(s.people.groups)]
	if p.idpID == "" || g.getID() == "" || p.groups[g.name] {
		return nil
	}
	if n%2 == 0 {
		return s.idp.patch(ctx, "/Groups/"+g.getID(), op("add", "members", []any{map[string]any{"value": p.idpID}}))
	}
	return s.idp.patch(ctx, "/Groups/"+g.getID(), op("remove", `members[value eq "`+p.idpID+`"]`, nil))
}

// soakLeaver has somebody leave and come back, or go for good and somebody new come.
func soakLeaver(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	p := s.somebody(1, dice)
	switch {
	case p.hrID == "":
		return nil
	case n%10 == 9:
		if err := deletePerson(ctx, s.hr, s.idp, p); err != nil {
			return err
		}
		p.active = true
		return pushPerson(ctx, s.hr, s.idp, p)
	}
	p.active = !p.active
	return s.hr.patch(ctx, "/Users/"+p.hrID, op("replace", "active", p.active))
}

// api calls the operators' API and reads the answer.
func (s *soak) api(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/api/v1"+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprint(time.Now().UnixNano()))
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %.300s", method, path, res.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func soakRequest(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	p := s.somebody(0, dice)
	var made struct {
		ID string `json:"id"`
	}
	ask := map[string]any{"role": "admins", "for": p.userName, "reason": "soak", "until": time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}
	if err := s.api(ctx, http.MethodPost, "/requests", ask, &made); err != nil {
		if strings.Contains(err.Error(), "409") { // has it, or has asked
			return nil
		}
		return err
	}
	answer := "approve"
	if n%3 == 0 {
		answer = "deny"
	}
	return s.api(ctx, http.MethodPost, "/requests/"+made.ID+"/"+answer, map[string]any{"reason": "soak"}, nil)
}

func soakRead(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	p := s.somebody(0, dice)
	paths := []string{"/overview", "/identities?limit=50", "/identities/" + url.PathEscape(p.userName) + "/explain", "/audit?limit=50", "/requests?limit=20", "/progress", "/targets",
		"/identities/" + url.PathEscape(p.userName) + "/timeline"}
	if n%9 == 8 {
		_, _, err := s.hr.settled(ctx, http.MethodGet, "/Users?count=50&filter="+url.QueryEscape(`title co "1"`), nil)
		return err
	}
	return s.api(ctx, http.MethodGet, paths[n%9%len(paths)], nil, nil)
}

// signedIn is a browser that came in by a link.
func (s *soak) signedIn(ctx context.Context) (*http.Client, error) {
	var link map[string]any
	if err := s.api(ctx, http.MethodPost, "/sign-in-links", map[string]any{}, &link); err != nil {
		return nil, err
	}
	token := ""
	for _, v := range link {
		if text, ok := v.(string); ok && strings.Contains(text, "/sign-in?token=") {
			_, token, _ = strings.Cut(text, "token=")
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: 20 * time.Second}
	return c, visitPage(ctx, c, http.MethodPost, s.base+"/sign-in", url.Values{"link": {token}})
}

func visitPage(ctx context.Context, c *http.Client, method, address string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode >= 400 {
		err = errors.Join(err, fmt.Errorf("%s %s: %s", method, address, res.Status))
	}
	return err
}

func soakConsole(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	c, err := s.signedIn(ctx)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	for _, page := range []string{"/", "/people", "/targets", "/targets/chat", "/requests", "/audit"} {
		if err := visitPage(ctx, c, http.MethodGet, s.base+page, nil); err != nil {
			return err
		}
	}
	if n%2 == 0 {
		return nil // just walks away
	}
	return visitPage(ctx, c, http.MethodPost, s.base+"/sign-out", url.Values{})
}

// soakStream opens a stream of events and drops it without a word.
func soakStream(ctx context.Context, s *soak, _ int, dice *rand.Rand) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/live", nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	c := s.browser
	s.mu.Unlock()
	if c == nil {
		if c, err = s.signedIn(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		s.browser = c
		s.mu.Unlock()
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("stream: %s", res.Status)
	}
	_, _ = io.ReadAtLeast(res.Body, make([]byte, 64), 1+dice.IntN(20))
	return nil
}

func soakScrape(ctx context.Context, s *soak, _ int, _ *rand.Rand) error {
	return visitPage(ctx, plainHTTP, http.MethodGet, s.base+"/metrics", nil)
}

func soakRotate(ctx context.Context, s *soak, n int, _ *rand.Rand) error {
	var made struct {
		ID string `json:"id"`
	}
	if err := s.api(ctx, http.MethodPost, "/tokens", map[string]any{"source": "hr", "name": fmt.Sprint("soak-", n)}, &made); err != nil {
		return err
	}
	if err := s.api(ctx, http.MethodPost, "/tokens/"+made.ID+"/rotate", map[string]any{}, nil); err != nil {
		return err
	}
	return s.api(ctx, http.MethodPost, "/tokens/"+made.ID+"/revoke", nil, nil)
}

func soakConfig(ctx context.Context, s *soak, n int, _ *rand.Rand) error {
	return s.api(ctx, http.MethodPost, "/config", map[string]any{"config": s.configText(n + 1), "name": "hub.yaml"}, nil)
}

func soakFault(_ context.Context, s *soak, n int, _ *rand.Rand) error {
	s.apps[appNames[n%len(appNames)]].faults(s.t, "")
	s.apps[appNames[(n+1)%len(appNames)]].faults(s.t, []string{"500:10%", "429:5%", "slow:50ms", "down"}[n%4])
	return nil
}

// soakDrift changes an account by hand and has the target looked at.
func soakDrift(ctx context.Context, s *soak, n int, dice *rand.Rand) error {
	chat := &source{base: s.apps["chat"].base + "/scim/v2", token: appToken, http: plainHTTP}
	a, err := chat.once(ctx, http.MethodGet, fmt.Sprintf("/Users?count=1&startIndex=%d", 1+dice.IntN(len(s.people.people)/2)), nil)
	if list, _ := a.doc["Resources"].([]any); err == nil && len(list) == 1 { // with faults on nobody may be shown
		if one, ok := list[0].(map[string]any); ok {
			_, _ = chat.once(ctx, http.MethodPatch, "/Users/"+text(one, "id"), map[string]any{
				"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{op("replace", "title", "Changed by hand")}})
		}
	}
	return s.api(ctx, http.MethodPost, "/targets/"+appNames[n%len(appNames)]+"/drift", nil, nil)
}
