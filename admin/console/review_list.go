package console

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// reviewsView is the page of all reviews.
type reviewsView struct {
	Waiting []reviewLine // with items that wait for whoever looks
	Reviews []reviewLine
	Next    string
	State   string
	All     bool // everybody's are shown
	Start   bool // may start one
}

// reviewLine is a review, and how far it is.
type reviewLine struct {
	admin.ReviewView
	Is    string // a word
	Open  int64  // items that are to be decided in this stage
	Done  int64  // items that are
	Round string // "stage 1 of 2"; empty: there is but one
}

func lineOfReview(r admin.ReviewView) reviewLine {
	out := reviewLine{ReviewView: r, Is: string(r.State), Open: r.Counts.Pending, Done: r.Counts.Items - r.Counts.Pending}
	if r.Overdue {
		out.Is = "overdue"
	}
	if len(r.Stages) > 1 {
		out.Round = fmt.Sprintf("stage %d of %d", r.Stage+1, len(r.Stages))
	}
	return out
}

// States are items by state, for a bar.
func (l reviewLine) States() map[string]int {
	c, out := l.Counts, map[string]int{}
	for state, n := range map[model.ItemState]int64{model.ItemPending: c.Pending, model.ItemDecided: c.Decided, model.ItemKept: c.Kept, model.ItemEnding: c.Ending, model.ItemRevoking: c.Revoking,
		model.ItemEvaluated: c.Evaluated, model.ItemRevoked: c.Revoked, model.ItemGone: c.Gone, model.ItemUndecided: c.Undecided} {
		if n > 0 {
			out[strings.ReplaceAll(itemWords(state), " ", "_")] = int(n) // a class of the style sheet
		}
	}
	return out
}

// Over reports whether nothing can be decided any more.
func (l reviewLine) Over() bool {
	return l.State == model.CampaignClosed || l.State == model.CampaignClosing
}

// itemWords is the state of an item for people.
func itemWords(state model.ItemState) string {
	switch state {
	case model.ItemPending:
		return "to decide"
	case model.ItemEnding:
		return "with an end"
	case model.ItemRevoking:
		return "being revoked"
	case model.ItemEvaluated:
		return "revoked but not verified"
	case model.ItemRevoked:
		return "revoked and verified"
	case model.ItemGone:
		return "gone before"
	case model.ItemDecided, model.ItemKept, model.ItemUndecided:
	}
	return string(state)
}

func showReviews(v *Visit) (any, error) {
	out := reviewsView{State: v.Query("state"), All: v.Caller.May("read") == nil, Start: v.Caller.May("operate") == nil}
	state := cmp.Or(out.State, "active")
	if state == "any" {
		state = ""
	}
	var found listing[admin.ReviewView]
	if err := v.Get(&found, Query("/reviews", "state", state, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	for _, r := range found.Items {
		out.Reviews = append(out.Reviews, lineOfReview(r))
	}
	out.Next = found.Next
	asked := v.Caller.May("ask") == nil && v.Caller.Person != ""
	if v.Query("cursor") != "" || !asked {
		return out, nil
	}
	var mine listing[admin.ReviewView]
	if err := v.Get(&mine, Query("/reviews", "waiting", "true", "limit", strconv.Itoa(cardsShown))); err != nil {
		return nil, err
	}
	for _, r := range mine.Items {
		if r.Waiting > 0 {
			out.Waiting = append(out.Waiting, lineOfReview(r))
		}
	}
	return out, nil
}

// newReviewView is the page on which a review is started.
type newReviewView struct {
	In       map[string]string // as it was typed
	Estimate *admin.ReviewEstimate
	Roles    []string // to choose from, the first of them
	Targets  []string
}

// reviewFields are the names of what can be typed there.
func reviewFields() []string {
	return []string{"name", "reason", "role", "target", "group", "manager", "people", "risk", "exceptions", "moved", "unused", "orphans", "reviewer", "reviewer_name",
		"due", "second", "second_name", "second_within", "remind", "escalate", "escalate_after", "undecided"}
}

func showNewReview(v *Visit) (_ any, err error) {
	if err := v.Caller.May("operate"); err != nil {
		return nil, err
	}
	out := newReviewView{In: map[string]string{}}
	typed := v.Form
	if len(typed) == 0 {
		typed = v.request.URL.Query()
	}
	for _, name := range reviewFields() {
		out.In[name] = typed.Get(name)
	}
	if v.Query("count") != "" && v.fault == "" {
		in, err := reviewStart(typed)
		if err == nil {
			out.Estimate = &admin.ReviewEstimate{}
			err = v.Post(in, out.Estimate, "/reviews/estimate")
		}
		if err != nil {
			if statusOf(err) >= 500 {
				return nil, err
			}
			v.fault, out.Estimate = wordsOf(err), nil
		}
	}
	if out.Roles, err = roleNames(v); err != nil {
		return nil, err
	}
	if out.Targets, err = targetNames(v); err != nil {
		return nil, err
	}
	return out, nil
}

// form is what was typed into a form.
type form interface{ Get(name string) string }

// reviewStart is the review that somebody typed.
func reviewStart(f form) (in admin.ReviewStart, err error) {
	text := func(name string) string { return strings.TrimSpace(f.Get(name)) }
	in = admin.ReviewStart{Name: text("name"), Reason: text("reason"), Role: text("role"), Target: text("target"), Group: text("group"), Manager: text("manager"), Risk: text("risk"),
		Exceptions: text("exceptions") != "", Moved: text("moved"), Unused: text("unused"), Orphans: text("orphans") != "", Remind: text("remind"), Undecided: text("undecided")}
	in.People = strings.FieldsFunc(f.Get("people"), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ';' || r == ' ' })
	first, err := reviewerOf("Who decides", text("reviewer"), text("reviewer_name"))
	if err != nil {
		return in, err
	}
	if kind := text("second"); kind == "" {
		in.Reviewer, in.Due = first, text("due")
	} else {
		second, err := reviewerOf("Who decides after them", kind, text("second_name"))
		if err != nil {
			return in, err
		}
		in.Stages = []admin.ReviewStageStart{{Reviewers: []string{first}, Within: cmp.Or(text("due"), "14d")}, {Reviewers: []string{second}, Within: cmp.Or(text("second_within"), "14d")}}
	}
	if to := text("escalate"); to != "" {
		in.Escalate = &admin.ReviewEscalation{After: text("escalate_after"), To: strings.FieldsFunc(to, func(r rune) bool { return r == ',' || r == ' ' })}
	}
	return in, nil
}

// reviewerOf names a reviewer as the API does.
func reviewerOf(field, kind, name string) (string, error) {
	switch kind {
	case "", "manager", "owner":
		return cmp.Or(kind, "manager"), nil
	case "role", "user":
		if name == "" {
			return "", model.Fail(model.Invalid, field+": say which "+map[string]string{"role": "role", "user": "person"}[kind]+".", nil)
		}
		return kind + ":" + name, nil
	}
	return "", model.Fail(model.Invalid, field+": choose one of the list.", nil)
}
