package fanout

import (
	"slices"
	"testing"
	"time"
)

func TestTempoChunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		took  time.Duration
		width int
		want  int
	}{
		{0, 4, 64},
		{0, 16, 128},
		{0, 100, 256},
		{20 * time.Millisecond, 16, 128},
		{time.Second, 4, 20},
		{10 * time.Second, 4, 4}, // never less than is worked on at once
		{time.Hour, 1, 1},
	} {
		var p tempo
		for range 50 {
			p.add(c.took)
		}
		if got := p.chunk(c.width); got != c.want {
			t.Errorf("%v, %d at once: %d, want %d", c.took, c.width, got, c.want)
		}
	}
	var p tempo // a target that becomes slow is noticed within a few operations
	for range 50 {
		p.add(20 * time.Millisecond)
	}
	for range 8 {
		p.add(10 * time.Second)
	}
	if got := p.chunk(4); got > 8 {
		t.Errorf("after eight slow operations: %d", got)
	}
}

func TestWarmth(t *testing.T) {
	t.Parallel()
	var w warmth
	if n := w.next(64); n != 64 {
		t.Errorf("nothing was waited for: %d", n)
	}
	w.begin(4)
	var got []int
	for range 6 {
		got = append(got, w.next(64))
	}
	if want := []int{4, 8, 16, 32, 64, 64}; !slices.Equal(got, want) {
		t.Errorf("after a pause: %v, want %v", got, want)
	}
	w.begin(0)
	if n := w.next(3); n != 1 {
		t.Errorf("chunks without width: %d", n)
	}
}
