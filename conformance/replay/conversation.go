package replay

import (
	"fmt"
	"strings"
)

// Conversation is one recording.
type Conversation struct {
	Name     string   // of the file, for messages
	Title    string   // what it is, in words
	Dialects []string // under which a hub must serve it
	Needs    []string // names of the tolerances (scim.Flags) that it cannot do without
	Header   []Field  // of every request
	Steps    []Step
}

// Field is one header field.
type Field struct{ Name, Value string }

// Step is one request with the answer that is due.
type Step struct {
	Line   int // of the title, from 1
	Title  string
	Repeat int // how often, 1 or more
	Method string
	Target string // below the base address
	Header []Field
	Body   string // "" sends none
	Want   Answer
}

// Answer is what must come back.
type Answer struct {
	Line   int   // of the status, from 1
	Status []int // the first is due; another one of them will do, whatever comes with it
	Header []Field
	Empty  bool // there must be no body
	Body   any  // a pattern; nil says nothing about the body
}

// SyntaxError is a fault in a recording.
type SyntaxError struct {
	Name string // of the file
	Line int    // from 1
	Text string
}

// Error renders the fault as file:line: text.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Text) }

// Words with a meaning of their own inside braces.
const (
	wordAny     = "{{any}}"
	wordAbsent  = "{{absent}}"
	wordOnly    = "{{only}}"
	wordSome    = "{{some}}"
	wordOrdered = "{{ordered}}"
)

// place is one {{…}} in a text.
type place struct {
	inner string
	whole bool // there is nothing else in the text
}

// places finds every {{…}} in a text.
func places(text string) []place {
	var out []place
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "{{")
		if !ok {
			return out
		}
		inner, behind, ok := strings.Cut(after, "}}")
		if !ok {
			return out
		}
		out = append(out, place{inner: inner, whole: len(inner)+4 == len(text)})
		rest = behind
	}
}

// captured is the name that a whole text captures to.
func captured(text string) (name string, ok bool) {
	inner, ok := braced(text)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, "=")
}

// other is the name whose value a whole text must not have.
func other(text string) (name string, ok bool) {
	inner, ok := braced(text)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(inner, "not ")
}

func braced(text string) (inner string, ok bool) {
	all := places(text)
	if len(all) != 1 || !all[0].whole {
		return "", false
	}
	return all[0].inner, true
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
