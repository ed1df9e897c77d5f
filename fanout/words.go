package fanout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/policy"
)

// reasons puts into words why the account (group empty) or a membership is due.
func reasons(r model.AccountRow, group string) []string {
	list := r.Because[group]
	if len(list) == 0 && group != "" {
		list = r.Because[""]
	}
	var out []string
	for _, reason := range list {
		if text := reasonText(reason); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func reasonText(r model.Reason) string {
	var b strings.Builder
	switch {
	case r.Request != "":
		fmt.Fprintf(&b, "request %s for role %s", r.Request, r.Role)
	case r.Group != "":
		fmt.Fprintf(&b, "source group %q is mirrored", r.Group)
		if way := policy.Way(r.Via); way != "" {
			fmt.Fprintf(&b, ", member by way of %s", way)
		}
	default:
		fmt.Fprintf(&b, "role %s", r.Role)
	}
	if len(r.Via) > 0 && r.Group == "" {
		fmt.Fprintf(&b, " through %s", strings.Join(r.Via, ", "))
	}
	if r.Rule != "" {
		fmt.Fprintf(&b, ": %s", r.Rule)
	}
	return b.String()
}

// gone says why access is no longer due.
func gone(r model.AccountRow) []string {
	switch {
	case r.Drill && r.LeaverAt != nil:
		return []string{"drill since " + r.LeaverAt.UTC().Format("2006-01-02 15:04:05")}
	case r.Leaver && r.LeaverAt != nil:
		return []string{"leaver since " + r.LeaverAt.UTC().Format("2006-01-02")}
	case r.Leaver:
		return []string{"leaver"}
	}
	return []string{"no role grants it any longer"}
}
