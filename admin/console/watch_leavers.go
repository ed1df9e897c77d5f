package console

import (
	"slices"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// openShown is how many leavers who are open stand at the top of the page.
const openShown = 20

// leaversView is the page of leavers.
type leaversView struct {
	Summary admin.LeaverSummary
	Open    []leaverLine // whose access is still to be taken away, the most urgent first
	OpenAll bool         // these are all there are
	Only    bool         // open ones alone are asked for
	Leavers []leaverLine
	Next    string // cursor
	First   bool
}

// leaverLine is a leaver, and how each target went.
type leaverLine struct {
	admin.LeaverView
	Drill   bool
	Is      string // a word for how it stands: late, at risk, open, verified, returned
	Targets []leaverTarget
}

// leaverTarget is how far one target is, in words.
type leaverTarget struct {
	model.LeaverTarget
	Took string // from the fact to access verified gone; empty: not yet
}

func showLeavers(v *Visit) (any, error) {
	out := leaversView{Only: v.Query("open") == "true", First: v.Query("cursor") == ""}
	if err := v.Get(&out.Summary, "/leavers/summary"); err != nil {
		return nil, err
	}
	open := ""
	if out.Only {
		open = "true"
	}
	var found listing[admin.LeaverView]
	if err := v.Get(&found, Query("/leavers", "open", open, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	out.Leavers, out.Next = leaverLines(found.Items), found.Next
	if out.Only || !out.First {
		return out, nil
	}
	var waiting listing[admin.LeaverView]
	if err := v.Get(&waiting, Query("/leavers", "open", "true", "limit", strconv.Itoa(openShown))); err != nil {
		return nil, err
	}
	out.Open, out.OpenAll = leaverLines(waiting.Items), waiting.Next == ""
	slices.SortStableFunc(out.Open, func(a, b leaverLine) int { return rankOf(b.Risk) - rankOf(a.Risk) })
	return out, nil
}

func rankOf(r model.Risk) int {
	switch r {
	case model.RiskLate:
		return 2
	case model.RiskRisk:
		return 1
	case model.RiskNone:
	}
	return 0
}

func leaverLines(list []admin.LeaverView) []leaverLine {
	out := make([]leaverLine, len(list))
	for i, l := range list {
		line := leaverLine{LeaverView: l, Drill: l.Kind == model.RunDrill, Is: "open"}
		switch {
		case l.Outcome == model.OutcomeReturned:
			line.Is = "came back"
		case l.Risk == model.RiskLate:
			line.Is = "late"
		case l.Risk == model.RiskRisk:
			line.Is = "at risk"
		case l.EndedAt != nil && l.Verified:
			line.Is = "verified"
		case l.EndedAt != nil:
			line.Is = "ended"
		}
		for _, t := range l.LeaverRun.Targets {
			one := leaverTarget{LeaverTarget: t}
			if t.VerifiedAt != nil {
				one.Took = model.Span(t.VerifiedAt.Sub(l.ReceivedAt))
			}
			line.Targets = append(line.Targets, one)
		}
		slices.SortStableFunc(line.Targets, func(a, b leaverTarget) int { return openFirst(a) - openFirst(b) })
		out[i] = line
	}
	return out
}

func openFirst(t leaverTarget) int {
	if t.Open() {
		return 0
	}
	return 1
}

// tookWords makes a duration of the API readable: 41.212s is 41 s.
func tookWords(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return "–"
	}
	return model.Span(d)
}
