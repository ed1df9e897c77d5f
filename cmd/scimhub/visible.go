package main

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible is text that a terminal shows and does not obey: in place of control
// characters and turned directions, which names and reasons of people may hold,
// stands U+FFFD. Line ends and tabs stay.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

// cell is text in one cell of a table: on one line.
func cell(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(text)
}

// visibleWriter writes visible text. What is written in pieces may be cut anywhere, so
// that the beginning of a character waits for its end.
type visibleWriter struct {
	w    io.Writer
	rest []byte
}

// Write is part of io.Writer.
func (v *visibleWriter) Write(p []byte) (int, error) {
	text := append(v.rest, p...)
	keep := len(text)
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if at := len(text) - n; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				keep = at
			}
			break
		}
	}
	v.rest = append([]byte(nil), text[keep:]...)
	_, err := io.WriteString(v.w, visible(string(text[:keep])))
	return len(p), err
}
