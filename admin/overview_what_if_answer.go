package admin

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// whatIf decides as if some facts were otherwise: POST /identities/{person}/what-if.
func (a *API) whatIf(r *http.Request, _ Caller) (any, error) {
	var ask WhatIfAsk
	if err := readJSON(r, &ask); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s, err := a.supposed(ask)
	if err != nil {
		return nil, err
	}
	w, err := a.Hub.WhatIf(r.Context(), mux.Vars(r)["person"], s)
	if err != nil {
		return nil, err
	}
	out := WhatIfAnswer{Identity: w.Row.ID, UserName: w.Row.Name, At: w.At, Before: w.Now.Stage, After: w.Then.Stage,
		Gained: slices.Concat([]hub.RoleEffect{}, w.Effect.Gained), Lost: slices.Concat([]hub.RoleEffect{}, w.Effect.Lost),
		Findings: slices.Concat([]string{}, w.Effect.Findings), Targets: whatIfTargets(w), Asks: []WhatIfAsked{}}
	if snap := a.Hub.Snapshot(); snap != nil {
		out.Version = snap.Version
	}
	if !w.Then.Next.IsZero() {
		next := w.Then.Next
		out.Next = &next
	}
	for _, q := range w.Asks {
		out.Asks = append(out.Asks, WhatIfAsked{q.Role, q.Approvers})
	}
	return out, nil
}

func (a *API) supposed(ask WhatIfAsk) (s hub.Supposed, err error) {
	if s.At, err = a.timeIn("at", ask.At); err != nil {
		return s, err
	}
	if s.At != nil && s.At.Before(a.now().Add(-time.Minute)) {
		return s, model.Fail(model.Invalid, "at: "+s.At.Format(time.RFC3339)+" is over: explain --at says what was then", nil)
	}
	s.Facts = maps.Clone(ask.Facts)
	groups, given := s.Facts["groups"]
	if !given {
		return s, nil
	}
	delete(s.Facts, "groups")
	list, ok := groups.([]any)
	if groups != nil && !ok {
		return s, model.Fail(model.Invalid, "facts: groups is a list of display names of source groups", nil)
	}
	s.Groups = []string{}
	for _, g := range list {
		name, ok := g.(string)
		if !ok {
			return s, model.Fail(model.Invalid, "facts: groups is a list of display names of source groups", nil)
		}
		s.Groups = append(s.Groups, name)
	}
	return s, nil
}

// whatIfTargets compares what targets should hold, by name.
func whatIfTargets(w hub.WhatIf) []WhatIfTarget {
	out := []WhatIfTarget{}
	for _, name := range slices.Sorted(maps.Keys(w.Then.Desired)) {
		before, decided := w.Now.Desired[name]
		if !decided {
			continue
		}
		if t := whatIfTarget(name, before.Account, w.Then.Desired[name].Account); t.Account != "" {
			out = append(out, t)
		}
	}
	return out
}

func whatIfTarget(name string, before, then *model.Account) WhatIfTarget {
	t := WhatIfTarget{Target: name}
	switch {
	case before == nil && then == nil:
		return t
	case before == nil:
		t.Account, before = "created", &model.Account{}
	case then == nil:
		t.Account, then = "removed", &model.Account{}
	case before.Active && !then.Active:
		t.Account = "disabled"
	case !before.Active && then.Active:
		t.Account = "enabled"
	}
	t.Gained, t.Lost = missingFrom(then.Groups, before.Groups), missingFrom(before.Groups, then.Groups)
	if t.Account == "" || t.Account == "enabled" || t.Account == "disabled" {
		t.Changed = attributesDiffer(before, then)
	}
	if t.Account == "" && len(t.Gained)+len(t.Lost)+len(t.Changed) > 0 {
		t.Account = "changed"
	}
	return t
}

// missingFrom are the names of one list that another does not have.
func missingFrom(list, other []string) (out []string) {
	for _, name := range list {
		if !slices.Contains(other, name) {
			out = append(out, name)
		}
	}
	return out
}

// attributesDiffer says in words which attributes differ between two accounts.
func attributesDiffer(a, b *model.Account) (out []string) {
	if a.UserName != b.UserName {
		out = append(out, fmt.Sprintf("userName: %q becomes %q", a.UserName, b.UserName))
	}
	all := maps.Clone(a.Attrs)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b.Attrs)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(a.Attrs[path], b.Attrs[path]) {
			out = append(out, path+": "+valueWords(a.Attrs[path])+" becomes "+valueWords(b.Attrs[path]))
		}
	}
	return out
}
