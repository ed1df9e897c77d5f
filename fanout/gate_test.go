package fanout

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scimhub/scimhub/model"
)

func TestGateUrgentFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, time.Now)
		done, err := g.pass(t.Context(), PaceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 3)
		enter := func(ctx context.Context, name string) {
			go func() {
				done, err := g.pass(ctx, PaceRequest{})
				if err != nil {
					order <- "error"
					return
				}
				order <- name
				done(nil)
			}()
			synctest.Wait()
		}
		enter(t.Context(), "first")
		given, cancel := context.WithCancel(t.Context())
		enter(given, "never")
		enter(urgently(t.Context()), "urgent")
		cancel()
		synctest.Wait()
		done(nil)
		synctest.Wait()
		for _, want := range []string{"error", "urgent", "first"} {
			if got := <-order; got != want {
				t.Errorf("%s passed, want %s", got, want)
			}
		}
		if slots, inUse, waiting := g.state(); slots != 1 || inUse != 0 || waiting != 0 {
			t.Errorf("%d slots, %d in use, %d wait", slots, inUse, waiting)
		}
	})
}

func TestClaims(t *testing.T) {
	t.Parallel()
	a, b := model.AccountRow{Identity: "a", Leaver: true}, model.AccountRow{Identity: "b", Leaver: true}
	var c claims
	got, marks, _ := c.reserve(1, read(a, b))
	if len(got) != 1 || got[0].Identity != "a" {
		t.Fatalf("reserved %v", got)
	}
	// What only waits can be taken by the urgent lane; the normal one then lets go.
	if stolen, _, _ := c.seize(true, read(a)); len(stolen) != 1 {
		t.Error("a waiting row was not taken")
	}
	if c.start("a", marks[0]) {
		t.Error("work begins on a row that was taken")
	}
	c.release("a", marks[0])
	if again, _, _ := c.reserve(1, read(a)); len(again) != 0 {
		t.Error("the loser's release gave the winner's row back")
	}
	// What is running stays, and the urgent lane is told when it ends.
	_, marks, _ = c.reserve(1, read(b))
	if !c.start("b", marks[0]) {
		t.Error("cannot start")
	}
	if stolen, _, _ := c.seize(true, read(b)); len(stolen) != 0 {
		t.Error("a running row was taken")
	}
	stale, _, _ := c.reserve(1, func() ([]model.AccountRow, error) { // read before the release
		if !c.release("b", marks[0]) {
			t.Error("the urgent lane is not told")
		}
		return []model.AccountRow{b}, nil
	})
	if len(stale) != 0 {
		t.Error("a row read before it was settled was claimed")
	}
	if fresh, _, _ := c.reserve(1, read(b)); len(fresh) != 1 {
		t.Error("a row read after it was settled was not claimed")
	}
}

// One replica works on a target at a time; when it lets go the next one may.
func TestLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	one := &lease{store: w.store, target: "git", holder: "one"}
	two := &lease{store: w.store, target: "git", holder: "two"}
	ctx, ok, err := one.acquire(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, err := one.acquire(t.Context()); err != nil || !ok {
		t.Errorf("the second lane: %v, %v", ok, err)
	}
	if _, ok, err := two.acquire(t.Context()); err != nil || ok {
		t.Errorf("another replica: %v, %v", ok, err)
	}
	if err := one.release(t.Context()); err != nil || ctx.Err() != nil {
		t.Errorf("one lane less: %v, %v", err, ctx.Err())
	}
	if err := one.release(t.Context()); err != nil || ctx.Err() == nil {
		t.Errorf("given back: %v, %v", err, ctx.Err())
	}
	if _, ok, err := two.acquire(t.Context()); err != nil || !ok {
		t.Errorf("another replica afterwards: %v, %v", ok, err)
	}
	if err := two.release(t.Context()); err != nil {
		t.Error(err)
	}
}
