package store

import (
	"context"
	"crypto/rand"
	"fmt"
)

// processKeySize is the size of a process key in bytes: what AES-256 takes.
const processKeySize = 32

// ProcessKey is the random key of 32 bytes with that name. It is made when it is
// asked for first, and is the same for every replica and after a restart: for
// sealing what one replica hands out and another takes back.
func (s *Store) ProcessKey(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, processKeySize)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("process key %s: %w", name, err)
	}
	var key []byte
	err := s.Update(ctx, func(tx *Tx) error {
		if _, err := tx.exec(`INSERT INTO process_keys (name, key) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return tx.row(`SELECT key FROM process_keys WHERE name = ?`, name).Scan(&key)
	})
	if err == nil && len(key) != processKeySize {
		err = fmt.Errorf("it has %d bytes", len(key))
	}
	if err != nil {
		return nil, fmt.Errorf("process key %s: %w", name, err)
	}
	return key, nil
}
