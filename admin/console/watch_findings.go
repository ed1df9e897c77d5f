package console

import (
	"strconv"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// findingsView is the page of findings.
type findingsView struct {
	Totals       []totalLine
	Findings     []findingLine
	Source, Kind string // shown alone; empty: all
	KindWords    string
	Count        int // of all findings there are
	Next         string
	First        bool
}

// totalLine is how many findings of a kind a source has to put right.
type totalLine struct {
	admin.FindingTotal
	Words, Do        string
	Link, SourceLink string
}

// findingLine is one finding.
type findingLine struct {
	admin.FindingView
	Words string
}

func showFindings(v *Visit) (any, error) {
	out := findingsView{Source: v.Query("source"), Kind: v.Query("kind"), First: v.Query("cursor") == ""}
	out.KindWords, _ = findingWords(out.Kind)
	var totals listing[admin.FindingTotal]
	if err := v.Get(&totals, "/findings/summary"); err != nil {
		return nil, err
	}
	for _, t := range totals.Items {
		line := totalLine{FindingTotal: t, Link: Query("/findings", "source", t.Source, "kind", t.Kind), SourceLink: Query("/findings", "source", t.Source)}
		line.Words, line.Do = findingWords(t.Kind)
		out.Totals, out.Count = append(out.Totals, line), out.Count+t.Count
	}
	var found listing[admin.FindingView]
	if err := v.Get(&found, Query("/findings", "source", out.Source, "kind", out.Kind, "cursor", v.Query("cursor"), "limit", strconv.Itoa(2*listRows))); err != nil {
		return nil, err
	}
	for _, f := range found.Items {
		line := findingLine{FindingView: f}
		line.Words, _ = findingWords(f.Kind)
		out.Findings = append(out.Findings, line)
	}
	out.Next = found.Next
	return out, nil
}

// findingWords says what a kind of findings is and who can do what about it.
func findingWords(kind string) (what, do string) {
	switch kind {
	case model.FindingRule:
		return "rule cannot be decided", "The rule asks for a fact that is missing or of another kind: put the fact or the rule right."
	case model.FindingMapping:
		return "account cannot be made up", "A mapping of the application fails for these people: put the fact or the mapping right."
	case model.FindingDate:
		return "dates that cannot be", "The source says an end before a start, or no date at all: nothing changes until it is put right."
	case model.FindingMissing:
		return "facts that are missing", "The source does not say what is required: its owner adds it."
	case model.FindingManager:
		return "manager has left or is not known", "The source's owner names the manager who is there now: approvals of these people have nobody to go to."
	case model.FindingNumber:
		return "number is somebody else's", "Two people have one personnel number: the source's owner says whose it is."
	case model.FindingMatch:
		return "could be one of several people", "Somebody decides who it is: until then the account gets nothing."
	case model.FindingConflict:
		return "roles nobody should hold together", "Take one of the roles away, or ask for an exception with an owner and an end."
	case model.FindingApproval:
		return "approvers cannot be found", "Nobody is left who may approve: name others in the configuration."
	case model.FindingSource:
		return "source is silent or odd", "Look at the connection of the source."
	case model.FindingLastAccess:
		return "access that nobody uses", "Ask whether it is still needed, for example by a review."
	}
	return words(kind), ""
}
