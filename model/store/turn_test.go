package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// One at a time, urgent ones first, the others in order; who gives up takes nobody's turn.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		next, err := turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		queue := func(ctx context.Context, name string) {
			go func() {
				next, err := turns.take(ctx)
				if err != nil {
					order = append(order, name+" gave up")
					return
				}
				order = append(order, name)
				next()
			}()
			synctest.Wait()
		}
		tired, cancel := context.WithCancel(t.Context())
		queue(t.Context(), "one")
		queue(tired, "two")
		queue(t.Context(), "three")
		queue(Urgently(t.Context()), "urgent")
		cancel()
		synctest.Wait()
		next()
		synctest.Wait()
		if want := []string{"two gave up", "urgent", "one", "three"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		done, stop := context.WithCancel(t.Context())
		next, err = turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if _, err := turns.take(done); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context: %v", err)
		}
		next()
		if turns.busy {
			t.Error("still busy")
		}
	})
}
