package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnTurn(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Dialects(), onTurn("TestAny", "1", false)); diff != "" {
		t.Errorf("without the race detector (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Dialects(), onTurn("TestAny", "all", true)); diff != "" {
		t.Errorf("all asked for (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Dialects(), onTurn("TestAny", "rest:all", false)); diff != "" {
		t.Errorf("the rest of all (-want +got):\n%s", diff)
	}
	seen := map[string]int{}
	for n := range 100 {
		got := onTurn("TestAny", fmt.Sprint(n), true)
		if again := onTurn("TestAny", fmt.Sprint(n), true); len(got) != 1 || got[0] != again[0] {
			t.Fatalf("turn %d: %v, then %v", n, got, again)
		}
		rest := onTurn("TestAny", fmt.Sprint("rest:", n), false)
		if both := slices.Sorted(slices.Values(append(rest, got...))); len(rest) != 1 || !slices.Equal(both, slices.Sorted(slices.Values(Dialects()))) {
			t.Fatalf("turn %d: %v, and the rest: %v", n, got, rest)
		}
		seen["turn "+got[0]]++
		seen["test "+onTurn(fmt.Sprint("Test", n), "1", true)[0]]++
	}
	for _, dialect := range Dialects() {
		for _, by := range []string{"turn ", "test "} {
			if seen[by+dialect] < 25 {
				t.Errorf("%s%s: %d of 100", by, dialect, seen[by+dialect])
			}
		}
	}
}
