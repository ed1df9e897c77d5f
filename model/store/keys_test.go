package store_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestProcessKey: replicas that ask at once get one key; another name, another key.
func TestProcessKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		other := storetest.OpenURL(t, db.Dialect, db.URL)
		keys := make([][]byte, 8)
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				from := db
				if i%2 == 1 {
					from = other
				}
				key, err := from.ProcessKey(t.Context(), "cursors")
				if err != nil {
					t.Error(err)
				}
				keys[i] = key
			})
		}
		wg.Wait()
		for _, k := range keys {
			if len(k) != 32 || !bytes.Equal(k, keys[0]) {
				t.Errorf("keys differ or have a wrong size: %x and %x", k, keys[0])
			}
		}
		if k, err := db.ProcessKey(t.Context(), "other"); err != nil || bytes.Equal(k, keys[0]) {
			t.Errorf("another name has the same key, %v", err)
		}
	})
}
