package console

import (
	"testing"
	"time"
)

// TestSheets: every template can be read; at work each is when it is first shown.
func TestSheets(t *testing.T) {
	t.Parallel()
	s, err := loadSheets(nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.byName) < 10 {
		t.Errorf("%d templates", len(s.byName))
	}
	for name, read := range s.byName {
		if _, err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
