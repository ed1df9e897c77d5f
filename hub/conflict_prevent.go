package hub

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// span is the time in which a role is held, or would be; no end: nil.
type span struct {
	role  string // that is held or asked for
	is    string // the one in conflict: the same, or one that it inherits
	from  time.Time
	until *time.Time
	how   string // in words: "held", "asked for"
}

// with is the time that two spans have in common.
func (a span) with(b span) (from time.Time, until *time.Time, overlap bool) {
	from, until = a.from, a.until
	if b.from.After(from) {
		from = b.from
	}
	if until == nil || b.until != nil && b.until.Before(*until) {
		until = b.until
	}
	return from, until, until == nil || from.Before(*until)
}

// preventConflict says whether somebody may get a role from a moment until another
// (nil: no end), beside what they hold and what is asked for and approved. Times that
// do not overlap do not conflict, nor does what an exception covers for as long.
//
// refuse, a Refused error, names the conflict and what to do. Otherwise extraApprovers
// are those of whom one has to say yes besides, and exceptionRoles the roles that the
// person may then hold together, sorted; both are empty where there is no conflict.
func preventConflict(doc *config.Document, k Known, role string, from time.Time, until *time.Time, now time.Time) (extraApprovers, exceptionRoles []string, refuse error) {
	if len(doc.Conflicts) == 0 {
		return nil, nil, nil
	}
	if from.Before(now) {
		from = now
	}
	inherited := closure(doc, role)
	theirs := spansOf(doc, k, role, now)
	for i := range doc.Conflicts {
		c := &doc.Conflicts[i]
		if !forbids(c) {
			continue
		}
		for _, mine := range inherited {
			if !slices.Contains(c.Roles, mine) {
				continue
			}
			wanted := span{role, mine, from, until, "asked for"}
			for _, other := range theirs {
				if !slices.Contains(c.Roles, other.is) || slices.Contains(inherited, other.is) {
					continue
				}
				start, end, overlaps := wanted.with(other)
				if !overlaps || covered(k, mine, other.is, start, end) {
					continue
				}
				if c.Action != "approve" || len(c.Approve) == 0 {
					return nil, nil, refusal(c, k, wanted, other)
				}
				extraApprovers = append(extraApprovers, c.Approve...)
				exceptionRoles = append(exceptionRoles, mine, other.is)
			}
		}
	}
	return distinctTexts(extraApprovers), sortedTexts(exceptionRoles), nil
}

// spansOf are the times in which the person holds other roles, or will if what is
// asked for is approved. What is kept for hand-over gives way to whatever comes.
func spansOf(doc *config.Document, k Known, role string, now time.Time) (out []span) {
	add := func(name, how string, from time.Time, until *time.Time) {
		if until != nil && !now.Before(*until) {
			return
		}
		for _, is := range closure(doc, name) {
			out = append(out, span{name, is, from, until, how})
		}
	}
	for _, g := range k.Held {
		if g.Role != role && !isHandOver(g) {
			add(g.Role, "held", g.From, g.Until)
		}
	}
	for _, q := range k.Requests {
		if q.Role == role || !q.State.Open() {
			continue
		}
		from := now
		if q.From != nil {
			from = *q.From
		}
		how := "asked for"
		if q.State == model.RequestApproved {
			how = "approved"
		}
		add(q.Role, how, from, q.Until)
	}
	return out
}

// closure is a role with all that it inherits, sorted but for itself, which is first.
func closure(doc *config.Document, role string) []string {
	out, seen := []string{role}, map[string]bool{role: true}
	for n := 0; n < len(out); n++ {
		r, _ := doc.Role(out[n])
		for _, parent := range r.Inherits {
			if !seen[parent] {
				seen[parent] = true
				out = append(out, parent)
			}
		}
	}
	slices.Sort(out[1:])
	return out
}

// covered reports whether exceptions let two roles be held together all the time from
// a moment to another; several that follow on each other do.
func covered(k Known, a, b string, from time.Time, until *time.Time) bool {
	if until == nil {
		return false // an exception has an end
	}
	at := from
	for range len(k.Exceptions) + 1 {
		reached := at
		for _, e := range k.Exceptions {
			if e.EndedAt == nil && !at.Before(e.From) && e.Until.After(reached) && slices.Contains(e.Roles, a) && slices.Contains(e.Roles, b) {
				reached = e.Until
			}
		}
		if !reached.Before(*until) {
			return true
		}
		if reached.Equal(at) {
			return false
		}
		at = reached
	}
	return false
}

func refusal(c *config.Conflict, k Known, wanted, other span) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s cannot be held together with %s (conflict %q): %s is %s %s", inWords(wanted), other.is, c.Name, inWords(other), other.how, between(other))
	fmt.Fprintf(&b, "; ask for a time in which it is not, give %s up first, or have an exception made: scimhub conflict exempt %s %s %s --owner PERSON --until TIME --reason TEXT",
		other.role, cmp.Or(k.Row.Name, k.Row.ID), wanted.is, other.is)
	return model.Fail(model.Refused, b.String(), nil)
}

func inWords(s span) string {
	if s.role == s.is {
		return s.role
	}
	return s.role + ", which includes " + s.is + ","
}

func between(s span) string {
	text := "from " + s.from.UTC().Format(time.RFC3339)
	if s.until == nil {
		return text + " without an end"
	}
	return text + " until " + s.until.UTC().Format(time.RFC3339)
}

// distinctTexts keeps the first of equal texts.
func distinctTexts(list []string) (out []string) {
	for _, text := range list {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

func sortedTexts(list []string) []string {
	out := distinctTexts(list)
	slices.Sort(out)
	return out
}
