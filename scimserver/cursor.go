package scimserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/scimhub/scimhub/model/scim"
)

// Cursor keys and lives.
const (
	CursorKeySize     = chacha20poly1305.KeySize // bytes of Handler.CursorKey
	DefaultCursorLife = time.Hour
)

// A cursor (RFC 9865) carries everything that the next page needs, sealed, so that
// no server state belongs to it: nothing to limit, to clean up or to lose with a
// restart. The seal covers who asked for what; a cursor in other hands or in another
// query does not open, and nothing tells that from a forged one. It grants nothing:
// every page is authorised like a first one (§5.2). There is no previousCursor,
// which is optional (§2): going back would need a second order in every backend.

// maxCursor is the longest text that is looked at, in bytes. It leaves room for
// positions that hold a sort key, in a query that may be DefaultMaxQuery long.
const maxCursor = 16 << 10

// place is where a walk through pages stands.
type place struct {
	// Positions has one entry for each resource type of the search, in order: a
	// backend's position, "" for a type not begun, nil for one that is done.
	Positions []*string `json:"p"`
	Total     int       `json:"t"` // of the first page
	Count     int       `json:"c"` // what the first page was asked for
	Expires   int64     `json:"e"` // seconds since 1970
}

// sealer turns places into cursors and back.
type sealer struct {
	key  [CursorKeySize]byte
	life time.Duration
	now  func() time.Time
}

// newSealer uses key, or a random one of its own where that has not the right size:
// then cursors end with the process, and no two replicas read each other's.
func newSealer(key []byte, life time.Duration, now func() time.Time) *sealer {
	s := &sealer{life: life, now: now}
	if copy(s.key[:], key) != len(s.key) || len(key) != len(s.key) {
		_, _ = rand.Read(s.key[:]) // never fails
	}
	return s
}

// binding is what a cursor is sealed to: who asked, and for what.
func binding(source, level string, r scim.SearchRequest) []byte {
	h := sha256.New()
	put := func(list ...string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(list))))
		for _, s := range list {
			h.Write(binary.AppendUvarint(nil, uint64(len(s))))
			h.Write([]byte(s))
		}
	}
	put("1", source, level, r.Filter, r.SortBy, r.SortOrder)
	put(r.Attributes...)
	put(r.ExcludedAttributes...)
	return h.Sum(nil)
}

// seal makes the cursor for p. Nonces are random and long enough (24 bytes) for one
// key to serve for ever.
func (s *sealer) seal(p place, bound []byte) (string, error) {
	p.Expires = s.now().Add(s.life).Unix()
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, text, bound)), nil
}

// open reads a cursor: 400 invalidCursor if this service did not make it for this
// client and this query of so many types, 400 expiredCursor if it is too old.
func (s *sealer) open(cursor string, bound []byte, types int) (place, error) {
	invalid := scim.Errorf(http.StatusBadRequest, scim.InvalidCursor, "cursor: not valid for this query; begin again without a value")
	var p place
	if len(cursor) > maxCursor {
		return p, invalid
	}
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return p, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < aead.NonceSize() {
		return p, invalid
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], bound)
	if err != nil || json.Unmarshal(text, &p) != nil || len(p.Positions) != types {
		return place{}, invalid
	}
	if s.now().Unix() >= p.Expires {
		return place{}, scim.Errorf(http.StatusBadRequest, scim.ExpiredCursor, "cursor: older than %s; begin again without a value", s.life)
	}
	return p, nil
}

// begun is the place in front of the first page.
func begun(types, count int) place {
	p := place{Positions: make([]*string, types), Count: count}
	for i := range p.Positions {
		p.Positions[i] = new(string)
	}
	return p
}

// done reports whether nothing is left to read.
func (p place) done() bool {
	for _, at := range p.Positions {
		if at != nil {
			return false
		}
	}
	return true
}
