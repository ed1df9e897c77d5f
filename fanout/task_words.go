package fanout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// taskWords says to a person what is to be done about one account at a target.
func taskWords(target string, row model.AccountRow, changes []model.Change) string {
	var parts, joins, leaves, because []string
	for _, c := range changes {
		switch c.Verb {
		case model.Join:
			joins = append(joins, fmt.Sprintf("%q", printable(c.Group)))
		case model.Part:
			leaves = append(leaves, fmt.Sprintf("%q", printable(c.Group)))
		default:
			parts = append(parts, verbWords(row, c))
		}
		for _, why := range c.Because {
			if why = printable(why); !slices.Contains(because, why) {
				because = append(because, why)
			}
		}
	}
	name := printable(nameOf(row))
	if len(joins) > 0 {
		parts = append(parts, fmt.Sprintf("put %s into the %s %s", name, groupWord(joins), strings.Join(joins, ", ")))
	}
	if len(leaves) > 0 {
		parts = append(parts, fmt.Sprintf("take %s out of the %s %s", name, groupWord(leaves), strings.Join(leaves, ", ")))
	}
	text := "at " + target + ": " + strings.Join(parts, "; ")
	if len(because) > 0 {
		text += " (because " + strings.Join(because, ", ") + ")"
	}
	return text
}

func groupWord(list []string) string {
	if len(list) == 1 {
		return "group"
	}
	return "groups"
}

func verbWords(row model.AccountRow, c model.Change) string {
	name := printable(nameOf(row))
	switch c.Verb {
	case model.Create, model.Adopt:
		text := "make the account " + name
		if c.After != nil && !c.After.Active {
			text += ", switched off"
		}
		if list := fieldWords(c.Fields, false); list != "" {
			text += " with " + list
		}
		return text
	case model.Disable:
		if row.Applied == nil {
			return "make sure that the account " + name + " does not exist or is switched off: somebody was asked to make it, and has not said whether they did"
		}
		return "switch the account " + name + " off"
	case model.Delete:
		return "delete the account " + name
	case model.Update:
		return "change the account " + name + ": " + fieldWords(c.Fields, true)
	}
	return string(c.Verb) + " " + name
}

func fieldWords(fields []model.FieldDiff, before bool) string {
	var out []string
	for _, f := range fields {
		switch {
		case f.Path == "active" && f.After == true:
			if before {
				out = append(out, "switch it on")
			}
		case f.Path == "active" || f.Path == "groups":
		case before:
			out = append(out, fmt.Sprintf("%s: %s -> %s", printable(f.Path), value(f.Before), value(f.After)))
		default:
			out = append(out, fmt.Sprintf("%s %s", printable(f.Path), value(f.After)))
		}
	}
	return strings.Join(out, ", ")
}
