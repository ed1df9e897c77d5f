package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	otherVersion(w, httptest.NewRequest("GET", "/scim/v1/Users", nil))
	body := w.Body.String()
	if w.Code != 400 || w.Header().Get("Content-Type") != "application/scim+json" ||
		!strings.Contains(body, `"scimType":"invalidVers"`) || !strings.Contains(body, `"status":"400"`) || !strings.Contains(body, "/scim/v2") {
		t.Errorf("%d %v %s", w.Code, w.Header(), body)
	}
}
