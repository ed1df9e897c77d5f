package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/scimhub/scimhub/model/store"
)

// Message is a notice in words.
type Message struct {
	Title string // one line
	Facts []Fact // what there is to say besides, in order
	Path  string // of the page of the console that shows more
}

// Fact is one thing that a message says.
type Fact struct{ Name, Value string }

// facts are the data of a notice, read without surprise.
type facts map[string]any

func factsOf(n store.Notice) facts {
	body, ok := n.Data.(json.RawMessage)
	if !ok {
		var err error
		if body, err = json.Marshal(n.Data); err != nil {
			return facts{}
		}
	}
	f := facts{}
	if json.Unmarshal(body, &f) != nil || f == nil {
		return facts{}
	}
	return f
}

// flat are the facts with those of counts beside them.
func (f facts) flat() facts {
	counts, _ := f["counts"].(map[string]any)
	out := maps.Clone(f)
	for name, n := range counts {
		if _, there := out[name]; !there {
			out[name] = n
		}
	}
	return out
}

// text is a fact in one line, as it may stand in a subject.
func (f facts) text(name string) string {
	switch v := f[name].(type) {
	case string:
		return oneLine(v, 300)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// or is a fact, or words that stand for it where it is not known.
func (f facts) or(name, otherwise string) string {
	if s := f.text(name); s != "" {
		return s
	}
	return otherwise
}

// when is a moment as people read it.
func (f facts) when(name string) string {
	t, err := time.Parse(time.RFC3339, f.text(name))
	if err != nil {
		return f.text(name)
	}
	return t.UTC().Format("2 January 2006 15:04 UTC")
}

// oneLine takes out what would break a line, or turn its direction, and shortens it.
func oneLine(s string, runes int) string {
	s = strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == unicode.ReplacementChar || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		if unicode.Is(unicode.Bidi_Control, c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, " "))), " ")
	if list := []rune(s); len(list) > runes {
		return string(list[:runes-1]) + "…"
	}
	return s
}

// titleRunes is how long a title may be.
const titleRunes = 150

// Words says a notice in words: what happened, what else there is to know, and where
// more is shown. It is pure, and takes any data.
func Words(n store.Notice) Message {
	f := factsOf(n).flat()
	m := Message{Title: n.Type, Path: pathOf(n)}
	if say, known := sentences()[n.Type]; known {
		m.Title = say.title(f)
		for _, name := range say.facts {
			if v := f.when(name); v != "" {
				m.Facts = append(m.Facts, Fact{factName(name), v})
			}
		}
	}
	m.Title = oneLine(m.Title, titleRunes)
	return m
}

func factName(name string) string {
	name = strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}

// pathOf is the page about what a notice is about.
func pathOf(n store.Notice) string {
	kind, id, _ := strings.Cut(n.Subject, "/")
	id = url.PathEscape(id)
	switch kind {
	case "request", "task", "review", "target":
		return "/" + kind + "s/" + id
	case "identity":
		return "/people/" + id
	case "audit":
		return "/audit"
	case "config", "receiver", "source", "credential":
		return "/settings"
	}
	return "/"
}

// sentence is how one type of notice is said.
type sentence struct {
	title func(facts) string
	facts []string // that are listed below
}

func sentences() map[string]sentence {
	all := approvalSentences()
	maps.Copy(all, targetSentences())
	maps.Copy(all, otherSentences())
	return all
}

func approvalSentences() map[string]sentence {
	asked := []string{"reason", "why", "from", "until", "due"}
	role := func(f facts) string { return fmt.Sprintf("%s for %s", f.or("role", "a role"), f.or("for", "somebody")) }
	question := func(prefix string) func(facts) string {
		return func(f facts) string {
			what := "Please decide: "
			if f.text("review") != "" {
				what = "Please confirm: "
			}
			text := prefix + what + role(f)
			if by := f.text("asked_by"); by != "" && by != f.text("for") {
				text += ", asked by " + by
			}
			return text
		}
	}
	return map[string]sentence{
		"approval.wanted":    {question(""), asked},
		"approval.reminder":  {question("Reminder. "), asked},
		"approval.escalated": {question("Nobody has decided yet. "), asked},
		"approval.decided": {func(f facts) string {
			return fmt.Sprintf("The request of %s is %s", role(f), f.or("state", "decided"))
		}, []string{"why", "approved_by", "from", "until"}},
		"review.started":   {func(f facts) string { return "Please review: " + f.or("name", "who has access") }, []string{"items", "due"}},
		"review.reminder":  {func(f facts) string { return "Reminder. Please review: " + f.or("name", "who has access") }, []string{"undecided", "due"}},
		"review.escalated": {func(f facts) string { return "A review is not done in time: " + f.or("name", "who has access") }, []string{"undecided", "due"}},
		"review.closed":    {func(f facts) string { return "The review is closed: " + f.or("name", "who has access") }, []string{"kept", "ending", "revoked", "undecided"}},
		"task.created":     {func(f facts) string { return "Something to do by hand: " + f.or("what", "a task") }, []string{"target", "for", "due"}},
		"task.reminder":    {func(f facts) string { return "Reminder. To do by hand: " + f.or("what", "a task") }, []string{"target", "for", "due"}},
		"task.overdue":     {func(f facts) string { return "Overdue: " + f.or("what", "a task") }, []string{"target", "for", "due"}},
	}
}

func targetSentences() map[string]sentence {
	at := func(text string) func(facts) string {
		return func(f facts) string { return fmt.Sprintf(text, f.or("target", "a target")) }
	}
	return map[string]sentence{
		"plan.held":          {at("Changes at %s are held and wait for a decision"), []string{"accounts", "reason"}},
		"plan.released":      {at("Held changes at %s were released"), []string{"by", "changes"}},
		"target.quarantined": {at("%s does not work: changes there wait, leavers go on"), []string{"reason", "error"}},
		"target.recovered":   {at("%s works again"), []string{"quarantined_since"}},
		"drift.found":        {at("%s differs from what was written there"), []string{"new", "checked", "changed", "membership", "missing", "resurrected", "unknown"}},
		"leaver.started":     {func(f facts) string { return f.or("for", "Somebody") + " leaves: access ends now" }, []string{"targets"}},
		"leaver.done":        {func(f facts) string { return "All access of " + f.or("for", "somebody") + " who left is gone" }, []string{"took", "targets"}},
		"leaver.late": {func(f facts) string {
			return fmt.Sprintf("%s has left and may still have access at %s", f.or("for", "Somebody"), f.or("target", "a target"))
		}, []string{"waited", "goal", "state", "error", "next_try"}},
	}
}

func otherSentences() map[string]sentence {
	return map[string]sentence{
		"credential.expiring": {func(f facts) string {
			return fmt.Sprintf("The credential %s ends within %s", strings.TrimSpace(f.text("kind")+" "+f.or("name", "")), days(f.text("days")))
		}, []string{"expires", "slot"}},
		"source.silent": {func(f facts) string {
			return "Source " + f.or("source", "") + " has gone silent; nothing is taken away because of it"
		}, []string{"last_seen", "silent"}},
		"source.resumed": {func(f facts) string { return "Source " + f.or("source", "") + " is heard of again" }, []string{"silent_since"}},
		"source.held": {func(f facts) string {
			return "Leavers of source " + f.or("source", "") + " are held and wait for a decision"
		}, []string{"leavers", "reason"}},
		"config.activated": {func(f facts) string { return "Configuration version " + f.or("version", "") + " is in force" }, []string{"by", "rolled_back"}},
		"conflict.found":   {func(f facts) string { return "Conflict of duties: " + f.or("for", "somebody") }, []string{"conflict", "message"}},
		"import.refused":   {func(f facts) string { return "An import of source " + f.or("source", "") + " was refused" }, []string{"by", "why"}},
		"audit.broken":     {func(facts) string { return "The audit trail has been changed from outside" }, []string{"faults", "first"}},
		"notify.test":      {func(f facts) string { return "Test: messages of the hub arrive here" }, []string{"by"}},
	}
}

func days(n string) string {
	if n == "1" {
		return "a day"
	}
	return n + " days"
}

// Known are the types that are said in words of their own, sorted.
func Known() []string { return slices.Sorted(maps.Keys(sentences())) }
