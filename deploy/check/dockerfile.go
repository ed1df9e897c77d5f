package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile parses the Dockerfile with BuildKit's parser and its lint rules, and holds
// the image to what is promised of it: from nothing, nobody's rights, a health check.
func (c *check) dockerfile() {
	name := c.path("docker", "Dockerfile")
	text, err := os.ReadFile(name)
	if err != nil {
		c.fault("%v", err)
		return
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		c.fault("%s: %v", name, err)
		return
	}
	for _, w := range parsed.Warnings {
		c.fault("%s: %s", name, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		line := 0
		if len(at) > 0 {
			line = at[0].Start.Line
		}
		c.fault("%s:%d: %s: %s", name, line, rule, message)
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		c.fault("%s: %v", name, err)
		return
	}
	c.stages(name, stages)
}

func (c *check) stages(name string, stages []instructions.Stage) {
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		c.fault("%s: the image is made from %s, not from scratch", name, last.BaseName)
	}
	user, health, entry := "", false, false
	for _, stage := range stages {
		for _, command := range stage.Commands {
			switch command := command.(type) {
			case *instructions.AddCommand:
				c.fault("%s: ADD unpacks and fetches; use COPY", name)
			case *instructions.CopyCommand:
				c.sources(name, command)
			}
		}
	}
	for _, command := range last.Commands {
		switch command := command.(type) {
		case *instructions.UserCommand:
			user = command.User
		case *instructions.HealthCheckCommand:
			health = len(command.Health.Test) > 0
		case *instructions.EntrypointCommand:
			entry = !command.PrependShell
		case *instructions.RunCommand:
			c.fault("%s: there is no shell in the last stage to RUN in", name)
		}
	}
	if uid, _, _ := strings.Cut(user, ":"); uid == "" || uid == "0" || strings.Trim(uid, "0123456789") != "" {
		c.fault("%s: USER %q; say a number other than 0, which Kubernetes can check", name, user)
	}
	if !health || !entry {
		c.fault("%s: needs a HEALTHCHECK and an ENTRYPOINT in the form of a list", name)
	}
}

// sources are there, where they come from the repository.
func (c *check) sources(name string, command *instructions.CopyCommand) {
	if command.From != "" {
		return
	}
	for _, path := range command.SourcePaths {
		if _, err := os.Stat(filepath.Join(c.root, path)); err != nil {
			c.fault("%s: COPY %s: %v", name, path, err)
		}
	}
}
