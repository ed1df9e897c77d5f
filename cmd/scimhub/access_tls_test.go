package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/config"
)

// issue writes NAME.crt and NAME.key into a folder: signed by ca, or, where that is
// nil, an authority of its own.
func issue(t *testing.T, dir, name string, ca *tls.Certificate, tmpl x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	tmpl.Subject = pkix.Name{CommonName: name}
	parent, signer := &tmpl, key
	if ca == nil {
		tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = ca.Leaf, ca.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt, pemKey := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	write(t, filepath.Join(dir, name+".crt"), crt)
	write(t, filepath.Join(dir, name+".key"), pemKey)
	cert, err := tls.X509KeyPair(crt, pemKey)
	if err != nil {
		t.Fatal(err)
	}
	return &cert
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func loopback() x509.Certificate {
	return x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

// TestServeTLS runs a whole hub over TLS: sources come in with certificates, tokens
// or passwords, old versions and plain HTTP are refused, and the commands on this
// machine find their way by the announced fingerprint.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SCIMHUB_RUNTIME_DIR", filepath.Join(dir, "run"))
	ca := issue(t, dir, "ca", nil, x509.Certificate{})
	issue(t, dir, "hub", ca, loopback())
	gateway := issue(t, dir, "gateway", ca, x509.Certificate{})
	text := strings.ReplaceAll(`
listen: 127.0.0.1:0
database: sqlite:DIR/hub.db
tls: {cert: DIR/hub.crt, key: DIR/hub.key, client_ca: DIR/ca.crt}
sources:
  hr: {certificates: [{name: gw, subject: gateway}]}
  payroll: {basic: [{name: legacy, user: pay, password: roll-roll}]}
`, "DIR", dir)
	i, err := start(t.Context(), instanceOptions{Name: "hub.yaml", Config: []byte(text), Log: slog.New(slog.DiscardHandler), Announce: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if !strings.HasPrefix(i.URL, "https://127.0.0.1:") {
		t.Fatalf("the hub is at %s", i.URL)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	get := func(cfg *tls.Config, header string) string {
		t.Helper()
		cfg.RootCAs = roots
		transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+"/scim/v2/Users", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return "no connection"
		}
		defer res.Body.Close()
		return fmt.Sprint(res.Proto, " ", res.StatusCode)
	}
	withCert := func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{*gateway}} }
	const basic = "Basic cGF5OnJvbGwtcm9sbA=="
	for what, tt := range map[string]struct{ got, want string }{
		"certificate":           {get(withCert(), ""), "HTTP/2.0 200"},
		"nothing":               {get(&tls.Config{}, ""), "HTTP/2.0 401"},
		"password":              {get(&tls.Config{}, basic), "HTTP/2.0 200"},
		"password of another":   {get(withCert(), basic), "HTTP/2.0 401"},
		"TLS 1.2":               {get(&tls.Config{MaxVersion: tls.VersionTLS12}, basic), "HTTP/2.0 200"},
		"TLS 1.1":               {get(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, basic), "no connection"},
		"a suite without GCM":   {get(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, basic), "no connection"},
		"command":               {command(t, "token", "create", "hr"), "exit 0"},
		"command to the server": {command(t, "target", "list", "--server", i.URL), "exit 0"},
		"a stranger's hub":      {command(t, "target", "list", "--server", i.URL, "--token", "x"), "exit 1"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", what, tt.got, tt.want)
		}
	}
	res, err := http.Get("http" + strings.TrimPrefix(i.URL, "https") + "/scim/v2/Users")
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %d", res.StatusCode)
		}
	}
	if base := i.scimBase(nil); !strings.HasPrefix(base, "https://127.0.0.1:") {
		t.Errorf("meta.location begins with %s", base)
	}
	if metrics := metricsText(t, i); !strings.Contains(metrics, `scimhub_credential_expiry_timestamp_seconds{kind="tls",name="server"}`) {
		t.Errorf("the certificate's end is not among the metrics:\n%s", metrics)
	}
}

func command(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	code := execute(t.Context(), args, strings.NewReader(""), &out, &out)
	if code != 0 {
		t.Log(args, out.String())
	}
	return fmt.Sprint("exit ", code)
}

func metricsText(t *testing.T, i *instance) string {
	t.Helper()
	families, err := i.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fmt.Fprintf(&b, "%s{", f.GetName())
			for n, l := range m.GetLabel() {
				if n > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, "%s=%q", l.GetName(), l.GetValue())
			}
			b.WriteString("}\n")
		}
	}
	return b.String()
}

// TestTLSFiles: a certificate that was renewed is in force with the next
// connection; one that cannot be used leaves the old there.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	first := issue(t, dir, "hub", nil, loopback())
	now := time.Now()
	f, err := openTLS(config.TLS{Cert: path("hub.crt"), Key: path("hub.key")}, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	fresh := make(chan struct{}, 1)
	f.fresh = func() { fresh <- struct{}{} }
	shown := func() string {
		t.Helper()
		c, err := f.forClient(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Certificates[0].Certificate[0])
	}
	was := string(first.Certificate[0])
	write(t, path("hub.crt"), []byte("half a certificate"))
	if now = now.Add(2 * time.Second); shown() != was {
		t.Error("a broken file is in force")
	}
	second := string(issue(t, dir, "hub", nil, loopback()).Certificate[0])
	if shown() != was {
		t.Error("the files are looked at with every connection")
	}
	if now = now.Add(2 * time.Second); shown() != second {
		t.Error("the new certificate is not in force")
	}
	<-fresh
	if err := os.Remove(path("hub.key")); err != nil {
		t.Fatal(err)
	}
	if now = now.Add(2 * time.Second); shown() != second {
		t.Error("a file that is gone took the certificate with it")
	}
	for name, files := range map[string]config.TLS{
		"no key":         {Cert: path("hub.crt"), Key: path("hub.key")},
		"no certificate": {Cert: path("none"), Key: path("hub.key")},
		"no authority":   {Cert: path("hub.crt"), Key: path("hub.key"), ClientCA: path("none")},
	} {
		if _, err := openTLS(files, slog.New(slog.DiscardHandler), time.Now); err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	issue(t, dir, "hub", nil, loopback())
	write(t, path("empty.pem"), []byte("nothing"))
	if _, err := loadTLS(config.TLS{Cert: path("hub.crt"), Key: path("hub.key"), ClientCA: path("empty.pem")}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("an empty client_ca: %v", err)
	}
}
