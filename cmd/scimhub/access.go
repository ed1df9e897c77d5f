package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/outbound"
	"github.com/scimhub/scimhub/scimserver"
)

// sourceAccess decides who may come in as a source: by the credentials of the
// configuration in force, and by the tokens that were made while the hub runs.
type sourceAccess struct {
	*scimserver.Access
	store   *store.Store
	metrics *metrics
	tls     *tlsFiles           // for its expiry; nil: plain HTTP
	made    func([]store.Token) // is told of the tokens read; some are not of sources; may be nil

	mu         sync.Mutex // of what follows; held while credentials are put in force
	configured scimserver.Credentials
	clients    map[string]scimserver.Client // by source, without the name of a credential
	expiries   []expiry
	tokens     []store.Token // as read last

	usedMu sync.Mutex
	used   map[string]bool // ids since the last note
	noted  map[string]time.Time
}

func newSourceAccess(s *store.Store, m *metrics) *sourceAccess {
	a := &sourceAccess{store: s, metrics: m, used: map[string]bool{}, noted: map[string]time.Time{}}
	a.Access = scimserver.NewAccess(scimserver.AccessOptions{Now: s.Now, Used: a.note, Keys: &http.Client{Transport: outbound.Configured()}})
	return a
}

// credentialReader makes credentials of a configuration; reveal reads secrets and
// notes those that cannot be read.
type credentialReader struct {
	reveal  func(what string, s model.Secret) string
	seen    func(source, flag string)
	out     scimserver.Credentials
	clients map[string]scimserver.Client
}

func (c *credentialReader) read(doc *config.Document) {
	c.out.Limits, c.clients = map[string]scimserver.Limit{}, map[string]scimserver.Client{}
	for _, s := range doc.Sources {
		dialect, _ := scim.DialectNamed(s.Dialect)
		dialect.Seen = func(flag string) { c.seen(s.Name, flag) }
		c.clients[s.Name] = scimserver.Client{Source: s.Name, Dialect: dialect}
		c.out.Limits[s.Name] = scimserver.Limit{Requests: s.Rate.Requests, Burst: s.Rate.Burst}
		c.source(s)
	}
}

func (c *credentialReader) source(s config.Source) {
	client := func(name string) scimserver.Client {
		cl := c.clients[s.Name]
		cl.Name = name
		return cl
	}
	for _, t := range s.Tokens {
		secret := c.reveal(config.Join("sources", s.Name, "tokens", t.Name), t.Secret)
		c.out.Tokens = append(c.out.Tokens, scimserver.Token{Client: client(t.Name), Hash: scimserver.HashToken(secret), Expires: orZero(t.Expires)})
	}
	for _, b := range s.Basic {
		password := c.reveal(config.Join("sources", s.Name, "basic", b.Name), b.Password)
		c.out.Basic = append(c.out.Basic, scimserver.Basic{Client: client(b.Name), Hash: scimserver.HashBasic(b.User, password), Expires: orZero(b.Expires)})
	}
	for _, k := range s.Certificates {
		cert := scimserver.Certificate{Client: client(k.Name), Subject: k.Subject}
		if raw, err := hex.DecodeString(k.SHA256); err == nil {
			copy(cert.SHA256[:], raw)
		}
		c.out.Certificates = append(c.out.Certificates, cert)
	}
	if j := s.JWT; j != nil {
		c.out.JWT = append(c.out.JWT, scimserver.JWT{Client: client("jwt"), Issuer: j.Issuer, Audience: j.Audience, KeysURL: j.JWKSURL,
			SubjectClaim: j.SubjectClaim, SubjectAttribute: j.SubjectAttribute, Claims: j.Claims})
	}
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// configure puts the credentials of a configuration in force, with the tokens read last.
func (a *sourceAccess) configure(c credentialReader, snap *hub.Snapshot) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.Replace(merged(c.out, c.clients, a.tokens)); err != nil {
		return model.Fail(model.Invalid, err.Error(), nil)
	}
	a.configured, a.clients, a.expiries = c.out, c.clients, configuredExpiries(snap.Doc)
	a.showExpiries()
	return nil
}

// reload reads the stored tokens and puts them in force if they changed.
func (a *sourceAccess) reload(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	tokens, err := a.store.LiveTokens(ctx)
	if err != nil {
		return err
	}
	for i := range tokens {
		tokens[i].LastUsed = nil // changes every day, and matters to nobody here
	}
	if reflect.DeepEqual(tokens, a.tokens) {
		return nil
	}
	if err := a.Replace(merged(a.configured, a.clients, tokens)); err != nil {
		return err
	}
	a.tokens = tokens
	if a.made != nil {
		a.made(tokens)
	}
	a.showExpiries()
	return nil
}

// merged adds stored tokens to configured credentials. Those of a source that is
// not configured any more open nothing, and where somebody put one into the
// configuration, too, that one counts.
func merged(c scimserver.Credentials, clients map[string]scimserver.Client, tokens []store.Token) scimserver.Credentials {
	configured := make(map[[sha256.Size]byte]bool, len(c.Tokens))
	for _, t := range c.Tokens {
		configured[t.Hash] = true
	}
	c.Tokens = slices.Clone(c.Tokens)
	for _, k := range tokens {
		client, ok := clients[k.Source]
		if !ok {
			continue
		}
		client.Name = k.Name
		add := func(hash []byte, until *time.Time) {
			t := scimserver.Token{Client: client, ID: k.ID, Expires: orZero(until)}
			if copy(t.Hash[:], hash) == len(t.Hash) && !configured[t.Hash] {
				c.Tokens = append(c.Tokens, t)
			}
		}
		add(k.Hash, k.ExpiresAt)
		if k.PreviousUntil != nil {
			add(k.Previous, k.PreviousUntil)
		}
	}
	return c
}

// note remembers that a token was used; the database hears of it at most once a
// second, and once a day for each token.
func (a *sourceAccess) note(id string) {
	a.usedMu.Lock()
	defer a.usedMu.Unlock()
	if !sameDay(a.noted[id], a.store.Now()) {
		a.used[id] = true
	}
}

func sameDay(a, b time.Time) bool {
	return a.Truncate(24 * time.Hour).Equal(b.Truncate(24 * time.Hour))
}

// writeUsed stores what was noted. What could not be stored is noted again by the
// next request.
func (a *sourceAccess) writeUsed(ctx context.Context) error {
	now := a.store.Now()
	a.usedMu.Lock()
	ids := slices.Sorted(maps.Keys(a.used))
	clear(a.used)
	a.usedMu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	if err := a.store.TokensUsed(ctx, ids, now); err != nil {
		return err
	}
	a.usedMu.Lock()
	defer a.usedMu.Unlock()
	for id, at := range a.noted { // tokens come and go
		if !sameDay(at, now) {
			delete(a.noted, id)
		}
	}
	for _, id := range ids {
		a.noted[id] = now
	}
	return nil
}

// follow keeps this process with the others, as followConfig does: a token made or
// revoked at another replica counts here within a second.
func (a *sourceAccess) follow(ctx context.Context) error {
	return errors.Join(a.reload(ctx), a.writeUsed(ctx))
}

// expiry is when a credential ends, for the metric.
type expiry struct {
	kind, name string
	at         *time.Time
}

func configuredExpiries(doc *config.Document) (out []expiry) {
	for _, s := range doc.Sources {
		for _, t := range s.Tokens {
			out = append(out, expiry{"source", s.Name + "/" + t.Name, t.Expires})
		}
		for _, b := range s.Basic {
			out = append(out, expiry{"source", s.Name + "/" + b.Name, b.Expires})
		}
	}
	for _, t := range doc.Admin.Tokens {
		out = append(out, expiry{"admin", t.Name, t.Expires})
	}
	for _, t := range doc.Targets {
		out = append(out, expiry{"target", t.Name, t.Auth.Expires})
	}
	return out
}

// renewed shows the expiry of another certificate of the hub.
func (a *sourceAccess) renewed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.showExpiries()
}

func (a *sourceAccess) showExpiries() {
	all := slices.Clone(a.expiries)
	for _, k := range a.tokens {
		if k.Source == store.AdminTokens {
			all = append(all, expiry{"admin", k.Name, k.ExpiresAt})
			continue
		}
		all = append(all, expiry{"source", k.Source + "/" + k.Name, k.ExpiresAt})
	}
	if a.tls != nil {
		_, ends := a.tls.pin()
		all = append(all, expiry{"tls", "server", &ends})
	}
	a.metrics.credentials(all)
}
