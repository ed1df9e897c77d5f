package console

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// evidenceRows is how many items one page of evidence has.
const evidenceRows = 100

// evidenceView is the page on which an auditor asks and is answered.
type evidenceView struct {
	Kinds   []evidenceKind
	Kind    string
	Q       map[string]string // what was asked, by the name of the field
	Targets []string
	Roles   []string
	Reviews []hub.ReviewView

	Asked bool
	evidenceAnswer
}

// evidenceAnswer is one page of what was answered.
type evidenceAnswer struct {
	Head      admin.EvidenceHead
	Params    [][2]string
	Digest    string
	Proven    string // the text of which the digest is
	Count     int
	Next      string
	Files     []fileLink
	Access    []provenAccess
	Changes   []admin.ChangeEvidence
	Conflicts []admin.ConflictEvidence
	Leavers   []provenLeaver
	Items     []provenDecision
}

// evidenceKind is a question of auditors.
type evidenceKind struct {
	Name, Text string
	Here       bool
	fields     []string // that narrow it, in addresses
}

func evidenceKinds(here string) []evidenceKind {
	all := []evidenceKind{
		{Name: "access", Text: "Who had access", fields: []string{"target", "group", "role", "at", "from", "until", "all"}},
		{Name: "person", Text: "Changes of a person", fields: []string{"person", "from", "until"}},
		{Name: "review", Text: "Decisions of a review", fields: []string{"review"}},
		{Name: "conflicts", Text: "Separation of duties"},
		{Name: "leavers", Text: "Leavers", fields: []string{"from", "until"}},
	}
	for i := range all {
		all[i].Here = all[i].Name == here
	}
	return all
}

// question is what the address of a page asks for: the fields of its kind, and whether
// they say enough to be answered.
func question(v *Visit) (kind evidenceKind, fields map[string]string, enough bool) {
	kinds := evidenceKinds("")
	at := max(0, slices.IndexFunc(kinds, func(k evidenceKind) bool { return k.Name == v.Query("kind") }))
	kind, fields = kinds[at], map[string]string{}
	for _, name := range kind.fields {
		if value := strings.TrimSpace(v.Query(name)); value != "" {
			fields[name] = value
		}
	}
	switch kind.Name {
	case "access":
		enough = fields["target"]+fields["role"] != ""
	case "person", "review":
		enough = fields[kind.Name] != ""
	default:
		enough = true
	}
	return kind, fields, enough
}

// source is the address in the API that answers, with parameters for which there is room.
func (k evidenceKind) source(fields map[string]string, more ...string) string {
	path := "/evidence/" + k.Name
	switch k.Name {
	case "person":
		path += "/" + url.PathEscape(fields["person"])
	case "review":
		path = "/evidence/reviews/" + url.PathEscape(fields["review"])
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != k.Name {
			more = append(more, name, fields[name])
		}
	}
	return Query(path, more...)
}

func showEvidence(v *Visit) (any, error) {
	kind, fields, enough := question(v)
	out := evidenceView{Kinds: evidenceKinds(kind.Name), Kind: kind.Name, Q: fields}
	if err := out.choices(v); err != nil {
		return nil, err
	}
	if !enough {
		return out, nil
	}
	var raw struct{ Head, Items json.RawMessage }
	var whole json.RawMessage
	err := v.Get(&whole, kind.source(fields, "cursor", v.Query("cursor"), "limit", strconv.Itoa(evidenceRows)))
	if err == nil {
		err = json.Unmarshal(whole, &raw)
	}
	if err == nil {
		err = out.read(v, whole)
	}
	if err != nil {
		if !correctable(err) {
			return nil, err
		}
		v.fault = wordsOf(err)
		return out, nil
	}
	out.Asked = true
	out.Proven = string(bytes.Join([][]byte{[]byte(`{"head":`), raw.Head, []byte(`,"items":`), raw.Items, []byte(`}`)}, nil))
	for _, f := range [][2]string{{"CSV", "csv"}, {"JSON lines", "jsonl"}} {
		pairs := []string{"kind", kind.Name, "format", f[1]}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			pairs = append(pairs, name, fields[name])
		}
		out.Files = append(out.Files, fileLink{f[0], Query("/evidence/file", pairs...)})
	}
	return out, nil
}

// choices are what forms offer.
func (e *evidenceView) choices(v *Visit) (err error) {
	switch e.Kind {
	case "access":
		if e.Targets, err = targetNames(v); err != nil {
			return err
		}
		if e.Roles, err = roleNames(v); err != nil {
			return err
		}
	case "review":
		var reviews listing[hub.ReviewView]
		if err := v.Get(&reviews, Query("/reviews", "limit", "100")); err != nil {
			return err
		}
		e.Reviews = reviews.Items
	}
	return nil
}

// read takes what the API answered to the question.
func (e *evidenceView) read(v *Visit, whole []byte) error {
	switch e.Kind {
	case "access":
		return readEvidence(whole, &e.evidenceAnswer, func(i admin.AccessEvidence) { e.Access = append(e.Access, provenAccessOf(i)) })
	case "person":
		return readEvidence(whole, &e.evidenceAnswer, func(i admin.ChangeEvidence) { e.Changes = append(e.Changes, i) })
	case "conflicts":
		return readEvidence(whole, &e.evidenceAnswer, func(i admin.ConflictEvidence) { e.Conflicts = append(e.Conflicts, i) })
	case "review":
		return readEvidence(whole, &e.evidenceAnswer, func(i model.ReviewItem) { e.Items = append(e.Items, provenDecisionOf(i)) })
	}
	now := v.console.Now()
	return readEvidence(whole, &e.evidenceAnswer, func(i admin.LeaverEvidence) { e.Leavers = append(e.Leavers, provenLeaverOf(i, now)) })
}

func readEvidence[T any](whole []byte, into *evidenceAnswer, add func(T)) error {
	var e admin.Evidence[T]
	if err := json.Unmarshal(whole, &e); err != nil {
		return err
	}
	into.Head, into.Digest, into.Count, into.Next = e.Head, e.Digest, e.Count, e.Next
	for _, name := range slices.Sorted(maps.Keys(e.Head.Parameters)) {
		into.Params = append(into.Params, [2]string{name, e.Head.Parameters[name]})
	}
	for _, item := range e.Items {
		add(item)
	}
	return nil
}

// fileEvidence passes on all that answers a question, as a file.
func fileEvidence(v *Visit) (any, error) {
	kind, fields, enough := question(v)
	if !enough {
		return elsewhere(Query("/evidence", "kind", kind.Name)), nil
	}
	format := "csv"
	if v.Query("format") == "jsonl" {
		format = "jsonl"
	}
	return download{path: kind.source(fields, "format", format), name: "evidence-" + kind.Name + "-" + v.console.Now().UTC().Format("20060102T150405Z") + "." + format}, nil
}

// provenAccess is that somebody had something, for people.
type provenAccess struct {
	admin.AccessEvidence
	What string
	Mind string // what is not as a reader may take it
}

func provenAccessOf(e admin.AccessEvidence) provenAccess {
	out := provenAccess{AccessEvidence: e}
	switch {
	case e.Target == "":
		out.What = "the role"
	case e.Group != "":
		out.What = e.Target + ", group " + e.Group
	default:
		out.What = e.Target + ", an account"
	}
	var mind []string
	if e.HandOver {
		mind = append(mind, "kept for a while after a move")
	}
	if x := e.Exception; x != nil {
		mind = append(mind, "by an exception of "+x.By+" until "+x.Until.UTC().Format(time.DateOnly))
	}
	if e.Note != "" {
		mind = append(mind, e.Note)
	}
	out.Mind = strings.Join(mind, "; ")
	return out
}

// provenLeaver is how the end of access went at a target, for people.
type provenLeaver struct {
	admin.LeaverEvidence
	Took string
	Goal string
}

func provenLeaverOf(e admin.LeaverEvidence, now time.Time) provenLeaver {
	out := provenLeaver{LeaverEvidence: e}
	switch {
	case e.Seconds != nil:
		out.Took = model.Span(time.Duration(*e.Seconds * float64(time.Second)))
	case e.Target != "" && e.State != model.LeaverNotNeeded:
		out.Took = "open for " + model.Span(now.Sub(e.Received))
	}
	if d, err := time.ParseDuration(e.Goal); err == nil {
		out.Goal = model.Span(d)
	}
	return out
}

// provenDecision is one item of a review, for people.
type provenDecision struct {
	model.ReviewItem
	What, Became string
	How          string // the decision came about, where that is not as usual
}

func provenDecisionOf(i model.ReviewItem) provenDecision {
	out := provenDecision{ReviewItem: i}
	switch {
	case i.Role != "":
		out.What = "role " + i.Role
	case i.Group != "":
		out.What = i.Target + ", group " + i.Group
	default:
		out.What = i.Target + ", an account"
	}
	if c := i.Carried; c != nil && c.VerifiedAt != nil {
		out.Became = "seen to be gone " + c.VerifiedAt.UTC().Format("2006-01-02 15:04:05 UTC")
	} else if c != nil && c.EvaluatedAt != nil {
		out.Became = "taken away " + c.EvaluatedAt.UTC().Format("2006-01-02 15:04:05 UTC") + ", not yet seen to be gone"
	}
	if c := i.Carried; c != nil && c.Note != "" {
		out.Became = strings.TrimPrefix(out.Became+"; "+c.Note, "; ")
	}
	if d := i.Decision; d != nil {
		var how []string
		for _, h := range []struct {
			is   bool
			text string
		}{{d.Rule, "nobody decided: the rule of the review did"}, {d.Override, "in the place of who was asked"}, {d.DeputyOf != "", "as a deputy"}, {d.Bulk, "together with others"}, {d.Against, "against the recommendation"}} {
			if h.is {
				how = append(how, h.text)
			}
		}
		out.How = strings.Join(how, "; ")
	}
	return out
}
