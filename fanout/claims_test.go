package fanout

import (
	"testing"

	"github.com/scimhub/scimhub/model"
)

// Which lane may work on a row, by what the other does with it.
func TestClaimsBetweenLanes(t *testing.T) {
	t.Parallel()
	row := []model.AccountRow{{Identity: "i"}}
	normal := func(t *testing.T, c *claims) *claim {
		t.Helper()
		_, marks := c.reserve(c.announce(), row, 1)
		if len(marks) != 1 {
			t.Fatal("not reserved")
		}
		return marks[0]
	}
	urgent := func(c *claims) *claim {
		if _, marks := c.seize(c.announce(), row, true); len(marks) == 1 {
			return marks[0]
		}
		return nil
	}
	t.Run("waiting", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		if urgent(&c) == nil || c.start("i", m) || c.mine("i", m) {
			t.Error("a row that only waits is taken")
		}
		if c.release("i", m); c.count() != 1 {
			t.Error("the release of a stolen row releases the thief's")
		}
	})
	t.Run("running", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		if !c.start("i", m) || c.wanted(m) || urgent(&c) != nil || !c.wanted(m) {
			t.Error("a running row is not taken but wanted")
		}
		if !c.release("i", m) || urgent(&c) == nil {
			t.Error("its release says so, and it is free")
		}
	})
	t.Run("parked", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		c.start("i", m)
		yielded := 0
		if !c.park(m, func() { yielded++ }) {
			t.Fatal("not parked")
		}
		if urgent(&c); yielded != 1 || c.unpark(m) {
			t.Errorf("yielded %d times", yielded)
		}
		if urgent(&c); yielded != 1 {
			t.Errorf("yielded %d times", yielded)
		}
	})
	t.Run("unparked in time", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		c.start("i", m)
		c.park(m, func() { t.Error("yielded") })
		if !c.unpark(m) {
			t.Error("given up")
		}
		urgent(&c)
		if c.park(m, func() { t.Error("yielded") }) {
			t.Error("parked though wanted")
		}
	})
	t.Run("urgent", func(t *testing.T) {
		var c claims
		m := urgent(&c)
		if urgent(&c) != nil || c.wanted(m) {
			t.Error("leavers' rows are not wanted from one another")
		}
	})
	t.Run("sweep", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		if _, marks := c.seize(c.announce(), row, false); len(marks) != 0 || c.wanted(m) {
			t.Error("a sweep takes nothing and wants nothing")
		}
	})
	t.Run("stale", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		c.start("i", m)
		since := c.announce()
		c.release("i", m)
		if _, marks := c.seize(since, row, true); len(marks) != 0 || !c.anew() || c.anew() {
			t.Error("a row read before it was given back is to be read anew, once")
		}
	})
}
