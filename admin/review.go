package admin

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// reviewWithin is how long a stage takes where nobody says.
const reviewWithin = "14d"

func (a *API) startReview(r *http.Request, by Caller) (any, error) {
	in, err := a.newReview(r)
	if err != nil {
		return nil, err
	}
	return a.Hub.StartReview(r.Context(), by.who(), in)
}

func (a *API) estimateReview(r *http.Request, _ Caller) (any, error) {
	in, err := a.newReview(r)
	if err != nil {
		return nil, err
	}
	return a.Hub.EstimateReview(r.Context(), in)
}

// newReview reads what a campaign is to be.
func (a *API) newReview(r *http.Request) (n hub.NewReview, err error) {
	var in ReviewStart
	if err := readJSON(r, &in); err != nil {
		return n, err
	}
	n = hub.NewReview{Name: in.Name, Why: in.Reason, Undecided: in.Undecided,
		Scope: model.ReviewScope{Role: in.Role, Target: in.Target, Group: in.Group, Manager: in.Manager, People: in.People, Risk: in.Risk, Exceptions: in.Exceptions, Orphans: in.Orphans}}
	if n.Scope.MovedSince, err = a.since(in.Moved); err != nil {
		return n, err
	}
	if n.Scope.UnusedFor, err = spanOf("unused", in.Unused); err != nil {
		return n, err
	}
	if n.Remind, err = spanOf("remind", in.Remind); err != nil {
		return n, err
	}
	if in.Escalate != nil {
		n.Escalate = reviewerNames(in.Escalate.To)
		if n.After, err = spanOf("escalate.after", in.Escalate.After); err != nil {
			return n, err
		}
	}
	n.Stages, err = a.stagesOf(in)
	return n, err
}

func (a *API) stagesOf(in ReviewStart) ([]model.ReviewStage, error) {
	if len(in.Stages) > 0 && (in.Reviewer != "" || in.Due != "") {
		return nil, model.Fail(model.Invalid, "say either stages, or reviewer and due", nil)
	}
	if len(in.Stages) == 0 {
		reviewer := in.Reviewer
		if reviewer == "" {
			reviewer = "manager"
		}
		within, err := a.untilDue(in.Due)
		return []model.ReviewStage{{Reviewers: reviewerNames([]string{reviewer}), Within: within}}, err
	}
	out := make([]model.ReviewStage, len(in.Stages))
	for i, s := range in.Stages {
		within := s.Within
		if within == "" {
			within = reviewWithin
		}
		d, err := spanOf("within", within)
		if err != nil {
			return nil, err
		}
		out[i] = model.ReviewStage{Reviewers: reviewerNames(s.Reviewers), Within: d}
	}
	return out, nil
}

// reviewerNames lets a plain name stand for user:NAME.
func reviewerNames(list []string) []string {
	out := make([]string, len(list))
	for i, who := range list {
		out[i] = who
		if who != "" && config.CheckReviewer(who) != nil && !strings.HasPrefix(who, "role:") && !strings.HasPrefix(who, "user:") {
			out[i] = "user:" + who
		}
	}
	return out
}

// untilDue is how long it is until a review is due, which is written as a date or a
// duration.
func (a *API) untilDue(text string) (time.Duration, error) {
	if text == "" {
		text = reviewWithin
	}
	at, err := a.dateOf("due", text)
	if err != nil {
		return 0, err
	}
	within := at.Sub(a.now()).Round(time.Second) // the clock went on since 14d was read
	if within <= 0 {
		return 0, model.Fail(model.Invalid, "due: "+at.Format(time.RFC3339)+" has passed already", nil)
	}
	return within, nil
}

// since is a moment in the past: a date, or so long ago.
func (a *API) since(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := config.ParseDate(text); err == nil {
		return &t, nil
	}
	d, err := spanOf("moved", text)
	if err != nil {
		return nil, err
	}
	t := a.now().Add(-d)
	return &t, nil
}

func spanOf(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, model.Fail(model.Invalid, field+": write a duration such as 14d", err)
	}
	return d, nil
}

func (a *API) reviews(r *http.Request, by Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	waiting, err := yesNo(v.Get("waiting"), "waiting")
	if err != nil {
		return nil, err
	}
	items, next, err := a.Hub.Reviews(r.Context(), by.who(), hub.ReviewQuery{State: v.Get("state"), Waiting: waiting, After: v.Get("cursor"), Limit: limit, SeeAll: by.seesAll()})
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func yesNo(text, name string) (bool, error) {
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, model.Fail(model.Invalid, name+" must be true or false", err)
	}
	return on, nil
}

func (a *API) review(r *http.Request, by Caller) (any, error) {
	return a.Hub.ShownReview(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["review"])
}

func (a *API) reviewInbox(r *http.Request, by Caller) (any, error) {
	return a.listReviewItems(r, by, "")
}

func (a *API) reviewItems(r *http.Request, by Caller) (any, error) {
	return a.listReviewItems(r, by, mux.Vars(r)["review"])
}

func (a *API) listReviewItems(r *http.Request, by Caller, review string) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	q := hub.ReviewItemQuery{Review: review, State: v.Get("state"), Reviewer: v.Get("reviewer"), Person: v.Get("person"), Role: v.Get("role"), Risk: v.Get("risk"),
		Recommend: v.Get("recommend"), After: v.Get("cursor"), Limit: limit, SeeAll: by.seesAll()}
	if q.Mine, err = yesNo(v.Get("mine"), "mine"); err != nil {
		return nil, err
	}
	items, next, err := a.Hub.ReviewItems(r.Context(), by.who(), q)
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func (a *API) reviewItem(r *http.Request, by Caller) (any, error) {
	return a.Hub.ShownReviewItem(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["review"], mux.Vars(r)["item"])
}

// verdictOf reads a decision: keep, revoke or until=DATE.
func (a *API) verdictOf(decision, reason string, version int64) (v hub.ReviewVerdict, err error) {
	v = hub.ReviewVerdict{Verdict: decision, Reason: reason, Version: version}
	if date, ok := strings.CutPrefix(decision, "until="); ok {
		v.Verdict = model.VerdictUntil
		v.Until, err = a.dateOf("until", date)
	}
	return v, err
}

func (a *API) decideReview(r *http.Request, by Caller) (any, error) {
	var in ReviewDecide
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	v, err := a.verdictOf(in.Decision, in.Reason, in.Version)
	if err != nil {
		return nil, err
	}
	return a.Hub.DecideReview(r.Context(), by.who(), mux.Vars(r)["review"], mux.Vars(r)["item"], v)
}

func (a *API) decideReviews(r *http.Request, by Caller) (any, error) {
	var in ReviewBulk
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	v, err := a.verdictOf(in.Decision, in.Reason, 0)
	if err != nil {
		return nil, err
	}
	b := hub.ReviewBulk{Verdict: v}
	for _, i := range in.Items {
		b.Items = append(b.Items, hub.ReviewItemRef{ID: i.ID, Version: i.Version})
	}
	if f := in.Filter; f != nil {
		b.Filtered, b.Person, b.Role, b.Risk, b.Recommend = true, f.Person, f.Role, f.Risk, f.Recommend
	}
	return a.Hub.DecideReviews(r.Context(), by.who(), mux.Vars(r)["review"], b)
}

func (a *API) seeReview(r *http.Request, by Caller) (any, error) {
	var in ReviewSeen
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	n, err := a.Hub.SeeReviewItems(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["review"], in.Items)
	return ReviewSeenAnswer{Seen: n}, err
}

func (a *API) closeReview(r *http.Request, by Caller) (any, error) {
	var in ReviewClose
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return a.Hub.CloseReview(r.Context(), by.who(), mux.Vars(r)["review"], hub.ReviewClosing{Force: in.Force, Undecided: in.Undecided, Reason: in.Reason})
}

func (a *API) reviewReport(r *http.Request, by Caller) (any, error) {
	return a.Hub.ReviewReport(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["review"])
}

func (a *API) exclusions(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	ended, err := yesNo(v.Get("ended"), "ended")
	if err != nil {
		return nil, err
	}
	items, next, err := a.Hub.Exclusions(r.Context(), v.Get("person"), ended, v.Get("cursor"), limit)
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func (a *API) endExclusion(r *http.Request, by Caller) (any, error) {
	var in ExclusionEnd
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	return a.Hub.EndExclusion(r.Context(), by.who(), mux.Vars(r)["exclusion"], in.Reason)
}
