package fanout

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Render is the plan as text: a line of sums, a line per change, and how to
// release what is held. Equal plans give equal text.
//
//	target crm   3 changes, 1 held
//	  - disable  jdoe    because leaver since 2026-11-20
//	  ~ update   asmith  title: "Engineer" -> "Manager"; because role mgr-crm
//	  ! delete   bold    held: mode no-delete does not delete; because no role grants it any longer
//	  release what is held: scimhub target release crm 7f3a91bb20cc41de
func Render(p model.Plan) string {
	var b strings.Builder
	held := len(HeldChanges(p))
	fmt.Fprintf(&b, "target %s   ", p.Target)
	switch {
	case len(p.Changes) == 0:
		b.WriteString("no changes\n")
		return b.String()
	case len(p.Changes) == 1:
		b.WriteString("1 change")
	default:
		fmt.Fprintf(&b, "%d changes", len(p.Changes))
	}
	if held > 0 {
		fmt.Fprintf(&b, ", %d held", held)
	}
	b.WriteByte('\n')
	verbs, names := 0, 0
	for _, c := range p.Changes {
		verbs, names = max(verbs, len(c.Verb)), max(names, len([]rune(subject(c))))
	}
	for _, c := range p.Changes {
		line := fmt.Sprintf("  %s %-*s  %-*s  %s", sign(c), verbs, c.Verb, names, subject(c), details(c))
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	if held > 0 {
		fmt.Fprintf(&b, "  release what is held: scimhub target release %s %s\n", p.Target, PlanDigest(p))
	}
	return b.String()
}

func subject(c model.Change) string {
	switch {
	case c.Identity == "" && c.Group != "":
		return printable(c.Group)
	case c.UserName == "":
		return printable(c.Identity)
	}
	return printable(c.UserName)
}

func sign(c model.Change) string {
	switch {
	case c.Held != "":
		return "!"
	case c.Removes():
		return "-"
	case c.Verb == model.Create, c.Verb == model.Adopt, c.Verb == model.Join, c.Verb == model.CreateGroup, c.Verb == model.AdoptGroup:
		return "+"
	case c.Verb == model.DeleteGroup:
		return "-"
	case c.Verb == model.Report:
		return "?"
	}
	return "~"
}

func details(c model.Change) string {
	var parts []string
	if c.Held != "" {
		parts = append(parts, "held: "+printable(c.Held))
	}
	switch c.Verb {
	case model.Join:
		parts = append(parts, "+group "+printable(c.Group))
	case model.Part:
		parts = append(parts, "-group "+printable(c.Group))
	case model.Update, model.Adopt, model.Report, model.RenameGroup:
		for _, f := range c.Fields {
			parts = append(parts, fmt.Sprintf("%s: %s -> %s", printable(f.Path), value(f.Before), value(f.After)))
		}
	}
	parts = append(parts, consequences(c)...)
	if len(c.Because) > 0 {
		because := make([]string, len(c.Because))
		for i, s := range c.Because {
			because[i] = printable(s)
		}
		parts = append(parts, "because "+strings.Join(because, ", "))
	}
	return strings.Join(parts, "; ")
}

// consequences says what cannot be taken back, what is lost, and who has to do it.
func consequences(c model.Change) (parts []string) {
	switch c.Undo {
	case "", model.UndoFreely:
	case model.UndoNever:
		parts = append(parts, "cannot be undone")
	default:
		parts = append(parts, c.Undo)
	}
	if c.Loses != "" {
		parts = append(parts, "loses "+printable(c.Loses))
	}
	if c.ByPerson {
		parts = append(parts, "by a person")
	}
	return parts
}

const valueLength = 120 // bytes of one value in a rendered plan

func value(v any) string {
	if v == nil {
		return "–"
	}
	s := string(canonicalJSON(v))
	if len(s) > valueLength {
		s = strings.ToValidUTF8(s[:valueLength], "") + "…"
	}
	return printable(s)
}

// printable keeps what sources sent from moving the reader's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r <= 0x9f) || r == 0x2028 || r == 0x2029 || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '\uFFFD'
		}
		return r
	}, s)
}
