package console

import (
	"fmt"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

// driftView is the page of what sweeps found.
type driftView struct {
	Targets []sweepLine
	Shown   *admin.SweepAnswer // one target's differences; nil: none is chosen
	Target  string
	Kind    string // shown alone; empty: all
	Tabs    []tab
	Rows    []driftRow
	Next    string // cursor
	First   bool
	Operate bool
	More    string // cursor of the next targets
}

// sweepLine is a target in the list.
type sweepLine struct {
	admin.SweepAnswer
	Found []foundLine
}

// foundLine is one kind of difference at a target.
type foundLine struct {
	Kind, Words string
	Count       int
	Since       time.Time
	Link        string
}

// driftRow is one difference, in words.
type driftRow struct {
	store.Finding
	Words   string
	Changes []string
	After   string // what follows from it
}

func showDrift(v *Visit) (any, error) {
	out := driftView{Target: v.Query("target"), Kind: v.Query("kind"), First: v.Query("cursor") == "", Operate: v.Caller.May("operate") == nil}
	var all listing[admin.SweepAnswer]
	if err := v.Get(&all, Query("/drift", "cursor", v.Query("targets"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	for _, one := range all.Items {
		line := sweepLine{SweepAnswer: one}
		for _, k := range one.Kinds {
			line.Found = append(line.Found, foundLine{k.Kind, driftWords(k.Kind), k.Count, k.Since, Query("/drift", "target", one.Target, "kind", k.Kind)})
		}
		out.Targets = append(out.Targets, line)
	}
	out.More = all.Next
	if out.Target == "" {
		return out, nil
	}
	var shown admin.SweepAnswer
	path := Query(pathOf("/targets/%s/drift", out.Target), "kind", out.Kind, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))
	if err := v.Get(&shown, path); err != nil {
		return nil, err
	}
	out.Shown, out.Next = &shown, shown.Cursor
	out.Tabs = append(out.Tabs, tab{"All", Query("/drift", "target", out.Target), out.Kind == ""})
	for _, k := range shown.Kinds {
		out.Tabs = append(out.Tabs, tab{fmt.Sprintf("%s: %s", capital(driftWords(k.Kind)), number(k.Count)), Query("/drift", "target", out.Target, "kind", k.Kind), out.Kind == k.Kind})
	}
	for _, f := range shown.Items {
		row := driftRow{Finding: f, Words: driftWords(f.Kind), After: followsWords(f)}
		for _, d := range f.Fields {
			row.Changes = append(row.Changes, d.Path+": "+shownValue(d.Before)+" → "+shownValue(d.After))
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// followsWords says what follows from a difference.
func followsWords(f store.Finding) string {
	does := map[string]string{"revert": "put back", "recreate": "made again", "disable": "switched off"}[f.Action]
	switch {
	case f.Action == "report" || f.Action == "":
		return "It is reported; nothing follows."
	case f.Action == "adopt":
		return "It is taken as it is."
	case does == "":
		return capital(f.Follows) + "."
	case f.Done != nil:
		return "Being " + does + " since " + f.Done.UTC().Format("2006-01-02 15:04 UTC") + "."
	case f.Sightings < f.Needed:
		return fmt.Sprintf("Is %s once it was seen %d times in a row: this was sighting %d of %d.", does, f.Needed, f.Sightings, f.Needed)
	}
	return "Is " + does + " with the next work at this application."
}

// driftWords says what a kind of drift is.
func driftWords(kind string) string {
	switch kind {
	case "changed":
		return "attributes changed"
	case "membership":
		return "group membership"
	case "missing":
		return "account is gone"
	case "resurrected":
		return "leaver is active again"
	case "unknown":
		return "account of nobody's"
	}
	return words(kind)
}

// shownValue is a value of an attribute, shortened.
func shownValue(v any) string {
	if v == nil {
		return "–"
	}
	return shorten(fmt.Sprint(v), 120)
}
