package console_test

import (
	"context"
	"net/http"
	"testing"
)

// TestLiveIsShared: nobody takes all connections that listen, and one that ends is free
// for the next; who has left listens to nothing.
func TestLiveIsShared(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada", "bob"}, func(t *testing.T, s *site) {
		listen := func(as string) (status int, stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/live", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("As", as)
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, func() { cancel(); res.Body.Close() }
		}
		var stops []func()
		refused := 0
		for range 60 {
			status, stop := listen("person:ada")
			stops = append(stops, stop)
			if status == http.StatusServiceUnavailable {
				refused++
			}
		}
		if refused != 10 {
			t.Errorf("of 60 connections of one person %d were refused, want 10", refused)
		}
		if status, stop := listen("person:bob"); status != http.StatusOK {
			t.Errorf("somebody else: %d", status)
		} else {
			stop()
		}
		for _, stop := range stops {
			stop()
		}
		for { // until the hub has noticed that one has ended
			status, stop := listen("person:ada")
			stop()
			if status == http.StatusOK {
				break
			}
			if t.Context().Err() != nil {
				t.Fatal("connections that ended are not free")
			}
		}
		s.db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'bob'`)
		if status, stop := listen("person:bob"); status != http.StatusForbidden {
			t.Errorf("who has left: %d", status)
			stop()
		}
	})
}
