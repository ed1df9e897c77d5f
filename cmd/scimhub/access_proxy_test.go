package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store/storetest"
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

// TestForwardedBySomebody: X-Forwarded-For of whoever is no trusted proxy changes
// nothing, so that a guesser cannot be somebody else with each guess.
func TestForwardedBySomebody(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		for configuration, want := range map[string]string{
			twoSources: "192.0.2.7:5",
			"trusted_proxies: [10.0.0.0/8]\n" + twoSources:                 "192.0.2.7:5",
			"trusted_proxies: [192.0.2.0/24, 10.0.0.0/8]\n" + twoSources:   "198.51.100.1:0",
			"trusted_proxies: [192.0.2.7, 198.51.100.1]\n" + twoSources:    "203.0.113.9:0",
			"trusted_proxies: ['0.0.0.0/0', '::/0']\n" + twoSources:        "203.0.113.9:0",
			"trusted_proxies: ['::ffff:192.0.2.7/128']\n" + twoSources:     "192.0.2.7:5",
			"trusted_proxies: ['::ffff:192.0.2.0/120']\n" + twoSources[1:]: "192.0.2.7:5",
		} {
			h := hub.New(db.Store, slog.New(slog.DiscardHandler))
			snap, err := hub.Compile(1, "hub.yaml", []byte(configuration), nil)
			if err != nil {
				t.Fatal(err)
			}
			h.Activate(snap)
			got := ""
			handler := (&instance{hub: h}).behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = "192.0.2.7:5"
			for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"} {
				r.Header.Set(name, "203.0.113.9, 198.51.100.1")
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			if got != want || r.RemoteAddr != "192.0.2.7:5" {
				t.Errorf("%.50s: %s, want %s", configuration, got, want)
			}
		}
	})
}
