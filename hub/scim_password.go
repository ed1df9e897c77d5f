package hub

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/scimhub/scimhub/model/scim"
)

// How passwords are hashed: argon2id with the least memory that OWASP's guide on
// password storage names, because sources may send one with every user.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// hashedAtOnce limits how many passwords are hashed at a time, and so how much memory
// that takes, however many requests carry one.
const hashedAtOnce = 2

// hash is the PHC string of a password; empty for none. It waits for its turn.
func (h *Hub) hash(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	select {
	case h.hashing <- struct{}{}:
		defer func() { <-h.hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	salt := make([]byte, argonSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	key := argon2.IDKey([]byte(scim.PreparePassword(password)), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// passwordIn is the password among attributes.
func passwordIn(attrs map[string]any) string {
	password, _ := attrs["password"].(string)
	return password
}

// passwordOf is the password that a change sets, if it sets one; the last where it
// sets several.
func passwordOf(c scim.Change) string {
	password := passwordIn(c.Replace)
	for _, o := range c.Patch {
		if o.Path != nil && o.Path.URI == "" && strings.EqualFold(o.Path.Attr, "password") {
			password, _ = o.Value.(string)
		}
	}
	return password
}

// withoutSecrets drops the password: documents, events and the audit trail never see it.
func withoutSecrets(attrs map[string]any) map[string]any {
	if _, ok := attrs["password"]; !ok {
		return attrs
	}
	out := maps.Clone(attrs)
	delete(out, "password")
	return out
}
