package scimserver

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"
)

// Certificate is a TLS client certificate of one source. That it is signed by an
// authority the server trusts is checked by the handshake; this says whose it is.
// Exactly one of SHA256 and Subject is set.
type Certificate struct {
	Client
	SHA256  [sha256.Size]byte // of the certificate in DER
	Subject string            // the common name, or, with a = in it, the whole subject in the form of RFC 2253
}

func checkCertificates(list []Certificate) error {
	type identity struct {
		sum     [sha256.Size]byte
		subject string
	}
	owner := make(map[identity]Client, len(list))
	for _, c := range list {
		id := identity{c.SHA256, c.Subject}
		if o, ok := owner[id]; ok {
			return fmt.Errorf("%w: %s/%s and %s/%s", ErrDuplicateToken, o.Source, o.Name, c.Source, c.Name)
		}
		owner[id] = c.Client
	}
	return nil
}

// certificate finds the source of the connection's client certificate. Only one
// that the handshake verified counts.
func (s *accessState) certificate(state *tls.ConnectionState, now time.Time) (c Client, found bool, err error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 || len(s.Certificates) == 0 {
		return Client{}, false, nil
	}
	leaf := state.PeerCertificates[0]
	owner := s.owner(leaf)
	if owner == nil {
		return Client{}, false, nil
	}
	// Connections may live longer than certificates.
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return Client{}, false, Unauthorized("the client certificate is not valid any more, or not yet")
	}
	return owner.Client, true, nil
}

// owner prefers the certificate itself to its subject.
func (s *accessState) owner(leaf *x509.Certificate) *Certificate {
	sum, subject := sha256.Sum256(leaf.Raw), distinguishedName(leaf.RawSubject)
	var bySubject *Certificate
	for i := range s.Certificates {
		c := &s.Certificates[i]
		switch {
		case c.Subject == "":
			if c.SHA256 == sum {
				return c
			}
		case strings.Contains(c.Subject, "="):
			if c.Subject == subject {
				bySubject = c
			}
		case c.Subject == leaf.Subject.CommonName && bySubject == nil:
			bySubject = c
		}
	}
	return bySubject
}

// distinguishedName renders a subject as RFC 2253 does, its parts in the order of
// the certificate (pkix.Name has an order of its own).
func distinguishedName(raw []byte) string {
	var seq pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &seq); err != nil || len(rest) > 0 {
		return ""
	}
	return seq.String()
}
