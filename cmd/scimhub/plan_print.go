package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// How much of a plan is printed for people; -o json has all of it.
const (
	printedChanges  = 100 // of one target
	printedPeople   = 20
	printedFindings = 20
)

func printPlan(w io.Writer, a admin.PlanAnswer) error {
	for _, p := range a.Plans {
		if err := printTargetPlan(w, p); err != nil {
			return err
		}
	}
	if err := printRoles(w, a); err != nil {
		return err
	}
	printSome(w, "finding: ", a.Findings)
	printSome(w, "warning: ", a.Warnings)
	if a.Unchanged {
		_, err := fmt.Fprintln(w, "nothing would change")
		return err
	}
	_, err := fmt.Fprintf(w, "%d targets would change; %d accounts would lose access, %d of them are held by a guard; %d would gain access\n"+
		"%d people in all; %d roles gained, %d lost, %d new findings\n", len(a.Plans), a.Removals, a.Held, a.Additions, a.Affected, a.Gained, a.Lost, a.NewFindings)
	return err
}

// printTargetPlan cuts a long list of changes; the line on how to release stays.
func printTargetPlan(w io.Writer, p model.Plan) error {
	lines := strings.SplitAfter(strings.TrimSuffix(fanout.Render(p), "\n"), "\n")
	if len(p.Changes) > printedChanges {
		rest := lines[1+len(p.Changes):]
		lines = append(lines[:1+printedChanges:1+printedChanges], fmt.Sprintf("  … and %d more (-o json has all)\n", len(p.Changes)-printedChanges))
		lines = append(lines, rest...)
	}
	_, err := io.WriteString(w, strings.TrimSuffix(strings.Join(lines, ""), "\n")+"\n")
	return err
}

func printRoles(w io.Writer, a admin.PlanAnswer) error {
	if len(a.Roles) > 0 {
		rows := make([][]string, len(a.Roles))
		for i, r := range a.Roles {
			people := make([]string, len(r.People))
			for n, p := range r.People {
				people[n] = printable(p)
			}
			list := strings.Join(people, " ")
			if more := r.Gained + r.Lost - len(r.People); more > 0 {
				list += fmt.Sprintf(" and %d more", more)
			}
			rows[i] = []string{r.Role, fmt.Sprintf("+%d", r.Gained), fmt.Sprintf("-%d", r.Lost), list}
		}
		if err := columns(w, "ROLE GAINED LOST PEOPLE", rows); err != nil {
			return err
		}
	}
	for i, e := range a.People {
		if i == printedPeople {
			fmt.Fprintf(w, "  … and %d more people (-o json has all)\n", len(a.People)-i)
			break
		}
		printEffect(w, e)
	}
	return nil
}

func printEffect(w io.Writer, e hub.Effect) {
	fmt.Fprintf(w, "%s\n", printable(e.Person))
	if e.Before != e.After {
		fmt.Fprintf(w, "  %s -> %s\n", dash(string(e.Before)), e.After)
	}
	for _, r := range e.Gained {
		fmt.Fprintf(w, "  + %s  because %s\n", r.Role, printable(strings.Join(r.Because, ", ")))
	}
	for _, r := range e.Lost {
		fmt.Fprintf(w, "  - %s  held because %s\n", r.Role, printable(strings.Join(r.Because, ", ")))
	}
	for _, f := range e.Findings {
		fmt.Fprintf(w, "  ! %s\n", printable(f))
	}
}

// printable keeps what sources sent from moving the reader's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

func printSome(w io.Writer, what string, list []string) {
	for i, line := range list {
		if i == printedFindings {
			fmt.Fprintf(w, "%s… and %d more (-o json has all)\n", what, len(list)-i)
			return
		}
		fmt.Fprintln(w, what+line)
	}
}
