package admin

import (
	"fmt"
	"slices"
	"strings"
)

// How texts are compared: so many lines around a difference are shown; of parts that
// are larger than the table allows, all lines count as changed.
const (
	diffContext = 3
	diffTable   = 4_000_000
)

// edit is a line of a difference: ' ' in both, '-' in the old, '+' in the new text.
type edit struct {
	sign byte
	line string
}

// textDiff is the difference of two texts in the unified form; empty: there is none.
func textDiff(oldName, before, newName, after string) string {
	if before == after {
		return ""
	}
	edits := lineEdits(splitLines(before), splitLines(after))
	shown := make([]bool, len(edits))
	for i, e := range edits {
		if e.sign != ' ' {
			for n := max(0, i-diffContext); n <= min(len(edits)-1, i+diffContext); n++ {
				shown[n] = true
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", oldName, newName)
	oldLine, newLine := 1, 1
	for i := 0; i < len(edits); {
		if !shown[i] {
			oldLine, newLine, i = oldLine+1, newLine+1, i+1
			continue
		}
		end, olds, news := i, 0, 0
		var body strings.Builder
		for ; end < len(edits) && shown[end]; end++ {
			fmt.Fprintf(&body, "%c%s\n", edits[end].sign, edits[end].line)
			if edits[end].sign != '+' {
				olds++
			}
			if edits[end].sign != '-' {
				news++
			}
		}
		fmt.Fprintf(&b, "@@ -%d,%d +%d,%d @@\n%s", oldLine, olds, newLine, news, body.String())
		oldLine, newLine, i = oldLine+olds, newLine+news, end
	}
	return b.String()
}

func splitLines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// lineEdits leads from one list of lines to another, with as few changes as there are.
func lineEdits(a, b []string) (out []edit) {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head, a, b = append(head, edit{' ', a[0]}), a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail, a, b = append(tail, edit{' ', a[len(a)-1]}), a[:len(a)-1], b[:len(b)-1]
	}
	out = slices.Concat(head, middleEdits(a, b))
	slices.Reverse(tail)
	return append(out, tail...)
}

func middleEdits(a, b []string) (out []edit) {
	same := make([][]int32, 0, len(a)+1) // [i][j]: lines that a[i:] and b[j:] have in common
	if len(a)*len(b) <= diffTable {
		for range len(a) + 1 {
			same = append(same, make([]int32, len(b)+1))
		}
		for i, x := range slices.Backward(a) {
			for j, y := range slices.Backward(b) {
				if same[i][j] = max(same[i+1][j], same[i][j+1]); x == y {
					same[i][j] = same[i+1][j+1] + 1
				}
			}
		}
	}
	i, j := 0, 0
	for len(same) > 0 && i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, edit{' ', a[i]})
			i, j = i+1, j+1
		case same[i+1][j] >= same[i][j+1]:
			out = append(out, edit{'-', a[i]})
			i++
		default:
			out = append(out, edit{'+', b[j]})
			j++
		}
	}
	for ; i < len(a); i++ {
		out = append(out, edit{'-', a[i]})
	}
	for ; j < len(b); j++ {
		out = append(out, edit{'+', b[j]})
	}
	return out
}
