package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// tlsLook is how often the files are looked at, at most.
const tlsLook = time.Second

// tlsFiles is the hub's certificate, and the authorities whose client certificates
// it takes. Files that changed are read again by the next connection; what cannot
// be used leaves the old in force.
type tlsFiles struct {
	files config.TLS
	log   *slog.Logger
	now   func() time.Time
	fresh func() // called, if set, when another certificate is in force

	mu     sync.Mutex
	looked time.Time
	stamps [3]fileStamp
	config *tls.Config
}

type fileStamp struct {
	modified time.Time
	size     int64
}

func openTLS(files config.TLS, log *slog.Logger, now func() time.Time) (*tlsFiles, error) {
	f := &tlsFiles{files: files, log: log, now: now, looked: now(), stamps: stampsOf(files)}
	var err error
	if f.config, err = loadTLS(files); err != nil {
		return nil, model.Fail(model.Invalid, "tls: "+err.Error(), nil)
	}
	return f, nil
}

// loadTLS makes the configuration of connections: TLS 1.2 with forward secrecy and
// authenticated encryption, or newer (RFC 7644 §7.2, RFC 9325 §4.2).
func loadTLS(files config.TLS) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		}}
	if files.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(files.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("client_ca: " + files.ClientCA + " holds no certificate")
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven // sources may come with tokens, too
	return c, nil
}

func stampsOf(files config.TLS) (out [3]fileStamp) {
	for i, name := range []string{files.Cert, files.Key, files.ClientCA} {
		if info, err := os.Stat(name); err == nil {
			out[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// forClient is the configuration for a new connection.
func (f *tlsFiles) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.looked) < tlsLook {
		return f.config, nil
	}
	f.looked = now
	stamps := stampsOf(f.files)
	if stamps == f.stamps {
		return f.config, nil
	}
	next, err := loadTLS(f.files)
	if err != nil { // half written, perhaps: the next look finds the rest
		f.log.Warn("the changed TLS files cannot be used, the old ones stay in force", "error", err)
		return f.config, nil
	}
	f.config, f.stamps = next, stamps
	f.log.Info("TLS files read again")
	if f.fresh != nil {
		go f.fresh()
	}
	return next, nil
}

// server is the configuration of the listener.
func (f *tlsFiles) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: f.forClient}
}

// pin is the fingerprint of the certificate in force, and its end.
func (f *tlsFiles) pin() (fingerprint string, ends time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	cert := f.config.Certificates[0]
	sum := sha256.Sum256(cert.Certificate[0])
	return hex.EncodeToString(sum[:]), cert.Leaf.NotAfter
}

// pinned is the configuration of a client that knows the server's very certificate:
// the commands on the hub's own machine, which reach it by an address that is not
// in the certificate.
func pinned(fingerprint string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // VerifyConnection is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			sum := sha256.Sum256(s.PeerCertificates[0].Raw)
			if hex.EncodeToString(sum[:]) != fingerprint {
				return errors.New("the hub shows another certificate than it announced")
			}
			return nil
		}}
}
