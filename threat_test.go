package scimhub

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThreatModel holds SECURITY.md to the tree: each line of a threat names what shows the
// defence, and each test and script that it names is there.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	lines, findings := threats(string(text), testsIn(t, os.DirFS(".")), func(path string) bool { _, err := os.Stat(path); return err == nil })
	if lines < 50 {
		t.Errorf("only %d threats found: the check reads the wrong tables", lines)
	}
	for _, f := range findings {
		t.Error(f)
	}
	// The check itself finds what it is for.
	const bad = "| who | attack | what stops it | shown by |\n|---|---|---|---|\n| a | b | c | `TestGone` |\n| a | b | c | nobody |\n| a | b | c | `.ci/gone` |\n"
	if _, findings := threats(bad, nil, func(string) bool { return false }); len(findings) != 3 {
		t.Errorf("the check misses faults: %q", findings)
	}
}

var (
	namedTest   = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	namedScript = regexp.MustCompile("`(\\.ci/[a-z0-9/-]+)`")
)

// threats reads the tables whose last column says what shows the defence, and the one of
// flows, where every cell does.
func threats(text string, tests []string, there func(string) bool) (lines int, findings []string) {
	kind := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			kind = ""
			continue
		case strings.Contains(line, "| shown by |"):
			kind = "threat"
			continue
		case strings.HasPrefix(line, "| flow |"):
			kind = "flow"
			continue
		case kind == "" || strings.HasPrefix(line, "|---"):
			continue
		}
		lines++
		shown := cells[len(cells)-1:]
		if kind == "flow" {
			shown = cells[1:]
		}
		for _, cell := range shown {
			named := 0
			for _, m := range namedTest.FindAllStringSubmatch(cell, -1) {
				if named++; !slices.Contains(tests, m[1]) {
					findings = append(findings, "SECURITY.md names "+m[1]+", which is not there: "+line)
				}
			}
			for _, m := range namedScript.FindAllStringSubmatch(cell, -1) {
				if named++; !there(m[1]) {
					findings = append(findings, "SECURITY.md names "+m[1]+", which is not there: "+line)
				}
			}
			if named == 0 {
				findings = append(findings, "nothing shows the defence: "+line)
			}
		}
	}
	return lines, findings
}

// testsIn are the names of all tests below a folder.
func testsIn(t *testing.T, tree fs.FS) (out []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	err := fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && path != "." && strings.HasPrefix(e.Name(), ".") {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			out = append(out, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
