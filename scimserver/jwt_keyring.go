package scimserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scimhub/scimhub/model/scim"
)

// How key sets are kept. A key that its issuer withdrew is trusted for an hour at
// most while the issuer answers, for a day where it does not: an outage there must
// not lock the sources out here.
const (
	keysFresh    = time.Hour
	keysUsable   = 24 * time.Hour
	keysPause    = 10 * time.Second // between two questions to one issuer, whatever tokens come
	keysPatience = 5 * time.Second  // for one answer
	keysMost     = 1 << 20          // bytes of an answer
)

// keyring holds the key sets of all issuers, by address.
type keyring struct {
	client *http.Client
	now    func() time.Time
	mu     sync.Mutex
	sets   map[string]*keySet
}

// keySet is what one issuer published.
type keySet struct {
	ring *keyring
	url  string

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time     // when keys were read; zero: never
	asked   time.Time     // when the last question began; zero: never
	err     error         // of the last question that was answered
	asking  chan struct{} // closed when the question under way ends; nil: none is
}

func newKeyring(client *http.Client, now func() time.Time) *keyring {
	if client == nil {
		client = &http.Client{Timeout: keysPatience}
	}
	return &keyring{client: client, now: now, sets: map[string]*keySet{}}
}

// keep forgets the sets that none of the list uses.
func (k *keyring) keep(list []JWT) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[string]*keySet{}
	for _, j := range list {
		if s := k.sets[j.KeysURL]; s != nil {
			next[j.KeysURL] = s
		} else if next[j.KeysURL] == nil {
			next[j.KeysURL] = &keySet{ring: k, url: j.KeysURL}
		}
	}
	k.sets = next
}

// verify checks a token's signature with the keys at an address. A key that is not
// there makes it ask the issuer again, as after a rotation, but not more often than
// every keysPause. The error is 401, or a [Retry] with 503 where the issuer cannot
// be asked.
func (k *keyring) verify(ctx context.Context, url string, t signedToken) error {
	k.mu.Lock()
	s := k.sets[url]
	k.mu.Unlock()
	if s == nil { // the configuration changed just now
		return &Retry{After: time.Second, Err: scim.Errorf(http.StatusServiceUnavailable, "", "the configuration is changing; come back")}
	}
	found, verified, fresh := s.check(t)
	if verified && fresh {
		return nil
	}
	// A wrong signature may be a new key, too: some issuers use a kid again.
	asking := s.ask(ctx)
	if asking != nil && !verified {
		select {
		case <-asking:
		case <-ctx.Done():
			return ctx.Err()
		}
		found, verified, _ = s.check(t)
	}
	switch err := s.failure(); {
	case verified:
		return nil
	case found:
		return Unauthorized("the signed token: its signature is not right")
	case err != nil: // nobody can say whose the key is
		return &Retry{After: keysPause, Err: &scim.Error{Status: http.StatusServiceUnavailable,
			Detail: "the keys of the token's issuer cannot be read at the moment", Err: err}}
	}
	return Unauthorized("the signed token: its issuer publishes no key of that kid and alg")
}

// check tries the keys that may have signed. found says that there were such keys,
// fresh that the set need not be asked for again.
func (s *keySet) check(t signedToken) (found, verified, fresh bool) {
	s.mu.Lock()
	keys, age := s.keys, s.ring.now().Sub(s.fetched)
	s.mu.Unlock()
	if age >= keysUsable {
		return false, false, false
	}
	for _, k := range keys {
		if t.kid != "" && k.KeyID != t.kid || k.Algorithm != "" && k.Algorithm != t.alg {
			continue
		}
		found = true
		if !fits(k, jose.SignatureAlgorithm(t.alg)) {
			continue
		}
		if _, err := t.jws.Verify(k.Key); err == nil {
			return true, true, age < keysFresh
		}
	}
	return found, false, age < keysFresh
}

func (s *keySet) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ask asks the issuer, once for all who wait, unless it was asked a moment ago: nil
// then. The question does not end with the request that began it.
func (s *keySet) ask(ctx context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.ring.now()
	if s.asking != nil || !s.asked.IsZero() && now.Sub(s.asked) < keysPause {
		return s.asking
	}
	s.asked, s.asking = now, make(chan struct{})
	go s.refresh(context.WithoutCancel(ctx), s.asking)
	return s.asking
}

func (s *keySet) refresh(ctx context.Context, done chan<- struct{}) {
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	keys, err := s.ring.fetch(ctx, s.url)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.keys, s.fetched = keys, s.ring.now()
	}
	s.asking = nil
	close(done)
}

func (k *keyring) fetch(ctx context.Context, url string) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	defer res.Body.Close()
	if last := res.Request; req.URL.Scheme == "https" && last != nil && last.URL.Scheme != "https" { // redirected; anybody may have answered
		return nil, errors.New("key set: " + url + " leads to an address without https")
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("key set: %s answered %s", url, res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, keysMost+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("key set: %w", err)
	case len(text) > keysMost:
		return nil, errors.New("key set: " + url + " answered with more than 1 MiB")
	}
	keys, err := parseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("key set: %s: %w", url, err)
	}
	return keys, nil
}
