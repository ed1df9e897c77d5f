package notify

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnswersThatRepeatTheAddress: what a receiver answers is shown without the address that
// it was asked at, however it repeats it and wherever the answer is cut.
func TestAnswersThatRepeatTheAddress(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "https://hooks.example/services/T0000/secret-of-hook%2F1?key=secret-of-query", nil)
	r.Header.Set("Webhook-Signature", "v1,secret-of-signature")
	hide := unshown(r)
	limit := answerBytes + len(hide[0])
	for _, text := range []string{
		r.URL.String(), r.URL.RequestURI(), "no such hook: secret-of-hook/1", "secret-of-hook%2F1", "key secret-of-query is wrong", "got v1,secret-of-signature",
	} {
		for before := range answerBytes + 20 {
			all := strings.Repeat("x", before) + text + text
			if got := answered(all[:min(len(all), limit)], hide, limit); strings.Contains(got, "secret") {
				t.Fatalf("%d bytes before %q: …%s", before, text, got[max(0, len(got)-80):])
			}
		}
	}
	if got := answered("busy, come back", hide, limit); got != "busy, come back" {
		t.Errorf("%q", got)
	}
}
