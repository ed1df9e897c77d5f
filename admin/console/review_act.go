package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// startReview starts a review, and goes to it.
func startReview(v *Visit) (Done, error) {
	in, err := reviewStart(v.Form)
	if err != nil {
		return Done{}, err
	}
	var out admin.ReviewView
	if err := v.Post(in, &out, "/reviews"); err != nil {
		return Done{}, err
	}
	said := "Started: " + plural(out.Counts.Items, "item") + " to decide. Whoever is asked is told."
	switch {
	case out.State == model.CampaignPreparing:
		said = "Started: its items are being written. Whoever is asked is told."
	case out.Counts.Items == 0:
		said = "Started, but there is nothing to decide: nobody has what it is about."
	}
	return Done{To: reviewPath(out.ID), Said: said}, nil
}

// verdictOf is the decision that somebody chose, as the API writes it.
func verdictOf(v *Visit) (string, error) {
	switch d := v.Form.Get("decision"); d {
	case model.VerdictKeep, model.VerdictRevoke:
		return d, nil
	case model.VerdictUntil:
		until := strings.TrimSpace(v.Form.Get("until"))
		if until == "" {
			return "", model.Fail(model.Invalid, "Say until when: a date such as 2027-06-30, or 30d.", nil)
		}
		return "until=" + until, nil
	}
	return "", model.Fail(model.Invalid, "Choose keep, revoke or an end.", nil)
}

// onward is the page that a decision was made on, at the item behind it.
func onward(v *Visit, last string) string {
	u, err := url.Parse(local(v.Form.Get("back")))
	if err != nil || u.Path == "" {
		return ""
	}
	q := u.Query()
	q.Del("last")
	q.Del("at")
	if last != "" {
		q.Set("last", last)
	}
	if then := v.Form.Get("then"); then != "" {
		q.Set("at", then)
		u.Fragment = "i-" + then
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func decideReview(v *Visit) (Done, error) {
	decision, err := verdictOf(v)
	if err != nil {
		return Done{}, err
	}
	version, _ := strconv.ParseInt(v.Form.Get("version"), 10, 64)
	reason := strings.TrimSpace(v.Form.Get("reason"))
	if decision == model.VerdictRevoke && reason == "" {
		return Done{}, model.Fail(model.Invalid, "Say why it is to be revoked: the reason stands in the report.", nil)
	}
	var out admin.ReviewItemView
	in := admin.ReviewDecide{Decision: decision, Reason: reason, Version: version}
	if err := v.Post(in, &out, "/reviews/%s/items/%s/decide", v.Var("review"), v.Var("item")); err != nil {
		return Done{}, err
	}
	what := itemWhat(out.ReviewItem) + " of " + out.Person
	said := map[string]string{model.VerdictKeep: "Kept: ", model.VerdictRevoke: "Revoked: ", model.VerdictUntil: "Kept until the date: "}[out.Decision.Verdict] + what + "."
	if v.Form.Get("list") == "" { // on its own page
		return Done{Said: said}, nil
	}
	return Done{To: onward(v, out.ID), Said: said}, nil
}

// decideReviews decides about all items that were chosen on a page.
func decideReviews(v *Visit) (Done, error) {
	decision, err := verdictOf(v)
	if err != nil {
		return Done{}, err
	}
	in := admin.ReviewBulk{Decision: decision, Reason: strings.TrimSpace(v.Form.Get("reason"))}
	for _, name := range []string{"item", "alone"} {
		for _, text := range v.Form[name] {
			id, version, _ := strings.Cut(text, " ")
			n, _ := strconv.ParseInt(version, 10, 64)
			in.Items = append(in.Items, admin.ReviewBulkItem{ID: id, Version: n})
		}
	}
	switch {
	case len(in.Items) == 0:
		return Done{}, model.Fail(model.Invalid, "Choose items first: nothing was decided.", nil)
	case decision == model.VerdictRevoke && in.Reason == "":
		return Done{}, model.Fail(model.Invalid, "Say why they are to be revoked. Nothing was decided.", nil)
	}
	var out admin.ReviewBulkResult
	if err := v.Post(in, &out, "/reviews/%s/decide", v.Var("review")); err != nil {
		return Done{}, err
	}
	verb := map[bool]string{true: "revoked", false: "kept"}[decision == model.VerdictRevoke]
	said := plural(out.Decided, "item") + " " + verb + "."
	if n := len(out.Failed); n > 0 {
		lines := []string{said, plural(n, "item") + " not decided:"}
		for _, f := range out.Failed[:min(n, 5)] {
			id, why, _ := strings.Cut(f, ": ")
			lines = append(lines, itemName(v, id)+": "+why)
		}
		said = strings.Join(lines, "\n")
	}
	return Done{To: onward(v, ""), Said: said}, nil
}

// itemName is what an item is called, for a message.
func itemName(v *Visit, id string) string {
	var item admin.ReviewItemView
	if err := v.Get(&item, "/reviews/%s/items/%s", v.Var("review"), id); err != nil {
		return "One"
	}
	return itemWhat(item.ReviewItem) + " of " + item.Person
}

// closeReview ends a review. Where that takes access away that nobody decided about, its
// name is typed.
func closeReview(v *Visit) (Done, error) {
	var r admin.ReviewView
	if err := v.Get(&r, "/reviews/%s", v.Var("review")); err != nil {
		return Done{}, err
	}
	in := admin.ReviewClose{Force: v.Form.Get("force") != "", Undecided: v.Form.Get("undecided"), Reason: strings.TrimSpace(v.Form.Get("reason"))}
	revokes := in.Undecided == model.UndecidedRevoke || in.Undecided == "" && r.Undecided == model.UndecidedRevoke
	if r.Counts.Pending > 0 && revokes && strings.TrimSpace(v.Form.Get("sure")) != r.Name {
		return Done{}, model.Fail(model.Invalid, fmt.Sprintf("Closing it takes away what nobody decided about, %s: type the name of the review, %s, to confirm. Nothing was closed.", plural(r.Counts.Pending, "item"), r.Name), nil)
	}
	var out admin.ReviewView
	if err := v.Post(in, &out, "/reviews/%s/close", r.ID); err != nil {
		return Done{}, err
	}
	said := "Closed."
	if out.State == model.CampaignClosing {
		said = "It is being closed: what nobody decided is settled, and all of it summed up."
	}
	return Done{To: reviewPath(r.ID) + "/report", Said: said}, nil
}

func endExclusion(v *Visit) (Done, error) {
	in := admin.ExclusionEnd{Reason: strings.TrimSpace(v.Form.Get("reason"))}
	if in.Reason == "" {
		return Done{}, model.Fail(model.Invalid, "Say why they may have it again.", nil)
	}
	var out admin.ExclusionView
	if err := v.Post(in, &out, "/reviews/exclusions/%s/end", v.Var("exclusion")); err != nil {
		return Done{}, err
	}
	return Done{Said: out.Person + " gets it again if anything gives it: that is being worked out."}, nil
}
