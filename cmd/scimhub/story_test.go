package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// story is one story of testdata/stories; its README says how they are written.
type story struct {
	file          string
	title         string
	configuration string
	pending       string // why it is not run; empty: it is
	lines         []sentence
}

// sentence is one line of a story that does something or claims something.
type sentence struct {
	line int
	text string
}

// fewestStories guards against stories that get lost.
const fewestStories = 95

// TestStories runs every story on every database, see OnTurn.
func TestStories(t *testing.T) { // it sets the environment, so it is not parallel itself
	setSecrets(t)
	stories := readStories(t)
	told := len(slices.DeleteFunc(slices.Clone(stories), func(s story) bool { return s.pending != "" }))
	if told < fewestStories {
		t.Errorf("%d stories are told, there should be %d at least", told, fewestStories)
	}
	for _, s := range stories {
		t.Run(strings.TrimSuffix(s.file, ".story")+"/"+s.title, func(t *testing.T) {
			t.Parallel()
			if s.pending != "" {
				t.Skip("pending: " + s.pending)
			}
			for _, dialect := range storetest.OnTurn(t) {
				t.Run(dialect, func(t *testing.T) {
					t.Parallel()
					tell(t, s, dialect)
				})
			}
		})
	}
}

// tell runs one story on one database.
func tell(t *testing.T, s story, dialect string) {
	w := newStoryWorld(t, s, dialect)
	for _, l := range s.lines {
		if err := w.do(l.text); err != nil {
			t.Fatalf("%s:%d: %s: %v", s.file, l.line, strings.TrimSpace(l.text), err)
		}
	}
	if w.refused != nil {
		t.Fatalf("%s: the end: %v", s.file, w.refused)
	}
}

func readStories(t *testing.T) []story {
	t.Helper()
	files, err := filepath.Glob("testdata/stories/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	var out []story
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stories, err := parseStories(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, stories...)
	}
	titles := map[string]bool{}
	for _, s := range out {
		if titles[s.file+s.title] {
			t.Errorf("%s: there are two stories %q", s.file, s.title)
		}
		titles[s.file+s.title] = true
	}
	return out
}

// parseStories reads a file; every line has to be understood.
func parseStories(file, text string) (out []story, err error) {
	for n, line := range slices.Collect(strings.Lines(text)) {
		line = strings.TrimRight(line, " \r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		key, value, isHead := strings.Cut(trimmed, ": ")
		if isHead && key == "Story" {
			out = append(out, story{file: file, title: value})
			continue
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("%s:%d: the word Story begins a story", file, n+1)
		}
		s := &out[len(out)-1]
		switch {
		case isHead && key == "Configuration":
			s.configuration = value
		case isHead && key == "Pending":
			s.pending = value
		case trimmed == "Then":
		default:
			if _, _, ok := understand(trimmed); !ok {
				return nil, fmt.Errorf("%s:%d: nobody understands %q", file, n+1, trimmed)
			}
			s.lines = append(s.lines, sentence{n + 1, trimmed})
		}
	}
	return out, nil
}

// step is a kind of sentence.
type step struct {
	pattern *regexp.Regexp
	do      func(w *storyWorld, args []string) error
}

// understand finds the step that a sentence is.
func understand(text string) (step, []string, bool) {
	for _, s := range steps() {
		if m := s.pattern.FindStringSubmatch(text); m != nil {
			return s, m[1:], true
		}
	}
	return step{}, nil, false
}

// do carries a sentence out, or checks what it claims.
func (w *storyWorld) do(text string) error {
	s, args, ok := understand(text)
	if !ok {
		return fmt.Errorf("nobody understands it")
	}
	if w.refused != nil && !strings.HasPrefix(text, "it is refused") {
		return fmt.Errorf("before this: %w", w.refused)
	}
	return s.do(w, args)
}

// storyMoment reads the time of a story, in UTC.
func storyMoment(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a moment", text)
}
