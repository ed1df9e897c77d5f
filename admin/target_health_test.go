package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// A quarantine is shown with its reason and next probe, and resume ends it; rotating
// needs something to rotate to.
func TestTargetHealth(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		next := since.Add(time.Minute)
		err := a.db.UpdateTargetState(t.Context(), "chat", func(st *store.TargetState) {
			st.QuarantinedAt, st.RetryAt, st.Reason, st.Probes, st.Failures = &since, &next, "the target refuses the hub's credentials", 3, 9
		})
		if err != nil {
			t.Fatal(err)
		}
		now := a.hub.Store.Now()
		if err := a.db.SaveProgress(t.Context(), "chat", store.Progress{Since: now.Add(-time.Minute), At: now, Done: 600, Waiting: 400, PerSecond: 10}); err != nil {
			t.Fatal(err)
		}
		_, body, _ := a.call("GET", "/targets/chat", "auditor-secret", "")
		for _, want := range []string{`"state":"quarantined"`, `"reason":"the target refuses`, `"next_probe":"2026-03-01T12:01:00Z"`, `"probes":3`,
			`"total":1000`, `"done":600`, `"per_second":10`, `"concurrency":{"most":4,"now":4}`, `"slot":"present"`, `"in_use":true`} {
			if !strings.Contains(strings.ReplaceAll(body, `": `, `":`), want) {
				t.Errorf("%s is not in %s", want, body)
			}
		}
		if strings.Contains(body, "swordfish") {
			t.Error("the secret is shown")
		}
		if code, body, _ := a.call("POST", "/targets/chat/resume", "operator-secret", ""); code != http.StatusOK || !strings.Contains(strings.ReplaceAll(body, `": `, `":`), `"state":"ok"`) {
			t.Errorf("resume: %d %s", code, body)
		}
		if code, body, _ := a.call("POST", "/targets/chat/rotate", "operator-secret", ""); code != http.StatusBadRequest || !strings.Contains(body, "auth.next") {
			t.Errorf("rotate: %d %s", code, body)
		}
		if code, _, _ := a.call("POST", "/targets/chat/rotate", "auditor-secret", ""); code != http.StatusForbidden {
			t.Errorf("an auditor rotates: %d", code)
		}
	})
}
