package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
)

// planLimit is one condition of --fail-on.
type planLimit struct {
	name  string
	orAt  bool // >= instead of >
	limit int
}

// planNames are the numbers that --fail-on knows.
const planNames = "additions, findings, gained, held, lost, people, removals"

func planCount(a admin.PlanAnswer, name string) (n int, known bool) {
	switch name {
	case "removals":
		return a.Removals, true
	case "additions":
		return a.Additions, true
	case "gained":
		return a.Gained, true
	case "lost":
		return a.Lost, true
	case "held":
		return a.Held, true
	case "findings":
		return a.NewFindings, true
	case "people":
		return a.Affected, true
	}
	return 0, false
}

var planLimitPattern = regexp.MustCompile(`^([a-z]+)\s*(>=|>)\s*([0-9]{1,9})$`)

// parseFailOn reads conditions like "removals>20 || findings>0"; one that holds is
// enough. Nothing is no condition.
func parseFailOn(s string) ([]planLimit, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var out []planLimit
	for part := range strings.SplitSeq(strings.ReplaceAll(s, "||", ","), ",") {
		part = strings.TrimSpace(part)
		m := planLimitPattern.FindStringSubmatch(part)
		if m == nil {
			return nil, fmt.Errorf("--fail-on must be conditions like 'removals>20' joined by ',' or '||'; this is none: %q", part)
		}
		if _, known := planCount(admin.PlanAnswer{}, m[1]); !known {
			return nil, fmt.Errorf("--fail-on knows %s, not %q", planNames, m[1])
		}
		n, err := strconv.Atoi(m[3])
		if err != nil {
			return nil, fmt.Errorf("--fail-on: %q is no number", m[3])
		}
		out = append(out, planLimit{m[1], m[2] == ">=", n})
	}
	return out, nil
}

// exceeded says in words which conditions hold; empty: none.
func exceeded(limits []planLimit, a admin.PlanAnswer) string {
	var said []string
	for _, l := range limits {
		n, _ := planCount(a, l.name)
		switch {
		case l.orAt && n >= l.limit:
			said = append(said, fmt.Sprintf("%s: %d, --fail-on allows fewer than %d", l.name, n, l.limit))
		case !l.orAt && n > l.limit:
			said = append(said, fmt.Sprintf("%s: %d, --fail-on allows %d", l.name, n, l.limit))
		}
	}
	return strings.Join(said, "; ")
}
