package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/config"
)

// TestWithdrawnAuthority: when client_ca changes, certificates of the old authority
// prove nothing on new connections, and a session that began before is no way around.
func TestWithdrawnAuthority(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		ca := issue(t, dir, "ca", nil, x509.Certificate{})
		issue(t, dir, "hub", ca, loopback())
		gateway := issue(t, dir, "gateway", ca, x509.Certificate{})
		var later atomic.Int64
		f, err := openTLS(config.TLS{Cert: path("hub.crt"), Key: path("hub.key"), ClientCA: path("ca.crt")}, slog.New(slog.DiscardHandler),
			func() time.Time { return time.Now().Add(time.Duration(later.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "verified %v resumed %v", len(r.TLS.VerifiedChains) > 0, r.TLS.DidResume)
		}))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server.Listener.Close()
		server.Listener = tls.NewListener(l, f.server())
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.Start()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(ca.Leaf)
		client := &tls.Config{RootCAs: roots, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4),
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return gateway, nil }}
		get := func() string {
			t.Helper()
			transport := &http.Transport{TLSClientConfig: client}
			defer transport.CloseIdleConnections()
			res, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String())
			if err != nil {
				return "no connection"
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		for n, want := range []string{"verified true resumed false", "verified true resumed true"} {
			if got := get(); got != want {
				t.Errorf("%x: connection %d: %s, want %s", version, n, got, want)
			}
		}
		issue(t, dir, "ca", nil, x509.Certificate{}) // another authority in the same file
		later.Store(int64(2 * time.Second))
		for n := range 2 {
			if got := get(); got != "no connection" {
				t.Errorf("%x: after the authority was withdrawn, connection %d: %s", version, n, got)
			}
		}
	}
}
