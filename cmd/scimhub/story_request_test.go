package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// askedFor is a request as the API shows it, as far as stories look.
type askedFor struct {
	ID    string
	Role  string
	State model.RequestState
	Why   string
}

// requestSteps are what people ask for and decide.
func requestSteps(add func(string, func(*storyWorld, []string) error)) {
	add(`PERSON asks for (\S+)(?: for PERSON)?(?: from (\d\S+))?(?: until (\d\S+))?( in an emergency)?(?:, because (.*))?`, (*storyWorld).asks)
	add(`PERSON (approves|denies) (\S+) for PERSON(?:, because (.*))?`, func(w *storyWorld, a []string) error { return w.decides(a[0]+storySecret, a[1], a[2], a[3], a[4]) })
	add(`the operator (approves|denies|revokes) (\S+) for PERSON(?:, because (.*))?`, func(w *storyWorld, a []string) error { return w.decides(storySecret, a[0], a[1], a[2], a[3]) })
	add(`PERSON withdraws (\S+)`, func(w *storyWorld, a []string) error { return w.decides(a[0]+storySecret, "withdraws", a[1], a[0], "") })
	add(`PERSON gives (\S+) up`, func(w *storyWorld, a []string) error {
		return w.decides(a[0]+storySecret, "revokes", a[1], a[0], "not needed")
	})
	add(`PERSON names PERSON as deputy(?: until (\S+))?`, (*storyWorld).deputises)
	add(`PERSON's request for (\S+) is (pending|approved|denied|withdrawn|expired|lapsed|revoked|ended)(?:: (.*))?`, (*storyWorld).requestIs)
	add(`PERSON is asked about (\S+) for PERSON`, func(w *storyWorld, a []string) error { return w.isAsked(a, true) })
	add(`PERSON is not asked about (\S+) for PERSON`, func(w *storyWorld, a []string) error { return w.isAsked(a, false) })
	add(`PERSON was told of (\S+)`, (*storyWorld).wasTold)
}

func (w *storyWorld) asks(a []string) error {
	body := map[string]any{"role": a[1], "for": a[0]}
	if a[2] != "" {
		body["for"] = a[2]
	}
	for n, key := range map[int]string{3: "from", 4: "until", 6: "reason"} {
		if a[n] != "" {
			body[key] = a[n]
		}
	}
	if a[5] != "" {
		body["emergency"] = true
	}
	return w.wanted(w.call(a[0]+storySecret, http.MethodPost, "/api/v1/requests", body, nil))
}

// requests lists what was asked for a person and a role, the latest last.
func (w *storyWorld) requests(who, role string) ([]askedFor, error) {
	var page struct{ Items []askedFor }
	err := w.admin(http.MethodGet, "/requests?for="+url.QueryEscape(who), nil, &page)
	return slices.DeleteFunc(page.Items, func(r askedFor) bool { return r.Role != role }), err
}

// open is the request that still stands, or else the latest.
func (w *storyWorld) request(who, role string) (askedFor, error) {
	list, err := w.requests(who, role)
	if err != nil || len(list) == 0 {
		return askedFor{}, fmt.Errorf("nobody asked for %s for %s: %w", role, who, err)
	}
	for _, r := range list {
		if r.State.Open() {
			return r, nil
		}
	}
	slices.SortFunc(list, func(a, b askedFor) int { return strings.Compare(a.ID, b.ID) })
	return list[len(list)-1], nil
}

func (w *storyWorld) decides(token, verb, role, who, reason string) error {
	r, err := w.request(who, role)
	if err != nil {
		return err
	}
	verb = map[string]string{"approves": "approve", "denies": "deny", "withdraws": "withdraw", "revokes": "revoke"}[verb]
	return w.wanted(w.call(token, http.MethodPost, "/api/v1/requests/"+r.ID+"/"+verb, map[string]any{"reason": reason}, nil))
}

func (w *storyWorld) deputises(a []string) error {
	body := map[string]any{"deputy": a[1]}
	if a[2] != "" {
		body["until"] = a[2]
	}
	return w.wanted(w.call(a[0]+storySecret, http.MethodPost, "/api/v1/deputies", body, nil))
}

func (w *storyWorld) requestIs(a []string) error {
	r, err := w.request(a[0], a[1])
	if err == nil && (string(r.State) != a[2] || !strings.Contains(r.Why, a[3])) {
		err = fmt.Errorf("it is %s: %s", r.State, r.Why)
	}
	return err
}

func (w *storyWorld) isAsked(a []string, want bool) error {
	r, err := w.request(a[2], a[1])
	if err != nil {
		return err
	}
	var page struct{ Items []askedFor }
	if err := w.call(a[0]+storySecret, http.MethodGet, "/api/v1/requests?waiting=true", nil, &page); err != nil {
		return err
	}
	if asked := slices.ContainsFunc(page.Items, func(o askedFor) bool { return o.ID == r.ID }); asked != want {
		return fmt.Errorf("%v", page.Items)
	}
	return nil
}

// wasTold looks for an event of a person's life.
func (w *storyWorld) wasTold(a []string) error {
	v, err := w.identity(a[0])
	if err != nil {
		return err
	}
	var page struct{ Items []struct{ Type string } }
	if err := w.admin(http.MethodGet, personPath(v.ID)+"/timeline?limit=1000", nil, &page); err != nil {
		return err
	}
	if !slices.ContainsFunc(page.Items, func(e struct{ Type string }) bool { return e.Type == a[1] }) {
		return fmt.Errorf("the timeline is %v", page.Items)
	}
	return nil
}
