package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVisible: what people are called does nothing to a terminal, nor to a table.
func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Zoë 十二 👩‍👩‍👧\tx\n":        "Zoë 十二 👩‍👩‍👧\tx\n",
		"a\x1b[2Jb":                "a\ufffd[2Jb",
		"a\rb\a\x7f\u009b1m\u202e": "a\ufffdb\ufffd\ufffd\ufffd1m\ufffd",
		"a\xffb":                   "a\ufffdb",
	} {
		var out strings.Builder
		w := &visibleWriter{w: &out}
		for _, b := range []byte(text) { // one byte at a time
			if n, err := w.Write([]byte{b}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	var out strings.Builder
	o := output{format: "table"}
	err := o.print(&out, nil, func(w io.Writer) error {
		return columns(w, "NAME ROLE", [][]string{{"a\tb\nc\x1b", "x"}, {"d", "y"}})
	})
	if want := "NAME    ROLE\na b c\ufffd  x\nd       y\n"; err != nil || out.String() != want {
		t.Errorf("%v %q, want %q", err, out.String(), want)
	}
	out.Reset()
	o.format = "json"
	if err := o.print(&out, "a\x1b\u009b", nil); err != nil || out.String() != "\"a\\u001b\u009b\"\n" {
		t.Errorf("data is as it is: %v %q", err, out.String())
	}
	out.Reset()
	if printError(&out, errors.New("no \x1b[1m")); out.String() != "scimhub: no \ufffd[1m\n" {
		t.Errorf("%q", out.String())
	}
}
