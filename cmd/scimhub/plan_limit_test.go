package main

import (
	"testing"

	"github.com/scimhub/scimhub/admin"
)

func TestFailOn(t *testing.T) {
	t.Parallel()
	answer := admin.PlanAnswer{Removals: 3, Additions: 2, Gained: 5, Lost: 4, Held: 1, NewFindings: 0, Affected: 6}
	for text, want := range map[string]string{
		"":                            "",
		"  ":                          "",
		"removals>3":                  "",
		"removals>2":                  "removals: 3, --fail-on allows 2",
		"removals >= 3":               "removals: 3, --fail-on allows fewer than 3",
		"removals>=4":                 "",
		"findings>0||held>0":          "held: 1, --fail-on allows 0",
		"findings>0, people > 5":      "people: 6, --fail-on allows 5",
		"lost>3 || gained>4,held>9":   "lost: 4, --fail-on allows 3; gained: 5, --fail-on allows 4",
		"additions>1 , additions>100": "additions: 2, --fail-on allows 1",
	} {
		limits, err := parseFailOn(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := exceeded(limits, answer); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"removals", "removals<3", "removals>", "removals>x", "removals>-1", "removals>1.5", ">3", "removals>1 && lost>2",
		"Removals>1", "accounts>1", "removals>1,", "||", "removals>1||||lost>2", "removals>99999999999", "removals=3"} {
		if _, err := parseFailOn(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
