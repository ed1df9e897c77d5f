package scimserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/scimserver"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, n: 1}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	a.cert = a.sign(tmpl, tmpl, key).Leaf
	return a
}

func (a *authority) sign(tmpl, parent *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(name pkix.Name) tls.Certificate {
	a.t.Helper()
	a.n++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(&x509.Certificate{SerialNumber: big.NewInt(a.n), Subject: name, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a.cert, key)
}

func certOf(source, name, subject string, sum [32]byte) scimserver.Certificate {
	return scimserver.Certificate{Client: scimserver.Client{Source: source, Name: name}, Subject: subject, SHA256: sum}
}

// TestClientCertificates goes over real TLS: what the handshake proves is part of it.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	byName, full := ca.client(pkix.Name{CommonName: "gateway"}), ca.client(pkix.Name{CommonName: "pay, roll", Organization: []string{"Example"}, OrganizationalUnit: []string{"IT"}})
	pinned, unlisted := ca.client(pkix.Name{CommonName: "gateway"}), ca.client(pkix.Name{CommonName: "somebody"})
	forged := stranger.client(pkix.Name{CommonName: "gateway"})
	creds := scimserver.Credentials{
		Tokens: []scimserver.Token{tok("hr", "token", "hr-token", time.Time{}), tok("entra", "token", "entra-token", time.Time{})},
		Certificates: []scimserver.Certificate{certOf("hr", "by-name", "gateway", [32]byte{}), certOf("entra", "full", `CN=pay\, roll,OU=IT,O=Example`, [32]byte{}),
			certOf("entra", "pinned", "", sha256.Sum256(pinned.Certificate[0]))},
	}
	a := newAccess(t, &stopped{now: time.Now()}, creds)
	url := tlsServer(t, ca, a)
	for name, tt := range map[string]struct {
		cert   *tls.Certificate
		header string
		want   string // source/credential, a status with what it says, or "handshake"
	}{
		"nothing":                        {nil, "", "401 needs a bearer token"},
		"token alone":                    {nil, "Bearer hr-token", "hr/token"},
		"common name":                    {&byName, "", "hr/by-name"},
		"whole subject":                  {&full, "", "entra/full"},
		"the certificate itself first":   {&pinned, "", "entra/pinned"},
		"unlisted":                       {&unlisted, "", "401 not one of a source"},
		"unlisted with a token":          {&unlisted, "Bearer hr-token", "hr/token"},
		"with a token of the source":     {&byName, "Bearer hr-token", "hr/token"},
		"with a token of another":        {&byName, "Bearer entra-token", "401 another source"},
		"with a wrong token":             {&byName, "Bearer nonsense", "401 not valid"},
		"with an empty header":           {&byName, "Bearer", "401 must read"},
		"signed by somebody else":        {&forged, "Bearer hr-token", "handshake"},
		"the same name, somebody else's": {&forged, "", "handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
			cfg.RootCAs.AddCert(ca.cert)
			if tt.cert != nil { // whichever authorities the server asks for
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }
			}
			transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
			t.Cleanup(transport.CloseIdleConnections)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/whoami", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				req.Header.Set("Authorization", tt.header)
			}
			got := "handshake"
			if res, err := (&http.Client{Transport: transport}).Do(req); err == nil {
				defer res.Body.Close()
				body, _ := io.ReadAll(res.Body)
				if got = string(body); res.StatusCode == http.StatusUnauthorized {
					got = "401 " + got
				}
			}
			for word := range strings.FieldsSeq(tt.want) {
				if !strings.Contains(got, word) {
					t.Errorf("%q, want %q", got, tt.want)
				}
			}
		})
	}
}

// tlsServer answers /whoami with the client, over TLS as the hub speaks it.
func tlsServer(t *testing.T, ca *authority, a *scimserver.Access) string {
	t.Helper()
	root := mux.NewRouter()
	root.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) {
		client, err := a.Authenticate(r)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		_, _ = io.WriteString(w, client.Source+"/"+client.Name)
	})
	srv := httptest.NewUnstartedServer(root)
	srv.EnableHTTP2 = true
	server := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(99), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, ca.cert, ca.key)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestCertificateOutlived: a connection may outlive the certificate it began with;
// and one that the handshake did not verify proves nothing.
func TestCertificateOutlived(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert := ca.client(pkix.Name{CommonName: "gateway"})
	c := &stopped{now: time.Now()}
	a := newAccess(t, c, scimserver.Credentials{Certificates: []scimserver.Certificate{certOf("hr", "c", "gateway", [32]byte{})}})
	r := withHeader("")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}, VerifiedChains: [][]*x509.Certificate{{cert.Leaf, ca.cert}}}
	if client, err := a.Authenticate(r); err != nil || client.Source != "hr" {
		t.Fatal(client, err)
	}
	c.pass(2 * time.Hour)
	if _, err := a.Authenticate(r); statusOf(err) != 401 {
		t.Errorf("outlived: %v", err)
	}
	c.pass(-2 * time.Hour)
	r.TLS.VerifiedChains = nil
	if client, err := a.Authenticate(r); statusOf(err) != 401 {
		t.Errorf("not verified: %v as %s", err, client.Source)
	}
}

// BenchmarkAuthenticate is what every request pays.
func BenchmarkAuthenticate(b *testing.B) {
	c := newStopped()
	key := es256(b, "e")
	creds := scimserver.Credentials{JWT: []scimserver.JWT{jwtOf("hr", newIssuer(b, key), nil)}, Limits: map[string]scimserver.Limit{"hr": {Requests: 1e9, Burst: 1e9}}}
	for n := range 100 {
		creds.Tokens = append(creds.Tokens, tok("hr", "t", "secret-"+strings.Repeat("x", n), time.Time{}))
	}
	a := newAccess(b, c, creds)
	for name, header := range map[string]string{"token": "Bearer secret-xxx", "jwt": "Bearer " + key.token(b, validClaims(c.Now(), nil), nil)} {
		b.Run(name, func(b *testing.B) {
			r := withHeader(header)
			for b.Loop() {
				if _, err := a.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
