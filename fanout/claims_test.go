package fanout

import (
	"context"
	"errors"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// read is a reading that gives rows.
func read(rows ...model.AccountRow) func() ([]model.AccountRow, error) {
	return func() ([]model.AccountRow, error) { return rows, nil }
}

// A reading that fails when its rows are there already, as where the lease is lost at that
// moment, claims none of them: nobody would ever give them back.
func TestClaimsOfAFailedReading(t *testing.T) {
	t.Parallel()
	failed := func() ([]model.AccountRow, error) {
		return []model.AccountRow{{Identity: "i"}, {Identity: "leaver", Leaver: true}}, context.Canceled
	}
	var c claims
	for lane, claim := range map[string]func() ([]model.AccountRow, []*claim, error){
		"normal": func() ([]model.AccountRow, []*claim, error) { return c.reserve(2, failed) },
		"urgent": func() ([]model.AccountRow, []*claim, error) { return c.seize(true, failed) },
		"sweep":  func() ([]model.AccountRow, []*claim, error) { return c.seize(false, failed) },
	} {
		if rows, marks, err := claim(); len(rows)+len(marks)+c.count() > 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %d rows, %d held, %v", lane, len(rows), c.count(), err)
		}
	}
}

// Which lane may work on a row, by what the other does with it.
func TestClaimsBetweenLanes(t *testing.T) {
	t.Parallel()
	row := read(model.AccountRow{Identity: "i", Leaver: true})
	normal := func(t *testing.T, c *claims) *claim {
		t.Helper()
		_, marks, _ := c.reserve(1, row)
		if len(marks) != 1 {
			t.Fatal("not reserved")
		}
		return marks[0]
	}
	urgent := func(c *claims) *claim {
		if _, marks, _ := c.seize(true, row); len(marks) == 1 {
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
		if _, marks, _ := c.seize(false, row); len(marks) != 0 || c.wanted(m) {
			t.Error("a sweep takes nothing and wants nothing")
		}
	})
	t.Run("stale", func(t *testing.T) {
		var c claims
		m := normal(t, &c)
		c.start("i", m)
		late := func() ([]model.AccountRow, error) {
			c.release("i", m)
			return row()
		}
		if _, marks, _ := c.seize(true, late); len(marks) != 0 || !c.anew() || c.anew() {
			t.Error("a row read before it was given back is to be read anew, once")
		}
	})
}
