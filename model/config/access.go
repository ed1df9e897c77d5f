package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// TLS makes the hub serve HTTPS. The files are read again when they change.
type TLS struct {
	Cert     string // PEM file: the certificate, intermediates behind it
	Key      string // PEM file: its private key
	ClientCA string // PEM file: who may sign the certificates of sources; empty: nobody
}

// JWT accepts signed bearer tokens (RFC 7519, RFC 9068) of an issuer.
type JWT struct {
	Issuer   string // what iss must be
	Audience string // what aud must contain
	JWKSURL  string // where the issuer publishes its keys (RFC 7517 §5)
	// SubjectClaim of a token is the value of SubjectAttribute of the User on whose
	// behalf it was issued, for /Me; default sub and userName.
	SubjectClaim     string
	SubjectAttribute string
	Claims           map[string]string // claims that a token must have, and a value that each must be or contain
}

// Basic is a user name and password of a source (RFC 7617).
type Basic struct {
	Name     string
	User     string
	Password model.Secret
	Expires  *time.Time // nil: never
}

// Certificate is a client certificate of a source. Exactly one of SHA256 and
// Subject is set.
type Certificate struct {
	Name    string
	SHA256  string // of the certificate in DER, lower-case hexadecimal
	Subject string // the common name, or, with a = in it, the whole subject in the form of RFC 2253
}

// Rate is how many requests a source may send to one process.
type Rate struct {
	Requests float64 // a second; 0: no limit
	Burst    int     // at once
}

func (r *reader) tls(n *node) *TLS {
	t := &TLS{}
	r.need(n, "cert", "key")
	r.fields(n, map[string]func(*node){
		"cert":      func(n *node) { t.Cert = r.text(n) },
		"key":       func(n *node) { t.Key = r.text(n) },
		"client_ca": func(n *node) { t.ClientCA = r.text(n) },
	})
	return t
}

func (r *reader) jwt(n *node) *JWT {
	j := &JWT{SubjectClaim: "sub", SubjectAttribute: "userName"}
	r.need(n, "issuer", "audience", "jwks_url")
	r.fields(n, map[string]func(*node){
		"issuer":   func(n *node) { j.Issuer = r.url(n) },
		"audience": func(n *node) { j.Audience = r.text(n) },
		"jwks_url": func(n *node) { j.JWKSURL = r.keysURL(n) },
		"subject": func(n *node) {
			r.fields(n, map[string]func(*node){
				"claim":     func(n *node) { j.SubjectClaim = r.text(n) },
				"attribute": func(n *node) { j.SubjectAttribute = r.path(n) },
			})
		},
		"claims": func(n *node) { j.Claims = r.claims(n) },
	})
	return j
}

// keysURL warns where somebody on the way could put keys of their own in the place
// of the issuer's.
func (r *reader) keysURL(n *node) string {
	s := r.url(n)
	u, err := url.Parse(s)
	if s == "" || err != nil || u.Scheme == "https" {
		return s
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		r.warn(n, "keys that come over http can be replaced on the way; use https")
	}
	return s
}

// claims reads names and values; a number or boolean stands for itself.
func (r *reader) claims(n *node) map[string]string {
	if n.kind != object {
		r.fields(n, nil)
		return nil
	}
	out := make(map[string]string, len(n.entries))
	for _, e := range n.entries {
		if v := e.value; v.kind == number || v.kind == boolean {
			out[e.key] = v.text
			continue
		}
		out[e.key] = r.text(e.value)
	}
	return out
}

func (r *reader) sourceBasic(n *node, unique func(*node, string)) (b Basic) {
	r.need(n, "name", "user", "password")
	r.fields(n, map[string]func(*node){
		"name":     func(n *node) { b.Name = r.name(n); unique(n, b.Name) },
		"user":     func(n *node) { b.User = r.checked(n, checkUser) },
		"password": func(n *node) { b.Password = r.secret(n) },
		"expires":  func(n *node) { b.Expires = r.date(n) },
	})
	return b
}

// checkUser refuses what cannot be sent as a user name (RFC 7617 §2).
func checkUser(s string) error {
	if strings.ContainsRune(s, ':') || strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return errors.New("must not have a colon or control characters")
	}
	return nil
}

func (r *reader) certificate(n *node, unique func(*node, string)) (c Certificate) {
	r.need(n, "name")
	if n.kind == object && n.has("sha256") == n.has("subject") {
		r.fault(n, "needs either sha256 or subject")
	}
	r.fields(n, map[string]func(*node){
		"name":    func(n *node) { c.Name = r.name(n); unique(n, c.Name) },
		"sha256":  func(n *node) { c.SHA256 = r.fingerprint(n) },
		"subject": func(n *node) { c.Subject = r.text(n) },
	})
	return c
}

// networks reads addresses and networks of addresses (RFC 4632 §3.1).
func (r *reader) networks(n *node) (out []netip.Prefix) {
	r.each(n, func(v *node) {
		s := r.text(v)
		if s == "" {
			return
		}
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil || p != p.Masked() {
			r.fault(v, "%q is not an address or network; write 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32", s)
			return
		}
		out = append(out, p)
	})
	return out
}

// fingerprint reads a SHA-256 as openssl prints it, with colons, or without.
// One of digits alone is a number to YAML, whose text is as it was written.
func (r *reader) fingerprint(n *node) (out string) {
	r.quantity(n, func(s string) error {
		plain := strings.ToLower(strings.ReplaceAll(s, ":", ""))
		if b, err := hex.DecodeString(plain); err != nil || len(b) != 32 {
			return errors.New("must be the SHA-256 of the certificate: 64 hexadecimal digits, as openssl x509 -fingerprint -sha256 prints them")
		}
		out = plain
		return nil
	})
	return out
}

func (r *reader) sourceRate(n *node) (v Rate) {
	r.need(n, "requests")
	r.fields(n, map[string]func(*node){
		"requests": func(n *node) {
			r.quantity(n, func(s string) (err error) { v.Requests, err = parseRate(s); return err })
		},
		"burst": func(n *node) { v.Burst = r.integer(n, 1, 1_000_000) },
	})
	if v.Burst == 0 {
		v.Burst = max(1, int(math.Ceil(2*v.Requests))) // what comes in two seconds
	}
	return v
}

// checkAccess finds credentials that could never be told apart, or never be shown.
func (r *reader) checkAccess(d *Document, places map[string]*node) {
	for _, s := range d.Sources {
		if n := places[Join("sources", s.Name, "certificates")]; n != nil && len(s.Certificates) > 0 && (d.TLS == nil || d.TLS.ClientCA == "") {
			r.fault(n, "needs tls with client_ca, or no certificate is ever asked for")
		}
	}
	r.checkOwners(d, places)
	if u, err := url.Parse(d.PublicURL); err == nil && d.TLS != nil && u.Scheme == "http" {
		if n := places["public_url"]; n != nil {
			r.warn(n, "the hub serves https (tls), this says http")
		}
	}
}

// checkOwners finds credentials that two sources have.
func (r *reader) checkOwners(d *Document, places map[string]*node) {
	owner := map[string]string{}
	claim := func(what, name string, at ...any) {
		first, taken := owner[what]
		if n := places[Join(at...)]; taken && n != nil {
			r.fault(n, "source %s has this already: who sends it could be either", first)
			return
		}
		owner[what] = name
	}
	for _, s := range d.Sources {
		for i, c := range s.Certificates {
			if c.SHA256 != "" || c.Subject != "" {
				claim("certificate "+c.SHA256+c.Subject, s.Name, "sources", s.Name, "certificates", i)
			}
		}
		if s.JWT == nil || s.JWT.Issuer == "" || s.JWT.Audience == "" {
			continue
		}
		claim(fmt.Sprintf("jwt %q %q %q", s.JWT.Issuer, s.JWT.Audience, s.JWT.Claims), s.Name, "sources", s.Name, "jwt") // fmt sorts maps
	}
}

// ValidName reports whether a text may name something of the configuration, a
// source or a credential for example.
func ValidName(s string) bool { return namePattern.MatchString(s) }
