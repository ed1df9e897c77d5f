package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// approvalAlways is a role's Approval by which its rule alone gives nothing.
const approvalAlways = "always"

// requested are the requests of one person for one role, sorted by id.
type requested []model.Request

// given reports whether a request gives its role by itself. One that a rule made
// does not: it stands only while the rule does.
func (q requested) given() bool {
	return slices.ContainsFunc(q, func(r model.Request) bool { return r.Origin != model.OriginRule })
}

// end is the latest end of the requests; limited is false where one has none.
func (q requested) end() (latest time.Time, limited bool) {
	for _, r := range q {
		if r.Until == nil {
			return time.Time{}, false
		}
		if r.Until.After(latest) {
			latest = *r.Until
		}
	}
	return latest, len(q) > 0
}

// takeRequests sorts the requests by role; those for roles that are not there give nothing.
func (e *Engine) takeRequests(list []model.Request) map[int]requested {
	if len(list) == 0 {
		return nil
	}
	out := map[int]requested{}
	for _, r := range list {
		if p, ok := e.byName[r.Role]; ok {
			out[p] = append(out[p], r)
		}
	}
	for _, q := range out {
		slices.SortFunc(q, func(a, b model.Request) int { return strings.Compare(a.ID, b.ID) })
	}
	return out
}

// standing is what is known of one role for one person.
type standing struct {
	ruled verdict // by its own rule, or through a role that inherits it
	given verdict // ruled and approved where that is needed, or asked for
	held  verdict // given and not denied
	// unapproved: the rule, or a role that inherits this one, would give it; nobody
	// has approved it yet.
	unapproved verdict
	until      *time.Time // of a role that is held: when what gives it ends; nil: no end
	endless    bool       // while until is worked out: something without an end gives it
}

// decide works out the standing of each role. That of roles taken out is nothing.
func (e *Engine) decide(a *asking, without []string) []standing {
	out := make([]standing, len(e.roles))
	for p, r := range e.roles {
		if slices.Contains(without, r.name) {
			out[p] = standing{} // whatever inherits it was here before
			continue
		}
		s, asked := &out[p], a.requests[p]
		own := a.of(r.when)
		s.ruled = or(s.ruled, own)
		s.given = s.ruled
		if r.always && len(asked) == 0 {
			s.given, s.unapproved = no, and(s.ruled, not(a.of(r.deny)))
		}
		if asked.given() {
			s.given = yes
		}
		s.held = and(s.given, not(a.of(r.deny)))
		if s.held == yes {
			s.end(r, own, asked)
		}
		for _, parent := range r.inherits {
			out[parent].inherit(*s)
		}
	}
	return out
}

// inherit takes in what a role gives that inherits this one.
func (s *standing) inherit(from standing) {
	s.ruled = or(s.ruled, from.held)
	if from.held == yes {
		s.endless = s.endless || from.until == nil
		s.until = later(s.until, from.until)
	}
}

// end works out when a held role ends. A rule has no end; a request may have one; a
// role that is given by several lasts as long as the longest of them. Where the rule
// needs approval, it lasts no longer than the approval.
func (s *standing) end(r role, own verdict, asked requested) {
	s.endless = s.endless || own == yes
	if approval, limited := asked.end(); r.always && limited && (s.endless || s.until != nil && s.until.After(approval)) {
		s.endless, s.until = false, &approval
	}
	for _, q := range asked {
		if q.Origin == model.OriginRule {
			continue
		}
		s.endless = s.endless || q.Until == nil
		s.until = later(s.until, q.Until)
	}
	if s.endless {
		s.until = nil
	}
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// approvedBy names those who approved the requests among the reasons, each once.
func approvedBy(asked map[int]requested, reasons []model.Reason) string {
	if len(asked) == 0 {
		return ""
	}
	var names []string
	for _, reason := range reasons {
		if reason.Request == "" {
			continue
		}
		for _, list := range asked {
			for _, q := range list {
				if q.ID != reason.Request {
					continue
				}
				for _, name := range q.ApprovedBy() {
					if !slices.Contains(names, name) {
						names = append(names, name)
					}
				}
			}
		}
	}
	return strings.Join(names, ", ")
}
