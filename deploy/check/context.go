package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// buildContext has every file that the program is made of reach the image's build, and
// nothing that may hold secrets or state.
func (c *check) buildContext(ctx context.Context) {
	name := filepath.Join(c.root, ".dockerignore")
	file, err := os.Open(name)
	if err != nil {
		c.fault("%v", err)
		return
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		c.fault("%s: %v", name, err)
		return
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		c.fault("%s: %v", name, err)
		return
	}
	is := func(path string) bool {
		yes, err := ignored.MatchesOrParentMatches(path) //nolint:staticcheck // what the builder asks, too
		return err != nil || yes
	}
	for _, path := range []string{"hub.db", "cmd/scimhub/hub.db-wal", "deploy/compose/.env", ".git/config", "bin/scimhub"} {
		if !is(path) {
			c.fault("%s: lets %s into the build", name, path)
		}
	}
	for _, path := range append(c.program(ctx), "go.mod", "go.sum") {
		if is(path) {
			c.fault("%s: %s is left out, which the program is made of", name, path)
		}
	}
}

// program lists the files of the repository that the program is compiled from.
func (c *check) program(ctx context.Context) (files []string) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-f",
		`{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`, "./cmd/scimhub")
	list.Dir = c.root
	out, err := list.Output()
	if err != nil {
		c.fault("the program's files cannot be listed: %v", err)
		return nil
	}
	root, err := filepath.Abs(c.root)
	if err != nil {
		c.fault("%v", err)
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if path, err := filepath.Rel(root, strings.TrimSpace(line)); err == nil && strings.TrimSpace(line) != "" {
			files = append(files, filepath.ToSlash(path))
		}
	}
	if len(files) < 100 {
		c.fault("only %d files of the program were found", len(files))
	}
	return files
}
