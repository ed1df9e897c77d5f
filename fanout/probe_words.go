package fanout

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML is the profile as it may be stated below a target, with what was learnt and
// how above it, and what could not be learnt below.
func (r ProbeReport) YAML() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Learnt from %s with %d requests%s; state it below the target, beside url.\n", r.URL, r.Requests,
		map[bool]string{true: ", reading only"}[r.ReadOnly])
	for _, f := range r.Findings {
		if f.Differs {
			fmt.Fprintf(&b, "# %s: %s\n", f.Field, oneLine(f.Because))
		}
	}
	if len(r.Profile) == 0 {
		b.WriteString("profile: generic\n")
	} else {
		text, err := yaml.Marshal(r.Profile)
		if err != nil {
			return "", fmt.Errorf("profile: %w", err)
		}
		b.WriteString("profile: generic\n")
		b.Write(text)
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(&b, "# not learnt: %s\n", oneLine(u))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "# note: %s\n", oneLine(n))
	}
	for _, l := range r.Left {
		fmt.Fprintf(&b, "# LEFT BEHIND: %s\n", oneLine(l))
	}
	return b.String(), nil
}

// oneLine keeps a comment a comment: what an application said may hold line ends.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 {
			return ' '
		}
		return c
	}, s)
}
