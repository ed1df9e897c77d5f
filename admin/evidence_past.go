package admin

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// answer is what one person had between two moments: one item for each entitlement and
// reason, for as long as both were the same.
func (p pastOfMany) answer(q accessQuestion, row store.IdentityRow) (out []AccessEvidence) {
	moments := p.moments(q, row)
	open := map[string]int{} // by what it is of, the item that the last moment had
	for n, at := range moments {
		now := p.at(q, row, at)
		still := map[string]int{}
		for _, item := range now {
			key := strings.Join([]string{item.Target, item.Group, item.Role}, "\x00")
			if i, ok := open[key]; ok && sameAccess(out[i], item) {
				still[key] = i
				continue
			}
			if n > 0 {
				from := at
				item.AccessFrom = &from
			}
			out = append(out, item)
			still[key] = len(out) - 1
		}
		for key, i := range open {
			if j, ok := still[key]; !ok || j != i {
				until := at
				out[i].AccessUntil = &until
			}
		}
		open = still
	}
	return out
}

// sameAccess reports whether an entitlement is the one of the moment before, for the same
// reasons.
func sameAccess(a, b AccessEvidence) bool {
	a.AccessFrom, a.AccessUntil, b.AccessFrom, b.AccessUntil = nil, nil, nil, nil
	a.VerifiedAt, b.VerifiedAt, a.State, b.State, a.Note, b.Note, a.Stage, b.Stage = nil, nil, "", "", "", "", "", ""
	a.Because, b.Because = withoutMoments(a.Because), withoutMoments(b.Because)
	return reflect.DeepEqual(a, b)
}

// withoutMoments are reasons without when a source wrote last, and the version that said
// the same.
func withoutMoments(list []BecauseView) []BecauseView {
	out := slices.Clone(list)
	for i := range out {
		out[i].Pushed, out[i].Version, out[i].Text = nil, 0, ""
	}
	return out
}

// moments are those at which anything changed for a person, in order, the first moment
// that is asked about among them.
func (p pastOfMany) moments(q accessQuestion, row store.IdentityRow) []time.Time {
	out := []time.Time{q.from}
	add := func(at time.Time) {
		if at.After(q.from) && !at.After(q.until) {
			out = append(out, at)
		}
	}
	for _, h := range p.docs[row.ID] {
		add(h.At)
	}
	for _, h := range p.accounts[row.ID] {
		add(h.At)
	}
	for _, g := range p.grants[row.ID] {
		if add(g.From); g.EndedAt != nil {
			add(*g.EndedAt)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// at is what a person had at a moment.
func (p pastOfMany) at(q accessQuestion, row store.IdentityRow, at time.Time) (out []AccessEvidence) {
	m := p.momentOf(row, at)
	base := AccessEvidence{Identity: row.ID, UserName: m.doc.Name, Erased: row.ErasedAt != nil, Stage: m.doc.Stage, Because: []BecauseView{}}
	var notes []string
	if row.ErasedAt != nil {
		notes = append(notes, "erased on "+row.ErasedAt.UTC().Format(time.RFC3339)+": who it was, and the facts, are gone")
	}
	if row.MergedInto != "" {
		notes = append(notes, "turned out later to be "+row.MergedInto)
	}
	if q.target == "" {
		return m.heldRole(q.role, base, notes)
	}
	inUse := map[string]bool{}
	for _, acc := range m.accounts {
		inUse[acc.Target] = acc.Applied != nil && acc.Applied.Active
	}
	for _, e := range m.explain() {
		if q.group != "" && e.Group != q.group || q.role != "" && e.Role != q.role {
			continue
		}
		there := e.AtTarget && inUse[e.Target]
		if !there && !q.all {
			continue
		}
		item, more := base, slices.Clone(notes)
		switch {
		case e.Note != "":
			more = append(more, e.Note)
		case !e.AtTarget:
			more = append(more, "due, and not there yet")
		case !there:
			more = append(more, "there, and lets nobody in")
		}
		item.Target, item.Group, item.Role, item.Because = e.Target, e.Group, e.Role, e.Because
		item.ApprovedBy, item.Request, item.Since, item.Until = e.ApprovedBy, e.Request, e.From, e.Until
		item.State, item.VerifiedAt, item.HandOver, item.Exception = e.State, e.VerifiedAt, e.HandOver, e.Exception
		item.Note = strings.Join(more, "; ")
		out = append(out, item)
	}
	return out
}

// heldRole is the grant of a role, wherever it gives access.
func (m momentOf) heldRole(role string, item AccessEvidence, notes []string) []AccessEvidence {
	for _, g := range m.doc.Grants {
		if g.Role != role {
			continue
		}
		e := Explanation{Role: role}
		m.fill(&e, g.Because)
		item.Role, item.Because, item.ApprovedBy, item.Request = role, m.views(g.Because), e.ApprovedBy, e.Request
		item.Since, item.Until, item.HandOver, item.Exception = e.From, e.Until, e.HandOver, e.Exception
		item.Note = strings.Join(notes, "; ")
		return []AccessEvidence{item}
	}
	return nil
}

// momentOf is what was known and true of a person at a moment, as explanations take it.
func (p pastOfMany) momentOf(row store.IdentityRow, at time.Time) momentOf {
	m := momentOf{at: at, past: true, row: row, requests: map[string]model.Request{}, exceptions: p.exceptions}
	for _, h := range p.docs[row.ID] { // in order of time
		if !h.At.After(at) {
			m.doc = h.Doc
		}
	}
	if row.ErasedAt != nil {
		for _, g := range p.grants[row.ID] {
			if !g.From.After(at) && (g.EndedAt == nil || g.EndedAt.After(at)) {
				m.doc.Grants = append(m.doc.Grants, store.HistoryGrant{Role: g.Role, ApprovedBy: g.ApprovedBy, From: g.From, Until: g.Until})
			}
		}
	}
	last := map[string]int{}
	for _, h := range p.accounts[row.ID] {
		if h.At.After(at) {
			continue
		}
		if i, ok := last[h.Target]; ok {
			m.accounts[i] = h
			continue
		}
		last[h.Target] = len(m.accounts)
		m.accounts = append(m.accounts, h)
	}
	p.named(m.requests, m.accounts, m.doc.Grants)
	for _, r := range m.doc.Requests { // as they were then
		m.requests[r.ID] = r
	}
	return m
}

// named puts the requests into a map that reasons name.
func (p pastOfMany) named(into map[string]model.Request, accounts []store.AccountHistory, grants []store.HistoryGrant) {
	add := func(list []model.Reason) {
		for _, r := range list {
			if q, ok := p.requests[r.Request]; ok {
				into[q.ID] = q
			}
		}
	}
	for _, acc := range accounts {
		for _, list := range acc.Because {
			add(list)
		}
	}
	for _, g := range grants {
		add(g.Because)
	}
}

func accessCells(e AccessEvidence) []string {
	var why []string
	for _, b := range e.Because {
		why = append(why, b.Text)
	}
	request := ""
	if e.Request != nil {
		request = e.Request.ID
	}
	return []string{e.Identity, e.UserName, string(e.Stage), e.Target, e.Group, e.Role, strings.Join(why, "; "), e.ApprovedBy, stamp(e.Since), stamp(e.Until),
		stamp(e.AccessFrom), stamp(e.AccessUntil), string(e.State), stamp(e.VerifiedAt), request, e.Note}
}
