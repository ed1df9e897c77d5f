package storetest

import (
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store"
)

// OnTurn lists the dialects for a test of what lies above the store and is told alike on
// each: all of them; with the race detector, which looks for races in Go and not in SQL
// and makes everything ten times slower, one. Which one follows from the test's name and
// from SCIMHUB_TEST_TURN, so that a package runs on both in each run and each test on
// both in the course of some; "all" runs all. Without the race detector "rest:" and the
// turn of a race run leaves what that one ran: together they are all. The store's own
// tests use Dialects.
func OnTurn(t testing.TB) []string {
	t.Helper()
	return onTurn(t.Name(), os.Getenv("SCIMHUB_TEST_TURN"), UnderRace)
}

func onTurn(test, turn string, race bool) []string {
	all := Dialects()
	former, rest := strings.CutPrefix(turn, "rest:")
	if race && turn != "all" {
		return turnOf(test, turn)
	}
	if rest && !race && former != "all" {
		ran := turnOf(test, former)
		return slices.DeleteFunc(all, func(d string) bool { return slices.Contains(ran, d) })
	}
	return all
}

// turnOf is the dialect whose turn it is.
func turnOf(test, turn string) []string {
	h := fnv.New32a()
	h.Write([]byte(turn + test))
	all := Dialects()
	n := int(h.Sum32()>>8) % len(all)
	return all[n : n+1]
}

// EachOnTurn is Each on the dialects of OnTurn.
func EachOnTurn(t *testing.T, run func(t *testing.T, db *DB), options ...store.Options) {
	t.Helper()
	each(t, OnTurn(t), run, options)
}
