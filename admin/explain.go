package admin

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Explanation says why a person has one entitlement, or had it at a moment.
type Explanation struct {
	Identity   string             `json:"identity"`
	UserName   string             `json:"userName"`
	Role       string             `json:"role,omitempty"`
	Because    []BecauseView      `json:"because"`
	ApprovedBy string             `json:"approved_by,omitempty"`
	From       *time.Time         `json:"from,omitempty"`
	Until      *time.Time         `json:"until,omitempty"`
	Target     string             `json:"target"`
	Group      string             `json:"group,omitempty"`
	State      model.AccountState `json:"state,omitempty"` // of the account
	// AtTarget says that the hub has written the entitlement to the target, and Inactive
	// that the account is there, or due, but lets nobody in.
	AtTarget   bool       `json:"at_target"`
	Inactive   bool       `json:"inactive,omitempty"`
	LastError  string     `json:"last_error,omitempty"`
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
	NextReview *time.Time `json:"next_review,omitempty"`

	HandOver  bool             `json:"hand_over,omitempty"` // kept until Until, though nothing gives it any more
	Request   *AskedView       `json:"request,omitempty"`
	Exception *model.Exception `json:"exception,omitempty"` // by which it is held though it conflicts
	// Note says in words what the fields do not: that it is not due any more, or held.
	Note string `json:"note,omitempty"`
}

// BecauseView is a reason for programs and, as text, for people.
type BecauseView struct {
	model.Reason
	Text   string            `json:"text"`
	Pushed map[string]string `json:"pushed,omitempty"` // source -> when it last wrote this person
}

// AskedView is the request behind an entitlement: who wanted it, why, and who said yes.
type AskedView struct {
	ID        string         `json:"id"`
	Origin    string         `json:"origin"`
	AskedBy   string         `json:"asked_by"`
	Reason    string         `json:"reason,omitempty"`
	At        time.Time      `json:"at"`
	Decisions []DecisionView `json:"decisions"`
}

// DecisionView is what one approver said.
type DecisionView struct {
	By       string    `json:"by"`
	For      string    `json:"for,omitempty"`       // the configured approver
	DeputyOf string    `json:"deputy_of,omitempty"` // identity
	Override bool      `json:"override,omitempty"`  // by an operator, instead of the approvers
	Approve  bool      `json:"approve"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

// ExplainAnswer is every entitlement that was asked about; or, of one that is not
// there, why not.
type ExplainAnswer struct {
	Items   []Explanation `json:"items"`
	Next    string        `json:"next,omitempty"`
	At      time.Time     `json:"at"` // the moment it is about
	Note    string        `json:"note,omitempty"`
	Missing []Missing     `json:"missing,omitempty"`
}

// explain answers who has what and why: GET …/explain?target=T&group=G&at=TIME.
func (a *API) explain(r *http.Request, _ Caller) (any, error) {
	q := r.URL.Query()
	target, group := q.Get("target"), q.Get("group")
	out := ExplainAnswer{At: a.now()}
	past := q.Get("at") != ""
	if past {
		var err error
		if out.At, err = a.readMoment("at", q.Get("at")); err != nil {
			return nil, err
		}
		if out.At.After(a.now()) {
			return nil, model.Fail(model.Invalid, "at: "+out.At.Format(time.RFC3339)+" has not come yet: what a change would do is for plan and run --dry-run", nil)
		}
	}
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		find := tx.FindIdentity
		if past {
			find = tx.PersonNamed // who turned out to be another had a past of their own
		}
		row, err := find(mux.Vars(r)["person"])
		if err != nil {
			return err
		}
		var m momentOf
		if past {
			m, err = pastOf(tx, row, out.At)
		} else {
			m, err = a.presentNow(tx, row)
		}
		if err != nil {
			return err
		}
		out.Items, out.Note = m.explain(), m.note
		if past {
			more, err := alsoThen(tx, row, out.At)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, more...)
		}
		if m.unknown && len(out.Items) == 0 {
			return nil
		}
		out.Items = slices.DeleteFunc(out.Items, func(e Explanation) bool {
			return target != "" && e.Target != target || group != "" && e.Group != group
		})
		if target != "" && !m.unknown && !slices.ContainsFunc(out.Items, func(e Explanation) bool { return e.Role != "" || len(e.Because) > 0 }) {
			out.Missing, err = a.whyNot(tx, m, target, group)
		}
		return err
	})
	out.Items = list(out.Items, "").Items
	return out, err
}

// explain says of each entitlement that is due, by role, why; and of each that is not
// due and still there, that it is.
func (m momentOf) explain() (out []Explanation) {
	for _, acc := range m.accounts {
		for group, reasons := range acc.Because {
			if acc.Desired == nil {
				break
			}
			for role, list := range byRole(reasons) {
				e := m.entitlement(acc, group)
				e.Role, e.Because = role, m.views(list)
				m.fill(&e, list)
				out = append(out, e)
			}
		}
		out = append(out, m.leftovers(acc)...)
	}
	sortExplanations(out)
	return out
}

func (m momentOf) entitlement(acc store.AccountHistory, group string) Explanation {
	e := Explanation{Identity: m.row.ID, UserName: m.doc.Name, Target: acc.Target, Group: group, State: acc.State, LastError: acc.LastError,
		VerifiedAt: acc.VerifiedAt, Because: []BecauseView{}}
	e.AtTarget = acc.Applied != nil && (group == "" || slices.Contains(acc.Applied.Groups, group))
	e.Inactive = acc.Desired != nil && !acc.Desired.Active
	return e
}

// leftovers are what the target holds though it is not due.
func (m momentOf) leftovers(acc store.AccountHistory) (out []Explanation) {
	if acc.Applied == nil || !acc.Applied.Active {
		return nil
	}
	note := "not due any more and still there"
	if acc.State == model.StateHeld {
		note += ": held, " + acc.LastError
	}
	if acc.Desired == nil {
		e := m.entitlement(acc, "")
		e.Note = note
		out = append(out, e)
	}
	for _, group := range acc.Applied.Groups {
		if acc.Desired == nil || !slices.Contains(acc.Desired.Groups, group) {
			e := m.entitlement(acc, group)
			e.Note = note
			out = append(out, e)
		}
	}
	return out
}

// byRole groups reasons by the role that carries the entitlement: the end of the
// way of inheritance, or the rule's own role.
func byRole(reasons []model.Reason) map[string][]model.Reason {
	out := map[string][]model.Reason{}
	for _, r := range reasons {
		role := r.Role
		if n := len(r.Via); n > 0 && r.Group == "" {
			role = r.Via[n-1]
		}
		out[role] = append(out[role], r)
	}
	return out
}

// fill adds what is known of the role's grant, and of the request and the exception
// behind it.
func (m momentOf) fill(e *Explanation, reasons []model.Reason) {
	for _, g := range m.doc.Grants {
		if g.Role == e.Role {
			from := g.From
			e.From, e.Until, e.ApprovedBy = &from, g.Until, g.ApprovedBy
		}
	}
	if e.VerifiedAt != nil && e.From != nil && e.VerifiedAt.Before(*e.From) {
		e.VerifiedAt = nil // what was read then was the account without this
	}
	if at, ok := m.reviews[e.Role]; ok {
		e.NextReview = &at
	}
	for _, r := range reasons {
		e.HandOver = e.HandOver || r.HandOver
		if q, ok := m.requests[r.Request]; ok && r.Request != "" {
			e.Request = m.asked(q)
			if by := strings.Join(q.ApprovedBy(), ", "); e.ApprovedBy == "" {
				e.ApprovedBy = by
			}
			if q.Review != nil && (e.NextReview == nil || q.Review.Due.Before(*e.NextReview)) {
				e.NextReview = &q.Review.Due
			}
			if e.Until == nil {
				e.Until = q.Until
			}
		}
		if x, ok := m.exceptions[r.Exception]; ok && r.Exception != "" {
			e.Exception = &x
			if e.NextReview == nil {
				e.NextReview = &x.Until
			}
		}
	}
}

func (m momentOf) asked(q model.Request) *AskedView {
	v := &AskedView{ID: q.ID, Origin: q.Origin, AskedBy: q.Actor, Reason: q.Reason, At: q.Created, Decisions: []DecisionView{}}
	for _, s := range q.Steps {
		for _, d := range s.Decisions {
			if d.At.After(m.at) {
				continue
			}
			v.Decisions = append(v.Decisions, DecisionView{By: d.Actor, For: d.For, DeputyOf: d.Deputy, Override: d.Override, Approve: d.Approve, Reason: d.Reason, At: d.At})
		}
	}
	return v
}

func (m momentOf) views(list []model.Reason) []BecauseView {
	out := make([]BecauseView, len(list))
	for i, r := range list {
		out[i] = BecauseView{Reason: r, Text: policy.ReasonText(r)}
		for _, source := range r.Sources {
			if at, ok := m.doc.Pushed[source]; ok {
				if out[i].Pushed == nil {
					out[i].Pushed = map[string]string{}
				}
				out[i].Pushed[source] = at
			}
		}
	}
	return out
}

func sortExplanations(list []Explanation) {
	sort.Slice(list, func(i, j int) bool {
		return strings.Join([]string{list[i].Target, list[i].Group, list[i].Role}, "\x00") < strings.Join([]string{list[j].Target, list[j].Group, list[j].Role}, "\x00")
	})
}
