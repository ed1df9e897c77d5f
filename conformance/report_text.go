package conformance

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// TextOptions say how WriteText shows a report.
type TextOptions struct {
	Color   bool // with the colours of a terminal
	Verbose bool // passed checks too
	Brief   bool // without requests and answers
}

// WriteText writes the report for people: a line for each group, findings with what
// was expected, what came and the requests, and the sum at the end.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	t := &textWriter{Writer: bufio.NewWriter(w), o: o}
	t.line("%s, profile %s, run %s", r.URL, r.Profile, r.Run)
	for _, n := range r.Notes {
		t.line("note: %s", n)
	}
	for start := 0; start < len(r.Results); {
		end := start
		for end < len(r.Results) && r.Results[end].Group == r.Results[start].Group {
			end++
		}
		t.group(r.Results[start:end])
		start = end
	}
	t.line("")
	if r.Stopped != "" {
		t.line("%s", t.paint(Fail, "stopped: "+r.Stopped))
	}
	for _, l := range r.Leftovers {
		t.line("%s", t.paint(Warn, "not removed: "+l))
	}
	t.line("%d passed, %d failed, %d warnings, %d skipped; %d requests in %.1f s",
		r.Count(Pass), r.Count(Fail), r.Count(Warn), r.Count(Skip), r.Requests, r.Seconds)
	return t.Flush()
}

type textWriter struct {
	*bufio.Writer
	o TextOptions
}

func (t *textWriter) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

func (t *textWriter) paint(o Outcome, s string) string {
	code := map[Outcome]string{Pass: "32", Fail: "31", Warn: "33", Skip: "2"}[o]
	if !t.o.Color || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *textWriter) group(list []Result) {
	counts := map[Outcome]int{}
	for _, r := range list {
		counts[r.Outcome]++
	}
	var parts []string
	for _, o := range []Outcome{Pass, Fail, Warn, Skip} {
		if counts[o] > 0 {
			parts = append(parts, t.paint(o, fmt.Sprintf("%d %s", counts[o], o)))
		}
	}
	t.line("%-10s %s", list[0].Group, strings.Join(parts, ", "))
	t.skipped(list)
	shown := map[string]bool{} // findings of one check about several subjects: the first in full
	for _, r := range list {
		switch {
		case (r.Outcome == Fail || r.Outcome == Warn) && shown[r.ID]:
			t.line("  %s %s: as above: %s", t.paint(r.Outcome, string(r.Outcome)), r.label(), r.Got)
		case r.Outcome == Fail || r.Outcome == Warn:
			shown[r.ID] = true
			t.finding(r)
		case t.o.Verbose && r.Outcome == Pass:
			t.line("  %s %s", t.paint(Pass, "pass"), r.label())
		}
	}
}

// skipped names what was left out, once for each reason.
func (t *textWriter) skipped(list []Result) {
	why := map[string][]string{}
	var order []string
	for _, r := range list {
		if r.Outcome != Skip {
			continue
		}
		if why[r.Reason] == nil {
			order = append(order, r.Reason)
		}
		why[r.Reason] = append(why[r.Reason], strings.TrimPrefix(r.label(), r.Group+"."))
	}
	for _, reason := range order {
		names := why[reason]
		more := ""
		if !t.o.Verbose && len(names) > 6 {
			more = fmt.Sprintf(" and %d more", len(names)-6)
			names = names[:6]
		}
		t.line("  %s %s%s: %s", t.paint(Skip, "skip"), strings.Join(names, ", "), more, reason)
	}
}

func (r Result) label() string {
	if r.Subject != "" {
		return r.ID + " (" + r.Subject + ")"
	}
	return r.ID
}

func (t *textWriter) finding(r Result) {
	t.line("  %s %s: %s [%s, %s]", t.paint(r.Outcome, string(r.Outcome)), r.label(), r.Title, strings.ToUpper(string(r.Level)), r.Reference)
	t.line("       expected: %s", r.Expected)
	t.line("       got:      %s", r.Got)
	t.line("       matters:  %s", r.Why)
	if t.o.Brief {
		return
	}
	for _, e := range r.Exchanges {
		t.exchange(e)
	}
}

func (t *textWriter) exchange(e Exchange) {
	t.line("       > %s %s", e.Method, e.URL)
	t.header(">", e.RequestHeader)
	t.body(">", e.RequestBody)
	if e.Error != "" {
		t.line("       < no answer: %s", e.Error)
		return
	}
	t.line("       < %d", e.Status)
	t.header("<", e.ResponseHeader)
	t.body("<", e.ResponseBody)
}

func (t *textWriter) header(mark string, h map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(h)) {
		t.line("       %s %s: %s", mark, k, h[k])
	}
}

func (t *textWriter) body(mark, text string) {
	for l := range strings.Lines(text) {
		t.line("       %s %s", mark, strings.TrimRight(l, "\r\n"))
	}
}
