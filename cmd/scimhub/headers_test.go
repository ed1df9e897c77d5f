package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestHeaders: whatever is asked for, found or not, nothing that a browser shows can run,
// be framed, be guessed to be something else or be kept; over HTTPS it comes back so.
func TestHeaders(t *testing.T) {
	t.Parallel()
	i, _ := running(t, "listen: 127.0.0.1:0\npublic_url: https://hub.example\ndatabase: sqlite:"+filepath.Join(t.TempDir(), "hub.db")+
		"\nmetrics: {listen: 127.0.0.1:0}\nsources: {hr: {tokens: [{name: main, secret: headers-of-hr}]}}\n")
	own := "http://" + i.aside.listener.Addr().String()
	for _, url := range []string{i.URL + "/", i.URL + "/sign-in", i.URL + "/people", i.URL + "/api/v1/targets", i.URL + "/api/openapi.json", i.URL + "/scim/v2/Users", i.URL + "/scim/v1/x",
		i.URL + "/proxy/x/scim/v2/Users", i.URL + "/healthz", i.URL + "/readyz", i.URL + "/nowhere", i.URL + "/debug/pprof/", own + "/metrics", own + "/healthz", own + "/readyz", own + "/"} {
		h := asked(t, "GET", url, "").header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000", "Content-Security-Policy": "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s is %q", url, name, h.Get(name))
			}
		}
		if p := h.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") || h.Get("Referrer-Policy") == "" || h.Get("Server") != "" {
			t.Errorf("%s: %v", url, h)
		}
		if c := h.Get("Cache-Control"); c != "no-store" && !strings.Contains(url, "openapi") {
			t.Errorf("%s may be kept: %q", url, c)
		}
	}
	for url, want := range map[string]int{i.URL + "/metrics": 404, own + "/metrics": 200, own + "/readyz": 200, own + "/api/v1/targets": 404, own + "/scim/v2/Users": 404, i.URL + "/debug/pprof/": 404, i.URL + "/debug/vars": 404, own + "/debug/pprof/": 404} {
		if h := asked(t, "GET", url, ""); h.status != want {
			t.Errorf("%s: %d, want %d", url, h.status, want)
		}
	}
}

// TestTLSScan asks as scanners do: which versions and which suites does it take, does it
// compress, renegotiate or fall for a client that pretends to be old.
func TestTLSScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := issue(t, dir, "ca", nil, x509.Certificate{})
	issue(t, dir, "hub", ca, loopback())
	i, _ := running(t, strings.ReplaceAll("listen: 127.0.0.1:0\ndatabase: sqlite:DIR/hub.db\ntls: {cert: DIR/hub.crt, key: DIR/hub.key}\nsources: {hr: {tokens: [{name: main, secret: tls-of-hr}]}}\n", "DIR", dir))
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	shake := func(c *tls.Config) (tls.ConnectionState, error) {
		c.RootCAs = roots
		conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: c}).DialContext(t.Context(), "tcp", i.listener.Addr().String())
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState(), nil
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("%s is taken", tls.VersionName(version))
		}
	}
	good := map[uint16]bool{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strings.Contains(fmt.Sprint(suite.SupportedVersions), fmt.Sprint(tls.VersionTLS12)) {
			continue
		}
		_, err := shake(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		sound := strings.HasPrefix(suite.Name, "TLS_ECDHE_ECDSA_") && (strings.Contains(suite.Name, "GCM") || strings.Contains(suite.Name, "POLY1305"))
		if good[suite.ID] = err == nil; good[suite.ID] != sound {
			t.Errorf("%s: taken %v", suite.Name, err == nil)
		}
	}
	if s, err := shake(&tls.Config{NextProtos: []string{"h2"}}); err != nil || s.Version != tls.VersionTLS13 || s.NegotiatedProtocol != "h2" {
		t.Errorf("a client of today: %s %q %v", tls.VersionName(s.Version), s.NegotiatedProtocol, err)
	}
	res, err := http.Get("http://" + i.listener.Addr().String() + "/scim/v2/Users")
	if err == nil {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %d", res.StatusCode)
		}
	}
}
