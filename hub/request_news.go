package hub

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The events of requests on a person's timeline. The names of the states come to
// these: request.approved, request.denied and so on.
const (
	newsWanted    = "approval.wanted" // somebody is asked, data.asked says who
	newsCreated   = "request.created"
	newsDecision  = "request.decision" // one answer of several that are needed, or to a review
	newsReminder  = "request.reminder"
	newsEscalated = "request.escalated"
	newsExpiring  = "request.expiring" // the notice before the end
	newsReviewed  = "request.reviewed" // a question put after the fact is closed
)

// requestNews is one thing that happened to a request.
type requestNews struct {
	kind string
	data requestData
}

// requestData is what events and audit entries of a request say.
type requestData struct {
	Request   string     `json:"request"`
	Role      string     `json:"role"`
	Origin    string     `json:"origin"`
	AskedBy   string     `json:"asked_by,omitempty"`
	Asked     []string   `json:"asked,omitempty"`
	Review    string     `json:"review,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Why       string     `json:"why,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Due       *time.Time `json:"due,omitempty"`
	By        string     `json:"by,omitempty"`
	DeputyOf  string     `json:"deputy_of,omitempty"`
	Override  bool       `json:"override,omitempty"`
	Approve   *bool      `json:"approve,omitempty"`
	Approvers []string   `json:"approved_by,omitempty"`
}

// newsOf tells what happened between two versions of a request; the one before is
// zero where it is new. It is pure, so that whoever changes a request says the same.
func newsOf(before, now model.Request) (out []requestNews) {
	base := requestData{Request: now.ID, Role: now.Role, Origin: now.Origin, From: now.From, Until: now.Until}
	say := func(kind string, more func(*requestData)) {
		d := base
		if more != nil {
			more(&d)
		}
		out = append(out, requestNews{kind, d})
	}
	if before.State == "" {
		say(newsCreated, func(d *requestData) { d.AskedBy, d.Reason = cmp.Or(now.AskedBy, now.Actor), now.Reason })
	}
	for _, a := range answersSince(before, now) {
		say(newsDecision, func(d *requestData) {
			d.By, d.DeputyOf, d.Override, d.Approve, d.Reason = a.Actor, a.Deputy, a.Override, &a.Approve, a.Reason
		})
	}
	if before.State != now.State && now.State != model.RequestPending {
		say("request."+string(now.State), func(d *requestData) { d.Why, d.Approvers = now.Why, now.ApprovedBy() })
	}
	if len(now.Reviewed) > len(before.Reviewed) {
		say(newsReviewed, func(d *requestData) { d.Review = now.Reviewed[len(now.Reviewed)-1].Why })
	}
	was, is := waiting(before), waiting(now)
	if is == nil {
		if now.Noticed && !before.Noticed {
			say(newsExpiring, nil)
		}
		return out
	}
	asks := func(d *requestData) {
		d.Asked = now.Asked
		if now.Review != nil {
			d.Review, d.Why, d.Due = now.Review.Why, now.Review.About, &now.Review.Due
		}
	}
	fresh := was == nil || before.Step != now.Step || !sameMoment(was.AskedAt, is.AskedAt) || (before.Review == nil) != (now.Review == nil)
	escalated := was != nil && len(is.Escalated) > len(was.Escalated)
	if escalated && !fresh {
		say(newsEscalated, asks)
	}
	if fresh || escalated {
		say(newsWanted, asks)
	} else if is.Reminded != nil && !sameMoment(was.Reminded, is.Reminded) {
		say(newsReminder, asks)
	}
	if now.Noticed && !before.Noticed {
		say(newsExpiring, nil)
	}
	return out
}

// waiting is the step of a request that waits for an answer; nil: none.
func waiting(r model.Request) *model.Step {
	c := requestCase{Request: r}
	return c.question()
}

// answersSince lists what was answered between two versions of a request.
func answersSince(before, now model.Request) (out []model.Approval) {
	had, has := answersOf(before), answersOf(now)
	return append(out, has[min(len(had), len(has)):]...)
}

func answersOf(r model.Request) (out []model.Approval) {
	for _, s := range r.Steps {
		out = append(out, s.Decisions...)
	}
	for _, v := range r.Reviewed {
		out = append(out, v.Step.Decisions...)
	}
	return out
}

// tell adds what happened to the person's timeline, and gives the audit entries.
func tell(tx *store.Tx, actor string, before, now model.Request) (entries []store.AuditEntry, err error) {
	news := newsOf(before, now)
	if err := tellReceivers(tx, now, news); err != nil {
		return nil, err
	}
	for _, n := range news {
		if err := tx.AddEvent(store.Event{Type: n.kind, Identity: now.Identity, Data: n.data}); err != nil {
			return nil, err
		}
		data, err := json.Marshal(n.data)
		if err != nil {
			return nil, err
		}
		entries = append(entries, store.AuditEntry{Actor: actor, Action: n.kind, Object: "request/" + now.ID, Identity: now.Identity, Data: data})
	}
	return entries, nil
}
