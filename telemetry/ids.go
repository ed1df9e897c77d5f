package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// HeaderRequestID is the header in which a request's id comes and goes.
const HeaderRequestID = "X-Request-Id"

// maxRequestID is how long an id of a client's own may be, bytes.
const maxRequestID = 64

// ids are what a context says of the work that is done in it.
type ids struct {
	request string
	change  string
	route   func() string
}

type idsKey struct{}

func idsOf(ctx context.Context) ids {
	v, _ := ctx.Value(idsKey{}).(ids)
	return v
}

// WithRequest returns a context whose work belongs to the request of this id.
func WithRequest(ctx context.Context, id string) context.Context {
	v := idsOf(ctx)
	v.request = id
	return context.WithValue(ctx, idsKey{}, v)
}

// RequestID is the id of the request that the work of a context belongs to; empty: none.
func RequestID(ctx context.Context) string { return idsOf(ctx).request }

// WithChange returns a context whose work is one change at a target.
func WithChange(ctx context.Context, id string) context.Context {
	v := idsOf(ctx)
	v.change = id
	return context.WithValue(ctx, idsKey{}, v)
}

// ChangeOf is the id of the change that the work of a context is; empty: none.
func ChangeOf(ctx context.Context) string { return idsOf(ctx).change }

// WithRoute returns a context whose work is a request to the route that a function
// names when somebody wants to know: the pattern of the address, not the address.
func WithRoute(ctx context.Context, name func() string) context.Context {
	v := idsOf(ctx)
	v.route = name
	return context.WithValue(ctx, idsKey{}, v)
}

// NewRequestID makes an id for a request that brought none: 32 hex digits.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// ChangeID names one change at a target: 16 hex digits over the target, the account,
// what its generation is, the verb and the group. Attempts at the same change have the
// same id; the next thing that is wanted of the account has another one.
func ChangeID(target, identity string, generation int64, verb, group string) string {
	h := sha256.New()
	var n [8]byte
	for _, part := range []string{target, identity, verb, group} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	binary.BigEndian.PutUint64(n[:], uint64(generation)) //nolint:gosec // its bits, not its value
	h.Write(n[:])
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// SaneRequestID reports whether a client's id may be taken over: 1 to 64 characters of
// A-Z, a-z, 0-9, dot, underscore and hyphen. Anything else could be a forged log line.
func SaneRequestID(id string) bool {
	return id != "" && len(id) <= maxRequestID && strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) < 0
}
