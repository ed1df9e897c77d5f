package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string // empty: the peer is it
	}{
		"no proxy":                   {"192.0.2.1:5", []string{"198.51.100.1"}, ""},
		"a proxy":                    {"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"what the client made up":    {"10.0.0.1:5", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		"in a header of its own":     {"10.0.0.1:5", []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		"two proxies":                {"10.0.0.1:5", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		"the last is no proxy":       {"10.0.0.1:5", []string{"198.51.100.1, 192.0.2.9"}, "192.0.2.9"},
		"from a proxy itself":        {"10.0.0.1:5", []string{"10.2.3.4"}, "10.2.3.4"},
		"nothing said":               {"10.0.0.1:5", nil, ""},
		"nonsense":                   {"10.0.0.1:5", []string{"unknown"}, ""},
		"nonsense behind a proxy":    {"10.0.0.1:5", []string{"unknown, 10.2.3.4"}, "10.2.3.4"},
		"with a port":                {"10.0.0.1:5", []string{"198.51.100.1:443"}, "198.51.100.1"},
		"IPv6":                       {"[2001:db8::1]:5", []string{"[2001:db9::7]:443"}, "2001:db9::7"},
		"IPv6 in brackets":           {"[2001:db8::1]:5", []string{"[2001:db9::7]"}, "2001:db9::7"},
		"IPv4 in IPv6":               {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a peer that has no address": {"@", []string{"198.51.100.1"}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.forwarded
		got := ""
		if a := origin(trusted, r); a.IsValid() {
			got = a.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
