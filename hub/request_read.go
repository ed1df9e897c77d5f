package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// RequestQuery says which requests are listed.
type RequestQuery struct {
	Mine    bool   // asked for, or by, who lists
	For     string // userName or id of who is to hold the role
	State   string
	Role    string
	Waiting bool   // for an answer of who lists; an operator who is nobody sees all that wait
	After   string // id that the previous page ended with
	Limit   int
	SeeAll  bool // else what concerns the person who lists, and what they are asked
}

// RequestView is a request with what it takes to show it.
type RequestView struct {
	model.Request
	For      string   `json:"for"`                 // name of who is to hold the role
	Asker    string   `json:"asker,omitempty"`     // name of who asked
	WaitsFor []string `json:"waits_for,omitempty"` // who is asked now: names, and role:NAME
}

// Requests lists requests, the newest first.
func (h *Hub) Requests(ctx context.Context, by Who, q RequestQuery) (out []RequestView, next string, err error) {
	if err := checkState(q.State); err != nil {
		return nil, "", err
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, f, err := requestFilter(tx, by, q)
		if err != nil {
			return err
		}
		list, more, err := tx.Requests(f, q.After, q.Limit)
		if err != nil {
			return err
		}
		next = more
		if q.Waiting && me.id != "" {
			list = slices.DeleteFunc(list, func(r model.Request) bool { return !waitsFor(r, me.id) })
		}
		out, err = viewRequests(tx, list)
		return err
	})
	return out, next, err
}

func checkState(state string) error {
	known := []model.RequestState{model.RequestPending, model.RequestApproved, model.RequestDenied, model.RequestWithdrawn, model.RequestExpired,
		model.RequestLapsed, model.RequestRevoked, model.RequestEnded}
	if state == "" || slices.Contains(known, model.RequestState(state)) {
		return nil
	}
	return model.Fail(model.Invalid, "state must be one of "+andList(names(known, func(s model.RequestState) string { return string(s) })), nil)
}

func requestFilter(tx *store.Tx, by Who, q RequestQuery) (me asker, f store.RequestFilter, err error) {
	f = store.RequestFilter{State: model.RequestState(q.State), Role: q.Role}
	switch {
	case !q.SeeAll:
		me, err = beingSomebody(tx, by)
	case by.Person != "":
		me, err = acting(tx, by)
	}
	if err != nil {
		return me, f, err
	}
	if q.For != "" {
		row, err := tx.FindIdentity(q.For)
		if err != nil {
			return me, f, err
		}
		f.Identity = row.ID
	}
	if q.Mine {
		if me.id == "" {
			return me, f, model.Fail(model.Invalid, "mine needs a token that acts for a person; say for whom instead", nil)
		}
		f.Concerns = []string{me.id}
	}
	var keys []string
	if me.id != "" {
		if keys, err = answersFor(tx, me.id); err != nil {
			return me, f, err
		}
	}
	if q.Waiting {
		if f.Asked = keys; me.id == "" {
			f.Asked = []string{store.AnybodyAsked}
		}
	}
	if !q.SeeAll {
		f.Seen = keys
	}
	return me, f, nil
}

// answersFor names as whom somebody can answer: themselves, the roles they hold, and
// the same of everybody whose deputy they are.
func answersFor(tx *store.Tx, id string) ([]string, error) {
	people, err := tx.DeputyFor(id)
	if err != nil {
		return nil, err
	}
	people = unique(append(people, id))
	grants, err := tx.Grants(people)
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(people)
	for _, person := range people {
		lent, err := tx.Lent(grants[person])
		if err != nil {
			return nil, err
		}
		for _, g := range grants[person] {
			if !slices.ContainsFunc(lent, func(l model.Grant) bool { return l.Role == g.Role }) {
				keys = append(keys, roleApprover+g.Role)
			}
		}
	}
	return unique(keys), nil
}

// waitsFor reports whether it makes sense to show somebody a request as theirs to
// answer: their own is not, nor one that they said yes to.
func waitsFor(r model.Request, id string) bool {
	c := requestCase{Request: r}
	q := c.question()
	if q == nil || c.own(id) {
		return false
	}
	return !slices.ContainsFunc(q.Decisions, func(d model.Approval) bool { return d.Approver == id })
}

// ShownRequest reads one request. NotFound where there is none that who asks may see.
func (h *Hub) ShownRequest(ctx context.Context, by Who, seeAll bool, id string) (v RequestView, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Request(id)
		if err != nil {
			return err
		}
		if !seeAll {
			me, err := beingSomebody(tx, by)
			if err != nil {
				return err
			}
			keys, err := answersFor(tx, me.id)
			if err != nil {
				return err
			}
			theirs := r.Identity == me.id || r.AskedBy == me.id || answered(r, me.id) ||
				slices.ContainsFunc(r.Asked, func(key string) bool { return slices.Contains(keys, key) })
			if !theirs {
				return model.Fail(model.NotFound, fmt.Sprintf("there is no request with the id %q", id), nil)
			}
		}
		views, err := viewRequests(tx, []model.Request{r})
		if err == nil {
			v = views[0]
		}
		return err
	})
	return v, err
}

// MayKnowAbout reports whether somebody who may see a request may also see who the person
// is that it is for: themselves, and who is or was asked about it. Who merely asked for
// somebody else may not: anybody could ask, to find out.
func (h *Hub) MayKnowAbout(ctx context.Context, by Who, r model.Request) (yes bool, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, err := beingSomebody(tx, by)
		if err != nil {
			return err
		}
		keys, err := answersFor(tx, me.id)
		yes = r.Identity == me.id || answered(r, me.id) || r.AskedBy != me.id && slices.ContainsFunc(r.Asked, func(key string) bool { return slices.Contains(keys, key) })
		return err
	})
	return yes, err
}

func answered(r model.Request, id string) bool {
	return slices.ContainsFunc(answersOf(r), func(a model.Approval) bool { return a.Approver == id })
}

// ViewRequests adds the names to requests.
func ViewRequests(tx *store.Tx, list []model.Request) ([]RequestView, error) {
	return viewRequests(tx, list)
}

func viewRequests(tx *store.Tx, list []model.Request) ([]RequestView, error) {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.Identity)
		for _, id := range append(slices.Clone(r.Asked), r.AskedBy) {
			if id != "" && !strings.HasPrefix(id, roleApprover) {
				ids = append(ids, id)
			}
		}
	}
	people, err := tx.People(unique(ids))
	if err != nil {
		return nil, err
	}
	out := make([]RequestView, len(list))
	for i, r := range list {
		v := RequestView{Request: r, For: people[r.Identity].Name, Asker: people[r.AskedBy].Name}
		if v.Asker == "" {
			v.Asker = r.Actor
		}
		for _, key := range r.Asked {
			if p, ok := people[key]; ok {
				key = p.Name
			}
			v.WaitsFor = append(v.WaitsFor, key)
		}
		slices.Sort(v.WaitsFor)
		out[i] = v
	}
	return out, nil
}
