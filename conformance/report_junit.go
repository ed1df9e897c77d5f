package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as the XML that build servers read: a test suite for
// each group, a test case for each result. Warnings are passed cases with the
// finding in their output, because a test case knows no third way.
func (r *Report) WriteJUnit(w io.Writer) error {
	out := junitSuites{Name: "scimhub conformance " + r.URL, Tests: len(r.Results),
		Failures: r.Count(Fail), Skipped: r.Count(Skip), Time: seconds(r.Seconds)}
	var took float64
	for _, res := range r.Results {
		if n := len(out.Suites); n == 0 || out.Suites[n-1].Name != res.Group {
			out.Suites = append(out.Suites, junitSuite{Name: res.Group})
			took = 0
		}
		s := &out.Suites[len(out.Suites)-1]
		s.Tests++
		took += res.Seconds
		s.Time = seconds(took)
		c := junitCase{Class: "conformance." + res.Group, Name: res.label() + ": " + res.Title, Time: seconds(res.Seconds)}
		switch res.Outcome {
		case Fail:
			s.Failures++
			c.Failure = &junitMessage{Message: clean("expected " + res.Expected + "; got " + res.Got), Type: res.Reference, Text: clean(res.story())}
		case Skip:
			s.Skipped++
			c.Skipped = &junitMessage{Message: clean(res.Reason)}
		case Warn:
			c.Out = clean(res.story())
		case Pass:
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

// story is a finding in full.
func (r Result) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%s, %s]\nexpected: %s\ngot: %s\nmatters: %s\n", r.Title, r.Level, r.Reference, r.Expected, r.Got, r.Why)
	for _, e := range r.Exchanges {
		fmt.Fprintf(&b, "> %s %s\n%s\n< %d\n%s\n", e.Method, e.URL, e.RequestBody, e.Status, e.ResponseBody+e.Error)
	}
	return b.String()
}

// clean leaves out what XML cannot hold, however it is escaped (XML 1.0 §2.2).
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 && c != '\t' && c != '\n' || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}
