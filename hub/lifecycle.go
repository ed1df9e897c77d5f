package hub

import (
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// lifeDates are the moments at which a person's stage changes by itself; nil: none.
type lifeDates struct {
	start, end            *time.Time
	leaveFrom, leaveUntil *time.Time
}

// datesOf reads the dates that the configuration names. Those that cannot be read
// are findings and none, and so are two that contradict one another: which of them is
// wrong is for the source to say. An end at the very start is no contradiction but
// somebody who never came.
func datesOf(c config.Identity, user map[string]any) (d lifeDates, findings []model.Finding) {
	bad := func(path, message string) {
		findings = append(findings, model.Finding{Kind: model.FindingDate, Subject: path, Message: path + ": " + message})
	}
	read := func(path string, how func(map[string]any, scim.Path, *time.Location) (*time.Time, error)) *time.Time {
		if path == "" {
			return nil
		}
		p, err := scim.ParsePath(path)
		if err != nil {
			bad(path, err.Error())
			return nil
		}
		at, err := how(user, p, c.Zone)
		if err != nil {
			bad(path, err.Error())
			return nil
		}
		return at
	}
	d.start, d.end = read(c.Start, model.DateAt), read(c.End, model.DateAt)
	if c.Last != "" {
		d.end = read(c.Last, model.DayAfter)
	}
	d.leaveFrom, d.leaveUntil = read(c.Leave.From, model.DateAt), read(c.Leave.Until, model.DateAt)
	if before(d.end, d.start) {
		bad(endPath(c), "the end lies before the start ("+c.Start+")")
		d.start, d.end = nil, nil
	}
	if before(d.leaveUntil, d.leaveFrom) {
		bad(c.Leave.Until, "the end of the leave lies before its beginning ("+c.Leave.From+")")
		d.leaveFrom, d.leaveUntil = nil, nil
	}
	return d, findings
}

func before(a, b *time.Time) bool { return a != nil && b != nil && a.Before(*b) }

// endPath is the attribute that says when somebody ends.
func endPath(c config.Identity) string {
	if c.Last != "" {
		return c.Last
	}
	return c.End
}

// stageOf is the stage at a moment. Where a date is a finding, facts and dates do
// not say enough: then nobody is let in who was not, nobody is shut out who was not,
// and who is new waits.
//
//	by facts and dates   before            unclear             stage
//	-------------------------------------------------------------------
//	active, leave        active, leave     start or end        by facts and dates
//	active, leave        active, leave     leave               before
//	active, leave        prehire, leaver   any                 before
//	active, leave        none              any                 prehire
//	leaver, not enabled  prehire           start               prehire
//	any other                                                  by facts and dates
//
// The word of the source itself is no date: who is made inactive or deleted leaves.
func stageOf(c config.Identity, i model.Identity, findings []model.Finding, was model.Stage, now time.Time) model.Stage {
	stage := i.Stage(now)
	unclear := func(paths ...string) bool {
		return slices.ContainsFunc(findings, func(f model.Finding) bool {
			return f.Kind == model.FindingDate && f.Subject != "" && (len(paths) == 0 || slices.Contains(paths, f.Subject))
		})
	}
	if !unclear() {
		return stage
	}
	inside := func(s model.Stage) bool { return s == model.Active || s == model.Leave }
	switch {
	case inside(stage) && inside(was):
		if unclear(c.Leave.From, c.Leave.Until) {
			return was
		}
	case inside(stage) && was == "":
		return model.Prehire
	case inside(stage):
		return was
	case stage == model.Leaver && was == model.Prehire && len(i.Links) > 0 && unclear(c.Start, endPath(c)) && (i.EndsAt == nil || now.Before(*i.EndsAt)):
		return model.Prehire // pushed inactive until the first day, as most are
	}
	return stage
}
