package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// secret stands for every secret while files are checked.
const secret = "check-check-check-check-check-check-"

// compose loads the compose file as compose does, with its secrets given, and looks at
// every service. It returns how many there are.
func (c *check) compose(ctx context.Context) int {
	name := c.path("compose", "compose.yaml")
	env, err := os.ReadFile(c.path("compose", "env.example"))
	if err != nil {
		c.fault("%v", err)
		return 0
	}
	var given []string
	for line := range strings.Lines(string(env)) {
		if key, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(key, "#") {
			given = append(given, key+"="+secret)
			if value != "" {
				c.fault("env.example: %s has a value; a secret that everybody knows is none", key)
			}
		}
	}
	options, err := cli.NewProjectOptions([]string{name}, cli.WithEnv(given), cli.WithWorkingDirectory(filepath.Dir(name)))
	if err != nil {
		c.fault("%s: %v", name, err)
		return 0
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		c.fault("%s: %v", name, err)
		return 0
	}
	for _, s := range project.Services {
		c.service(name, s)
	}
	without, err := cli.NewProjectOptions([]string{name}, cli.WithWorkingDirectory(filepath.Dir(name)))
	if err == nil {
		if _, err = without.LoadProject(ctx); err == nil {
			c.fault("%s: it starts without secrets", name)
		}
	}
	c.configuration(ctx, c.path("compose", "hub.yaml"), given)
	return len(project.Services)
}

func (c *check) service(file string, s types.ServiceConfig) {
	if s.Privileged || s.NetworkMode == "host" || s.Pid == "host" {
		c.fault("%s: %s has rights of the host", file, s.Name)
	}
	if s.Build != nil {
		if !s.ReadOnly || len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" {
			c.fault("%s: %s: read_only and cap_drop: [ALL]", file, s.Name)
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			c.fault("%s: %s: %v", file, s.Name, err)
		}
	} else if i := strings.LastIndex(s.Image, ":"); i < 0 || s.Image[i:] == ":latest" {
		c.fault("%s: %s: image %s names no version", file, s.Name, s.Image)
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			c.fault("%s: %s: port %s is open to everybody", file, s.Name, p.Published)
		}
	}
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil {
			c.fault("%s: %s: %v", file, s.Name, err)
		}
		if !v.ReadOnly {
			c.fault("%s: %s may write to %s", file, s.Name, v.Source)
		}
	}
}

// configuration has the program itself say whether a configuration is right.
func (c *check) configuration(ctx context.Context, path string, env []string) {
	cmd := exec.CommandContext(ctx, c.scimhub, "policy", "check", "--config", path) //nolint:gosec // the program that is being checked
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		c.fault("%s: %v: %s", path, err, out.String())
	}
}
