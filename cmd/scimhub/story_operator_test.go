package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/scimhub/scimhub/admin"
)

// wanted notes that the hub refused something; the story has to say so next.
func (w *storyWorld) wanted(err error) error {
	w.refused = err
	return w.settle()
}

// person is the address of somebody in the API.
func personPath(who string) string { return "/identities/" + url.PathEscape(who) }

// operatorSteps are what operators do, and what is known of cases and held leavers.
func operatorSteps(add func(string, func(*storyWorld, []string) error)) {
	add(`it is refused: (.*)`, (*storyWorld).isRefused)
	add(`the operator links PERSON to PERSON`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[0])+"/link", map[string]any{"to": a[1]}, nil))
	})
	add(`the operator links PERSON to PERSON though a source has both`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[0])+"/link", map[string]any{"to": a[1], "force": true}, nil))
	})
	add(`the operator says that PERSON is somebody new`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[0])+"/link", map[string]any{"new": true}, nil))
	})
	add(`the operator unlinks what SOURCE says from PERSON`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[1])+"/unlink", map[string]any{"source": a[0]}, nil))
	})
	add(`the operator erases PERSON`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[0])+"/erase", map[string]any{}, nil))
	})
	add(`the operator erases PERSON by force`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, personPath(a[0])+"/erase", map[string]any{"force": true}, nil))
	})
	add(`the operator releases PERSON at SOURCE`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, "/sources/"+a[1]+"/release", map[string]any{"people": []string{a[0]}}, nil))
	})
	add(`the operator releases all leavers at SOURCE`, func(w *storyWorld, a []string) error {
		v, err := w.held(a[0])
		if err != nil {
			return err
		}
		return w.wanted(w.admin(http.MethodPost, "/sources/"+a[0]+"/release", map[string]any{"digest": v.Digest}, nil))
	})
	add(`the operator applies the configuration (\S+)`, (*storyWorld).applies)
	add(`the operator rolls the configuration back`, func(w *storyWorld, _ []string) error {
		return w.wanted(w.admin(http.MethodPost, "/config/rollback", map[string]any{}, nil))
	})
	add(`the operator exempts PERSON from (\S+) and (\S+), owner PERSON, until (\S+)`, func(w *storyWorld, a []string) error {
		return w.wanted(w.admin(http.MethodPost, "/exceptions", map[string]any{"for": a[0], "roles": []string{a[1], a[2]}, "owner": a[3], "until": a[4], "reason": "for the story"}, nil))
	})
	add(`SOURCE is (silent|heard)`, (*storyWorld).isSilent)
	add(`the operator imports from SOURCE( a part)?:(.*)`, (*storyWorld).imports)
}

func (w *storyWorld) isRefused(a []string) error {
	said := w.refused
	if said == nil {
		return errors.New("it was not")
	}
	w.refused = nil
	if !strings.Contains(said.Error(), a[0]) {
		return fmt.Errorf("the hub said %w", said)
	}
	return nil
}

func (w *storyWorld) applies(a []string) error {
	text, err := os.ReadFile(filepath.Join("testdata", "stories", a[0]+".yaml"))
	if err != nil {
		return err
	}
	return w.wanted(w.admin(http.MethodPost, "/config", map[string]any{"config": string(w.complete(text, w.database)), "name": a[0] + ".yaml"}, nil))
}

// imports sends rows: the columns, then one row after the other, with | between them.
func (w *storyWorld) imports(a []string) error {
	path := "/api/v1/sources/" + a[0] + "/import"
	if a[1] != "" {
		path += "?partial=true"
	}
	rows := strings.ReplaceAll(strings.TrimSpace(a[2]), " | ", "\n") + "\n"
	status, text, err := w.send(storySecret, http.MethodPost, path, "text/csv", rows)
	if err == nil && status > 299 {
		err = fmt.Errorf("%d %s", status, text)
	}
	return w.wanted(err)
}

// isCase claims whom somebody could be.
func (w *storyWorld) isCase(a []string) error {
	var page struct {
		Items []struct {
			UserName string
			People   []struct{ UserName string }
		}
	}
	if err := w.admin(http.MethodGet, "/cases", nil, &page); err != nil {
		return err
	}
	for _, c := range page.Items {
		var could []string
		for _, p := range c.People {
			could = append(could, p.UserName)
		}
		if c.UserName == a[0] {
			if got := strings.Join(could, " or "); got != a[1] {
				return fmt.Errorf("it could be %s", got)
			}
			return nil
		}
	}
	return fmt.Errorf("the cases are %+v", page.Items)
}

func (w *storyWorld) oneAccount(a []string) error {
	_, err := w.account(a[0], a[1])
	return err
}

func (w *storyWorld) held(source string) (admin.HeldLeavers, error) {
	var v struct{ Held admin.HeldLeavers }
	err := w.admin(http.MethodGet, "/sources/"+source, nil, &v)
	return v.Held, err
}

func (w *storyWorld) heldLeavers(a []string) error {
	v, err := w.held(a[0])
	if err == nil && fmt.Sprint(v.Count) != a[1] {
		err = fmt.Errorf("there are %d", v.Count)
	}
	return err
}

// because looks for words in the reasons of what somebody has at an application.
func (w *storyWorld) because(a []string) error {
	var page struct{ Items []admin.Explanation }
	if err := w.admin(http.MethodGet, personPath(a[0])+"/explain?target="+a[1], nil, &page); err != nil {
		return err
	}
	var said []string
	for _, e := range page.Items {
		for _, b := range e.Because {
			said = append(said, b.Text)
		}
	}
	if !strings.Contains(strings.Join(said, "\n"), a[2]) {
		return fmt.Errorf("the reasons are %q", said)
	}
	return nil
}

// holdsUntil claims the end of a role that somebody holds.
func (w *storyWorld) holdsUntil(a []string) error {
	want, err := storyMoment(a[2])
	if err != nil {
		return err
	}
	var page struct{ Items []admin.Explanation }
	if err := w.admin(http.MethodGet, personPath(a[0])+"/explain", nil, &page); err != nil {
		return err
	}
	for _, e := range page.Items {
		if e.Role != a[1] {
			continue
		}
		if e.Until == nil || !e.Until.Equal(want) {
			return fmt.Errorf("until %v", e.Until)
		}
		return nil
	}
	return fmt.Errorf("%s does not hold it at any application", a[0])
}

func (w *storyWorld) isSilent(a []string) error {
	var v struct {
		SilentSince *string `json:"silent_since"`
	}
	if err := w.hub.hub.FindSilence(w.t.Context()); err != nil {
		return err
	}
	if err := w.admin(http.MethodGet, "/sources/"+a[0], nil, &v); err != nil {
		return err
	}
	if (v.SilentSince != nil) != (a[1] == "silent") {
		return fmt.Errorf("silent since %v", v.SilentSince)
	}
	return nil
}
