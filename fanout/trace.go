package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/scimhub/scimhub/model"
)

// The kinds of RunStep, in the order in which they usually come.
const (
	StepState      = "state"      // what the target is, and whether anything may be done there
	StepConnection = "connection" // the test of the connection
	StepAsked      = "asked"      // a request that reads
	StepMatched    = "matched"    // by what an account was found, or what the silence is worth
	StepScope      = "scope"      // why the person should be there, or not
	StepChange     = "change"     // one change, with what it takes back and loses
	StepHeld       = "held"       // why a change is not carried out
	StepSent       = "sent"       // a request that writes
	StepAnswered   = "answered"   // in what the answer differs from what was sent, or why it is a refusal
	StepVerified   = "verified"   // what reading back showed
	StepOutcome    = "outcome"    // what became of it
)

// RunStep is one step of a run of one person, in words and, for requests, in fields.
// No secret is in it: of bodies only the names of the attributes are kept.
type RunStep struct {
	Step       string   `json:"step"`
	Text       string   `json:"text"`
	Method     string   `json:"method,omitempty"`
	Path       string   `json:"path,omitempty"` // below the base URL of the target
	Attributes []string `json:"attributes,omitempty"`
	Status     int      `json:"status,omitempty"` // HTTP; 0: no answer
}

// runTrace collects the steps of a run. nil collects nothing, so that whoever works on
// an account says what happens without asking whether anybody listens.
type runTrace struct {
	mu    sync.Mutex
	steps []RunStep
}

type traceKey struct{}

func withTrace(ctx context.Context, t *runTrace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// traceOf is the trace of whoever listens; nil: nobody does.
func traceOf(ctx context.Context) *runTrace {
	t, _ := ctx.Value(traceKey{}).(*runTrace)
	return t
}

func (t *runTrace) add(s RunStep) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, s)
}

// say adds a step in words; one that was said already is not said again.
func (t *runTrace) say(step, format string, args ...any) {
	if t == nil {
		return
	}
	s := RunStep{Step: step, Text: fmt.Sprintf(format, args...)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.ContainsFunc(t.steps, func(have RunStep) bool { return have.Step == step && have.Text == s.Text }) {
		t.steps = append(t.steps, s)
	}
}

// all are the steps so far.
func (t *runTrace) all() []RunStep {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.steps)
}

// exchanged notes one request with its answer.
func (t *runTrace) exchanged(r request, body []byte, status int, err error) {
	if t == nil {
		return
	}
	s := RunStep{Step: StepAsked, Method: r.method, Path: r.path, Status: status, Attributes: attributesIn(body)}
	if r.writes() {
		s.Step = StepSent
	}
	if r.address != "" { // the application's own API: its address may hold what nobody should see
		s.Path = "(the application's own API)"
	} else if len(r.query) > 0 {
		s.Path += "?" + readableQuery(r.query)
	}
	switch {
	case err != nil:
		e := asClientError(err)
		if s.Status == 0 {
			s.Status = e.Status
		}
		s.Text = e.Error()
	default:
		s.Text = fmt.Sprintf("%d %s", status, http.StatusText(status))
	}
	t.add(s)
}

// readableQuery is a query as a person writes it.
func readableQuery(q url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[name] {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, "&")
}

// attributesIn names what a body writes: the attributes of a resource, or the operations
// of a PATCH with their paths.
func attributesIn(body []byte) []string {
	var doc map[string]any
	if len(body) == 0 || json.Unmarshal(body, &doc) != nil {
		return nil
	}
	ops, isPatch := doc["Operations"].([]any)
	if !isPatch {
		delete(doc, "schemas")
		return slices.Sorted(maps.Keys(doc))
	}
	var out []string
	for _, o := range ops {
		op, _ := o.(map[string]any)
		name, _ := op["op"].(string)
		where, _ := op["path"].(string)
		if where == "" {
			whole, _ := op["value"].(map[string]any)
			where = strings.Join(slices.Sorted(maps.Keys(whole)), ", ")
		}
		out = append(out, strings.ToLower(name)+" "+where)
	}
	return out
}

// looked notes how a look-up ended.
func (t *runTrace) looked(attr, value string, u RemoteUser, found bool, err error) {
	switch {
	case t == nil || err != nil: // the request says what was wrong
	case found:
		t.say(StepMatched, "%s %q found account %q (%s)", attr, value, u.UserName, u.ID)
	default:
		t.say(StepMatched, "%s %q found nobody", attr, value)
	}
}

// weighed notes what is concluded from look-ups that found nobody.
func (t *runTrace) weighed(attr string, v verdict) {
	switch {
	case t == nil:
	case v.trust == trusted:
		t.say(StepMatched, "look-ups by %s find accounts that are there and none that are not: nobody found is believed", attr)
	default:
		t.say(StepMatched, "%s", v.why)
	}
}

// undoWords says how a change can be taken back and what is lost with it.
func undoWords(c model.Change) string {
	parts := consequences(c)
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, "; ")
}

// changeWords is a change in words, with each field before and after.
func changeWords(c model.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Verb, subject(c))
	if c.Group != "" && c.Identity != "" {
		fmt.Fprintf(&b, " %s group %q", map[bool]string{true: "into", false: "out of"}[c.Verb == model.Join], printable(c.Group))
	}
	for i, f := range c.Fields {
		b.WriteString(map[bool]string{true: ": ", false: ", "}[i == 0])
		fmt.Fprintf(&b, "%s %s -> %s", printable(f.Path), value(f.Before), value(f.After))
	}
	b.WriteString(undoWords(c))
	if len(c.Because) > 0 && c.Removes() {
		b.WriteString("; because " + printable(strings.Join(c.Because, ", ")))
	}
	return b.String()
}

// changes notes what is planned, and why some of it is held; held is of all of it.
func (t *runTrace) changes(list []model.Change, held string) {
	if held != "" {
		t.say(StepHeld, "%s", held)
	}
	for _, c := range list {
		t.say(StepChange, "%s", changeWords(c))
		if c.Held != "" {
			t.say(StepHeld, "%s %s: %s", c.Verb, strings.TrimSpace(subject(c)+" "+c.Group), c.Held)
		}
	}
}
