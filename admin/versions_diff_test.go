package admin

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, want string }{
		{"a\n", "a\n", ""},
		{"a\nb\nc\n", "a\nx\nc\n", "--- 1\n+++ 2\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "--- 1\n+++ 2\n@@ -7,3 +7,4 @@\n 7\n 8\n 9\n+10\n"},
	} {
		if got := textDiff("1", c.before, "2", c.after); got != c.want {
			t.Errorf("%q -> %q: %q", c.before, c.after, got)
		}
	}
}

// TestLineEdits: the lines of a difference are those of both texts, in order.
func TestLineEdits(t *testing.T) {
	t.Parallel()
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", ""}), 0, 12)
	rapid.Check(t, func(r *rapid.T) {
		a, b := lines.Draw(r, "a"), lines.Draw(r, "b")
		var before, after []string
		for _, e := range lineEdits(a, b) {
			if e.sign != '+' {
				before = append(before, e.line)
			}
			if e.sign != '-' {
				after = append(after, e.line)
			}
		}
		if strings.Join(before, "|") != strings.Join(a, "|") || strings.Join(after, "|") != strings.Join(b, "|") {
			r.Fatalf("%q %q", before, after)
		}
	})
}
