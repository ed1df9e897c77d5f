package outbound

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

func TestWhereGuardedRequestsGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address           string
		guarded, allowing bool // allowed without and with private addresses
	}{
		{"93.184.216.34", true, true}, {"2606:2800:220:1::1", true, true},
		{"127.0.0.1", false, true}, {"::1", false, true}, {"10.1.2.3", false, true}, {"192.168.0.1", false, true}, {"172.16.9.9", false, true},
		{"fd12::1", false, true}, {"100.64.0.1", false, true},
		{"169.254.169.254", false, false}, {"fe80::1", false, false}, {"100.100.100.200", false, false}, {"fd00:ec2::254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false}, {"2002:a9fe:a9fe::1", false, false}, {"64:ff9b::7f00:1", false, true}, {"64:ff9b::5db8:d822", true, true},
		{"0.0.0.0", false, false}, {"::", false, false}, {"224.0.0.1", false, false}, {"::ffff:169.254.169.254", false, false},
	} {
		a := netip.MustParseAddr(c.address).Unmap()
		if got := allowed(a, false) == nil; got != c.guarded {
			t.Errorf("%s: allowed %v, want %v", c.address, got, c.guarded)
		}
		if got := allowed(a, true) == nil; got != c.allowing {
			t.Errorf("%s with private ones: allowed %v, want %v", c.address, got, c.allowing)
		}
	}
}

// A name that resolves to loopback is judged by where it leads.
func TestTransportLooksAtTheAddress(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	url := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	get := func(private bool) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := Transport(private)
		defer transport.CloseIdleConnections()
		res, err := transport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	if err := get(false); model.CodeOf(err) != model.Forbidden {
		t.Errorf("loopback by name: %v", err)
	}
	if err := get(true); err != nil {
		t.Errorf("loopback where allowed: %v", err)
	}
}
