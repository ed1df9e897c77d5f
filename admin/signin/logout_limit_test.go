package signin

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

// TestLogoutsByAddress: a stranger who sends logout tokens without end does not keep the
// provider's out, from however many addresses of one network; memory stays bounded.
func TestLogoutsByAddress(t *testing.T) {
	t.Parallel()
	var l logoutLimits
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	from := func(remote string) bool {
		r := httptest.NewRequest("POST", "/sign-in/backchannel", nil)
		r.RemoteAddr = remote
		return l.allow(r, now)
	}
	taken := 0
	for n := range 1000 {
		if from(fmt.Sprintf("203.0.113.9:%d", 1000+n)) {
			taken++
		}
	}
	if taken != logoutsAtOnce || !from("198.51.100.7:1") {
		t.Errorf("%d of a stranger's were taken; the provider's was refused: %v", taken, taken == logoutsAtOnce)
	}
	taken = 0
	for n := range 1000 {
		if from(fmt.Sprintf("[2001:db8::%x]:1", n+1)) {
			taken++
		}
	}
	if taken != logoutsAtOnce {
		t.Errorf("%d were taken from one network", taken)
	}
	if now = now.Add(time.Second); !from("203.0.113.9:1") {
		t.Error("a second later nothing is taken again")
	}
	for n := range 5 * logoutAddresses {
		from(fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255))
	}
	if len(l.addresses) > logoutAddresses {
		t.Errorf("%d addresses are kept", len(l.addresses))
	}
}
