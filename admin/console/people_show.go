package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

// personView is the page of one person.
type personView struct {
	admin.PersonView
	Moments  []moment
	Events   []eventLine
	Operate  bool // may run, link and unlink
	Erase    bool // may erase
	At       string
	Then     *admin.ExplainAnswer // who had what at that moment; nil: not asked
	Disputed int                  // facts of which sources say different things
}

// eventLine is an event of a timeline in words.
type eventLine struct {
	store.TimelineEvent
	Text   string
	Detail string
}

func showPerson(v *Visit) (any, error) {
	out := personView{Operate: v.Caller.May("operate") == nil, Erase: v.Caller.May("administer") == nil, At: v.Query("at")}
	if err := v.Get(&out.PersonView, "/identities/%s/view", v.Var("person")); err != nil {
		return nil, err
	}
	if v.Var("person") != out.ID { // one address for one person, whatever they are called
		return elsewhere("/people/" + out.ID), nil
	}
	for _, f := range out.Facts {
		if len(f.Others) > 0 {
			out.Disputed++
		}
	}
	out.Events, out.Moments = eventLines(out.Timeline)
	if out.At != "" {
		then := &admin.ExplainAnswer{}
		if err := v.Get(then, "/identities/"+url.PathEscape(out.ID)+"/explain?at="+url.QueryEscape(out.At)); err != nil {
			if statusOf(err) >= 500 {
				return nil, err
			}
			v.fault = wordsOf(err)
		} else {
			out.Then = then
		}
	}
	return out, nil
}

// timelineView is all that happened to one person, page by page.
type timelineView struct {
	Person string
	Events []eventLine
	Next   string
}

func showTimeline(v *Visit) (any, error) {
	var found listing[store.TimelineEvent]
	err := v.Get(&found, Query("/identities/"+url.PathEscape(v.Var("person"))+"/timeline", "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	lines, _ := eventLines(found.Items)
	return timelineView{v.Var("person"), lines, found.Next}, err
}

// eventKinds say which colour an event has on the line.
var eventKinds = []struct{ in, kind string }{ //nolint:gochecknoglobals // read only
	{"join", "join"}, {"rehire", "join"}, {"back", "join"}, {"leave", "leave"}, {"left", "leave"}, {"erase", "leave"},
	{"move", "move"}, {"approve", "grant"}, {"grant", "grant"}, {"revoke", "revoke"}, {"denied", "revoke"}, {"fail", "error"},
}

func eventLines(events []store.TimelineEvent) (lines []eventLine, moments []moment) {
	for _, e := range events {
		line := eventLine{TimelineEvent: e, Text: sentence(e.Type), Detail: detail(e.Data)}
		kind := "change"
		for _, k := range eventKinds {
			if strings.Contains(strings.ToLower(e.Type), k.in) {
				kind = k.kind
				break
			}
		}
		lines, moments = append(lines, line), append(moments, moment{e.At, kind, line.Text})
	}
	return lines, moments
}

// sentence makes the name of an event readable.
func sentence(name string) string {
	text := strings.NewReplacer(".", ": ", "_", " ", "-", " ").Replace(name)
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// detail is what an event holds, one "name: value" after another.
func detail(data json.RawMessage) string {
	var fields map[string]any
	if len(data) == 0 || json.Unmarshal(data, &fields) != nil {
		return ""
	}
	var parts []string
	for name, value := range fields {
		text := fmt.Sprint(value)
		if list, ok := value.([]any); ok {
			var items []string
			for _, i := range list {
				items = append(items, fmt.Sprint(i))
			}
			text = strings.Join(items, ", ")
		} else if _, ok := value.(map[string]any); ok {
			b, _ := json.Marshal(value)
			text = string(b)
		}
		if text != "" && text != "<nil>" {
			parts = append(parts, words(name)+": "+text)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " · ")
}
