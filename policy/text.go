package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// maxShown is how many elements of a list a reason shows.
const maxShown = 5

// ReasonText says a reason in words:
//
//	role engineer: user.enterprise.department == "Engineering" (department "Engineering" from hr)
//	role engineer, which includes employee: …
//	role prod-admin: request 7f3a approved
//	member of group app-git-dev
//	member of group app-git-dev by way of backend, platform
func ReasonText(r model.Reason) string {
	if r.Group != "" {
		if way := Way(r.Via); way != "" {
			return "member of group " + r.Group + " by way of " + way
		}
		return "member of group " + r.Group
	}
	var b strings.Builder
	b.WriteString("role " + r.Role)
	for i, via := range r.Via {
		if i == 0 {
			b.WriteString(", which includes " + via)
		} else {
			b.WriteString(", and so " + via)
		}
	}
	switch {
	case r.Request != "":
		b.WriteString(": request " + r.Request + " approved")
	case r.Rule != "":
		b.WriteString(": " + strings.Join(strings.Fields(r.Rule), " "))
	}
	if len(r.Facts) > 0 {
		b.WriteString(" (" + factsText(r) + ")")
	}
	if r.HandOver {
		b.WriteString("; no longer so, kept for hand-over")
		if r.KeptUntil != nil {
			b.WriteString(" until " + r.KeptUntil.UTC().Format(time.RFC3339))
		}
	}
	if r.Exception != "" {
		b.WriteString("; by exception " + r.Exception)
	}
	return b.String()
}

// Way names the groups between a person and the group that they are in by way of them;
// empty where it lists them itself. A long way is cut in the middle.
func Way(via []string) string {
	if len(via) < 2 {
		return ""
	}
	between := via[:len(via)-1]
	if n := len(between); n > 2*maxShown {
		cut := fmt.Sprintf("%d more", n-2*maxShown)
		between = slices.Concat(between[:maxShown], []string{cut}, between[n-maxShown:])
	}
	return strings.Join(between, ", ")
}

func factsText(r model.Reason) string {
	names := make([]string, 0, len(r.Facts))
	for n := range r.Facts {
		names = append(names, n)
	}
	slices.Sort(names)
	parts := make([]string, 0, len(names))
	for _, n := range names {
		part := label(n) + " " + valueText(r.Facts[n])
		if r.Facts[n] == nil {
			part = "no " + label(n)
		}
		if from := r.Sources[n]; from != "" {
			part += " from " + from
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// label is the short name of a fact: department for enterprise.department and for
// an extension's urn:…:User:department.
func label(fact string) string {
	if strings.HasPrefix(strings.ToLower(fact), "urn:") {
		return fact[strings.LastIndexByte(fact, ':')+1:]
	}
	return strings.TrimPrefix(fact, fieldEnterprise+".")
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		shown := make([]string, 0, maxShown+1)
		for _, item := range v[:min(len(v), maxShown)] {
			shown = append(shown, valueText(item))
		}
		if more := len(v) - maxShown; more > 0 {
			shown = append(shown, fmt.Sprintf("and %d more", more))
		}
		return "[" + strings.Join(shown, ", ") + "]"
	case map[string]any:
		if value, ok := v["value"]; ok {
			return valueText(value)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
