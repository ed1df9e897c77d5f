package config

import (
	"strings"
	"time"
)

// How long people are given where the configuration does not say.
const (
	movedWithin     = 14 * day
	emergencyFor    = 4 * time.Hour
	emergencyWithin = 3 * day
)

func (r *reader) request(n *node) *Request {
	q := &Request{By: "self", Reason: "optional", Moved: Moved{Ask: "manager", Within: movedWithin, Undecided: "keep"}}
	r.need(n, "approve")
	r.fields(n, map[string]func(*node){
		"by":        func(n *node) { q.By = r.enum(n, "self", "manager", "anyone") },
		"approve":   func(n *node) { r.each(n, func(v *node) { q.Approve = append(q.Approve, r.step(v)) }) },
		"remind":    func(n *node) { q.Remind = r.positive(n) },
		"escalate":  func(n *node) { q.Escalate = r.escalation(n) },
		"within":    func(n *node) { q.Within = r.positive(n) },
		"expires":   func(n *node) { q.Expires = r.positive(n) },
		"notice":    func(n *node) { q.Notice = r.positive(n) },
		"reason":    func(n *node) { q.Reason = r.enum(n, "required", "optional") },
		"lapses":    func(n *node) { r.each(n, func(v *node) { q.Lapses = append(q.Lapses, r.path(v)) }) },
		"moved":     func(n *node) { r.moved(n, &q.Moved) },
		"emergency": func(n *node) { q.Emergency = r.emergency(n) },
	})
	return q
}

// step reads one stage of approval: a name, or a mapping with any or all.
func (r *reader) step(n *node) (s Step) {
	if n.kind != object {
		s.Of = []string{r.approver(n)}
		return s
	}
	r.fields(n, map[string]func(*node){
		"any": func(n *node) { s.Of = append(s.Of, r.approvers(n)...) },
		"all": func(n *node) { s.All, s.Of = true, append(s.Of, r.approvers(n)...) },
	})
	if n.has("any") == n.has("all") {
		r.fault(n, "needs either any or all, a list of approvers")
	}
	return s
}

func (r *reader) approver(n *node) string { return r.checked(n, checkApprover) }

func (r *reader) approvers(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.approver(v)) })
	if len(n.items) == 0 {
		r.fault(n, "needs at least one approver")
	}
	return out
}

func (r *reader) escalation(n *node) *Escalation {
	e := &Escalation{}
	r.need(n, "after", "to")
	r.fields(n, map[string]func(*node){
		"after": func(n *node) { e.After = r.positive(n) },
		"to":    func(n *node) { e.To = r.approvers(n) },
	})
	return e
}

func (r *reader) moved(n *node, m *Moved) {
	r.fields(n, map[string]func(*node){
		"ask":       func(n *node) { m.Ask = r.enum(n, "manager", "nobody") },
		"within":    func(n *node) { m.Within = r.positive(n) },
		"undecided": func(n *node) { m.Undecided = r.enum(n, "keep", "end") },
	})
}

func (r *reader) emergency(n *node) *Emergency {
	e := &Emergency{For: emergencyFor, Within: emergencyWithin}
	r.need(n, "review")
	r.fields(n, map[string]func(*node){
		"by":     func(n *node) { e.By = r.approvers(n) },
		"for":    func(n *node) { e.For = r.positive(n) },
		"review": func(n *node) { e.Review = r.approvers(n) },
		"within": func(n *node) { e.Within = r.positive(n) },
	})
	return e
}

func (r *reader) conflict(n *node) Conflict {
	c := Conflict{Action: "refuse"}
	r.need(n, "roles")
	r.fields(n, map[string]func(*node){
		"name": func(n *node) { c.Name = r.text(n) },
		"roles": func(n *node) {
			if c.Roles = r.texts(n); n.kind == list && len(n.items) < 2 {
				r.fault(n, "needs at least two roles")
			}
			twice := r.unique("role")
			r.each(n, func(v *node) { twice(v, v.text) })
		},
		"action":  func(n *node) { c.Action = r.enum(n, "refuse", "report", "approve") },
		"approve": func(n *node) { c.Approve = r.approvers(n) },
	})
	if c.Action == "approve" && len(c.Approve) == 0 {
		r.warn(n, "action approve without approve: only an operator can allow an exception")
	}
	if c.Name == "" {
		c.Name = strings.Join(c.Roles, " and ")
	}
	return c
}
