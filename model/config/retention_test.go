package config

import (
	"strings"
	"testing"
	"time"
)

// TestRetention: what is evidence is kept as long as the audit trail unless it is said
// otherwise, and nothing so short that nobody could look into it.
func TestRetention(t *testing.T) {
	t.Parallel()
	const none = time.Duration(0)
	for name, want := range map[string]struct {
		text     string
		kept     Retention
		audit    time.Duration
		warnings int
	}{
		"nothing said":        {"", Retention{none, none, none, 90 * day, 90 * day, 400 * day}, none, 0},
		"as the audit trail":  {"audit: {retain: 7y}", Retention{7 * year, 7 * year, 7 * year, 90 * day, 90 * day, 400 * day}, 7 * year, 0},
		"one of them":         {"retention: {events: 1y}\naudit: {retain: 7y}", Retention{year, 7 * year, 7 * year, 90 * day, 90 * day, 400 * day}, 7 * year, 0},
		"for ever":            {"retention: {events: 0, deliveries: 0}\naudit: {retain: 7y}", Retention{none, 7 * year, 7 * year, none, 90 * day, 400 * day}, 7 * year, 0},
		"audit far too short": {"audit: {retain: 1s}", Retention{30 * day, 30 * day, 30 * day, 90 * day, 90 * day, 400 * day}, 30 * day, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, faults := Parse("hub.yaml", []byte(want.text+"\n"))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if doc.Retention != want.kept || doc.Audit.Retain != want.audit {
				t.Errorf("kept %+v, audit %v", doc.Retention, doc.Audit.Retain)
			}
			said := 0
			for _, w := range doc.Warnings {
				if strings.Contains(w.Message, "audit.retain") {
					said++
				}
			}
			if said != want.warnings {
				t.Errorf("warnings %v", doc.Warnings)
			}
		})
	}
}
