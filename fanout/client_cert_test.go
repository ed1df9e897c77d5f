package fanout

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// certificateFor writes a certificate of its own authority, NAME.crt and NAME.key.
func certificateFor(t *testing.T, dir, subject string, end time.Time) (files model.ClientCert) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := x509.Certificate{SerialNumber: big.NewInt(end.UnixNano()), Subject: pkix.Name{CommonName: subject}, NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files = model.ClientCert{Cert: filepath.Join(dir, "hub.crt"), Key: filepath.Join(dir, "hub.key")}
	for name, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestClientCertificateRotates: what the hub shows at a target is what its files hold now,
// over connections that were open before, too; files that cannot be used change nothing.
func TestClientCertificateRotates(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		dir, now := t.TempDir(), time.Now()
		files := certificateFor(t, dir, "first", now.Add(time.Hour))
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"totalResults":0,"shown":%q}`, r.TLS.PeerCertificates[0].Subject.CommonName)
		}))
		server.EnableHTTP2 = http2
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		target := model.Target{Name: "t", URL: server.URL, Auth: model.Auth{MTLS: &files}}
		way := targetTransport(target, generic(t), func() time.Time { return now }).(*certTransport)
		begun := way.fresh
		way.fresh = func() *http.Transport {
			own := begun()
			own.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			return own
		}
		shown := func() (name string) {
			t.Helper()
			res, err := (&http.Client{Transport: way}).Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := fmt.Fscanf(res.Body, `{"totalResults":0,"shown":%q}`, &name); err != nil {
				t.Fatal(err)
			}
			return name
		}
		expect := func(when, want string) {
			t.Helper()
			if got := shown(); got != want {
				t.Errorf("HTTP/2 %v, %s: the hub shows %q, want %q", http2, when, got, want)
			}
		}
		expect("at first", "first")
		certificateFor(t, dir, "the second", now.Add(2*time.Hour))
		expect("within a second", "first")
		now = now.Add(2 * time.Second)
		expect("after it", "the second")
		if err := os.WriteFile(files.Cert, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Second)
		expect("with a broken file", "the second")
		certificateFor(t, dir, "the third one", now.Add(3*time.Hour))
		now = now.Add(2 * time.Second)
		expect("mended", "the third one")
		if end := expiryOf(target.Auth, generic(t), store.Credential{Slot: model.SlotPresent}); end == nil || end.Before(now.Add(2*time.Hour)) {
			t.Errorf("the certificate ends at %v", end)
		}
		way.CloseIdleConnections()
	}
}
