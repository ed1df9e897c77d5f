package scimserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Basic is a user name with a password of one source (RFC 7617). Only a hash of
// both is kept, and that in memory alone: passwords of people, which somebody could
// guess from a fast hash, have no place here.
type Basic struct {
	Client
	Hash    [sha256.Size]byte
	Expires time.Time // zero means never
}

// HashBasic is the form in which user names and passwords are kept and compared.
func HashBasic(user, password string) [sha256.Size]byte {
	return sha256.Sum256([]byte(user + ":" + password)) // a user name has no colon
}

func checkBasic(list []Basic) error {
	owner := make(map[[sha256.Size]byte]Client, len(list))
	for _, b := range list {
		if o, ok := owner[b.Hash]; ok {
			return fmt.Errorf("%w: %s/%s and %s/%s", ErrDuplicateToken, o.Source, o.Name, b.Source, b.Name)
		}
		owner[b.Hash] = b.Client
	}
	return nil
}

// basic finds the owner of encoded credentials. How long it takes does not depend
// on how much of them was guessed right.
func (s *accessState) basic(encoded string, now time.Time) (Client, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		raw, err = base64.RawStdEncoding.DecodeString(encoded)
	}
	if err != nil || !strings.Contains(string(raw), ":") {
		return Client{}, Unauthorized("the Authorization header must read: Basic, a space, user:password in base64")
	}
	hash, found := sha256.Sum256(raw), -1
	for i := range s.Basic {
		if subtle.ConstantTimeCompare(hash[:], s.Basic[i].Hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Client{}, Unauthorized("the user name or the password is not right")
	}
	b := s.Basic[found]
	if !b.Expires.IsZero() && !now.Before(b.Expires) {
		return Client{}, Unauthorized("the password expired on " + b.Expires.UTC().Format(time.DateOnly))
	}
	return b.Client, nil
}
