package config_test

import (
	"encoding/json"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

// TestDatesWrittenAgain: whatever is read can be written again.
func TestDatesWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2027-06-30", "9999-12-31", "0000-01-01", "2027-06-30T12:00:00.5+02:00", "9999-12-31T23:59:59Z"} {
		at, err := config.ParseDate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := json.Marshal(at); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"9999-12-31T23:59:59-23:00", "0000-01-01T00:00:00+01:00", "10000-01-01", "2027-02-30", "", "tomorrow"} {
		if at, err := config.ParseDate(text); err == nil {
			t.Errorf("%s: %s", text, at)
		}
	}
}
