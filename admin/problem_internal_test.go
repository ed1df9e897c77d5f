package admin

import (
	"testing"

	"github.com/scimhub/scimhub/model"
)

// TestUnavailableSaysWhen: what may be asked again later says when, and nothing else does.
func TestUnavailableSaysWhen(t *testing.T) {
	t.Parallel()
	for code, status := range statuses {
		a := problemAnswer(model.Fail(code, "x", nil))
		if got := a.header.Get("Retry-After"); (got != "") != (status == 503) {
			t.Errorf("%d: Retry-After %q", status, got)
		}
	}
	if got := problemAnswer(model.Fail(model.Unavailable, "x", nil)).header.Get("Retry-After"); got != retryUnavailable {
		t.Errorf("Retry-After %q", got)
	}
}
