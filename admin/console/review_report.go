package console

import (
	"net/url"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// reviewReportView is the evidence of a review.
type reviewReportView struct {
	admin.ReviewReport
	Review    reviewLine
	Revoked   int64 // all revocations
	Verified  int64 // of them, those that are seen to be done
	Open      []itemCard
	Undecided []itemCard
	Gone      []itemCard // revocations that are seen to be done, the first of them
	GoneMore  bool       // there are more
	Mean      string     // from the decision to the verification; empty: there is none
	Slowest   string
	Paces     []paceLine
}

// paceLine is how one reviewer decided.
type paceLine struct {
	hub.ReviewPace
	Run string // the longest run of decisions without a pause
}

func showReviewReport(v *Visit) (any, error) {
	var out reviewReportView
	if err := v.Get(&out.ReviewReport, "/reviews/%s/report", v.Var("review")); err != nil {
		return nil, err
	}
	r := out.ReviewReport
	out.Review = lineOfReview(r.Review)
	c := r.Review.Counts
	out.Revoked, out.Verified = c.Revoking+c.Evaluated+c.Revoked, c.Revoked
	for _, list := range []struct {
		from []admin.ReviewItemView
		into *[]itemCard
	}{{r.Open, &out.Open}, {r.Undecided, &out.Undecided}} {
		for _, i := range list.from {
			*list.into = append(*list.into, cardOf(v, r.Review, i, ""))
		}
	}
	var gone listing[admin.ReviewItemView]
	if err := v.Get(&gone, Query("/reviews/"+url.PathEscape(r.Review.ID)+"/items", "state", string(model.ItemRevoked), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	for _, i := range gone.Items {
		out.Gone = append(out.Gone, cardOf(v, r.Review, i, ""))
	}
	out.GoneMore = gone.Next != ""
	if r.MeanSeconds > 0 {
		out.Mean, out.Slowest = model.Span(seconds(r.MeanSeconds)), model.Span(seconds(r.SlowestSeconds))
	}
	for _, p := range r.Reviewers {
		line := paceLine{ReviewPace: p}
		if p.Fastest > 1 {
			line.Run = plural(p.Fastest, "decision") + " in " + model.Span(seconds(p.FastestSeconds))
		}
		out.Paces = append(out.Paces, line)
	}
	return out, nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// exportReview is the file of all items of a review.
func exportReview(v *Visit) (any, error) {
	format := "json"
	if v.Query("format") == "csv" {
		format = "csv"
	}
	id := url.PathEscape(v.Var("review"))
	return download{path: "/reviews/" + id + "/export?format=" + format, name: "review-" + plainName(v.Var("review")) + "." + format}, nil
}

// plainName leaves of a text what may be in the name of a file.
func plainName(text string) string {
	out := []rune{}
	for _, r := range text {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			out = append(out, r)
		}
	}
	return string(out[:min(len(out), 60)])
}

// exclusionsView is the page of what reviewers keep from people.
type exclusionsView struct {
	Items  []exclusionLine
	Next   string
	Person string
	Ended  bool
	May    bool // may let them have it again
}

// exclusionLine is one of them.
type exclusionLine struct {
	admin.ExclusionView
	What string
}

func showExclusions(v *Visit) (any, error) {
	out := exclusionsView{Person: v.Query("person"), Ended: v.Query("ended") == "true", May: v.Caller.May("operate") == nil}
	ended := ""
	if out.Ended {
		ended = "true"
	}
	var found listing[admin.ExclusionView]
	err := v.Get(&found, Query("/reviews/exclusions", "person", out.Person, "ended", ended, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	if err != nil {
		if out.Person == "" || statusOf(err) >= 500 || statusOf(err) == 403 {
			return nil, err
		}
		v.fault = wordsOf(err)
	}
	for _, e := range found.Items {
		out.Items = append(out.Items, exclusionLine{e, itemWhat(model.ReviewItem{Identity: e.Identity, Role: e.Role, Target: e.Target, Group: e.Group})})
	}
	out.Next = found.Next
	return out, nil
}
