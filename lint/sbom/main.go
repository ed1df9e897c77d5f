// Command sbom writes down whose work the released program is made of: a table of modules
// and their licences, which is held against the tree, and the texts that go with a release.
//
//	go -C lint/sbom run . -root ../..            docs/licences.md must be up to date
//	go -C lint/sbom run . -root ../.. -update    writes it
//	go -C lint/sbom run . -root ../.. -notices FILE
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those that are released: some modules are of one alone.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

// permissive are the licences that a module may have without anybody being asked.
var permissive = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "0BSD"}

// exceptions are modules with another licence, each with why it may be part of the program.
var exceptions = map[string]string{}

// module is one that the program is made of.
type module struct{ Path, Version, Dir, Licence, Text string }

func main() {
	root := flag.String("root", ".", "the repository")
	update := flag.Bool("update", false, "write docs/licences.md")
	notices := flag.String("notices", "", "write the licences' texts to this file")
	flag.Parse()
	if err := run(*root, *update, *notices); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(root string, update bool, notices string) error {
	list, err := modules(root)
	if err != nil {
		return err
	}
	var errs []error
	for i := range list {
		errs = append(errs, list[i].read())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if notices != "" {
		return os.WriteFile(notices, texts(list), 0o644)
	}
	file, want := filepath.Join(root, "docs", "licences.md"), table(list)
	if update {
		return os.WriteFile(file, want, 0o644)
	}
	if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, want) {
		return errors.New("docs/licences.md is not what the program is made of: go -C lint/sbom run . -root ../.. -update")
	}
	return nil
}

// modules are those whose packages are linked into the program on some platform, sorted,
// with Go's own library.
func modules(root string) ([]module, error) {
	found := map[string]module{}
	for _, p := range platforms {
		system, arch, _ := strings.Cut(p, "/")
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/scimhub")
		cmd.Dir, cmd.Stderr = root, os.Stderr
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", p, err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
				found[f[0]] = module{Path: f[0], Version: f[1], Dir: f[2]}
			}
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	list := []module{{Path: "Go standard library", Dir: strings.TrimSpace(string(goroot))}}
	for _, m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// read finds the module's licence and judges it.
func (m *module) read() error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	var names []string
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if strings.Contains(upper, "LOGO") {
			continue // a picture, which is not part of the program
		}
		if !e.IsDir() && (strings.HasPrefix(upper, "LICEN") || strings.HasPrefix(upper, "COPYING") || strings.HasPrefix(upper, "NOTICE") || strings.HasPrefix(upper, "UNLICENSE")) {
			names = append(names, e.Name())
		}
	}
	var kinds []string
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(m.Dir, name))
		if err != nil {
			return err
		}
		m.Text += strings.TrimSpace(string(text)) + "\n\n"
		if kind := licenceOf(string(text)); kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		} else if kind == "" && !strings.HasPrefix(strings.ToUpper(name), "NOTICE") {
			return fmt.Errorf("%s: the licence in %s is not known", m.Path, name)
		}
	}
	slices.Sort(kinds)
	m.Licence = strings.Join(kinds, ", ")
	for _, kind := range kinds {
		if !slices.Contains(permissive, kind) && exceptions[m.Path] == "" {
			return fmt.Errorf("%s: %s is not among the licences that may be used without a decision (lint/sbom/main.go)", m.Path, kind)
		}
	}
	if len(kinds) == 0 {
		return fmt.Errorf("%s: no licence was found in %s", m.Path, m.Dir)
	}
	return nil
}

// licenceOf names a licence by its SPDX identifier; empty: it is not known.
func licenceOf(text string) string {
	flat := strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(s string) bool { return strings.Contains(flat, s) }
	switch {
	case has("gnu affero general public license"):
		return "AGPL"
	case has("gnu lesser general public license"):
		return "LGPL"
	case has("gnu general public license"):
		return "GPL"
	case has("mozilla public license version 2.0") || has("mozilla public license, version 2.0"):
		return "MPL-2.0"
	case has("apache license") && has("version 2.0"):
		return "Apache-2.0"
	case has("redistribution and use in source and binary forms") && (has("neither the name") || has("names of its contributors may") || has("name of the author may not")):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("permission to use, copy, modify, and/or distribute this software") && has("copyright notice"):
		return "ISC"
	case has("permission is hereby granted, free of charge") && has("the software is provided"):
		return "MIT"
	}
	return ""
}

// table is docs/licences.md.
func table(list []module) []byte {
	var b bytes.Buffer
	count := map[string]int{}
	for _, m := range list {
		count[m.Licence]++
	}
	var sums []string
	for kind, n := range count {
		sums = append(sums, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(sums)
	fmt.Fprintf(&b, "# Licences\n\nscimhub is under the licence in [LICENSE](../LICENSE). The released program contains these\nmodules and nothing else (%s). The texts go with each release\n(`THIRD-PARTY-NOTICES.txt`), with a bill of materials in CycloneDX (`scimhub.cdx.json`).\n\n", strings.Join(sums, "; "))
	b.WriteString("Generated by `go -C lint/sbom run . -root ../.. -update`; the gate fails where it is not up\nto date, and where a licence is none of " + strings.Join(permissive, ", ") + ".\n\n| module | version | licence |\n|---|---|---|\n")
	for _, m := range list {
		version := m.Version
		if version == "" {
			version = "of the toolchain"
		}
		fmt.Fprintf(&b, "| %s | %s | %s%s |\n", m.Path, version, m.Licence, because(m.Path))
	}
	return b.Bytes()
}

func because(path string) string {
	if why := exceptions[path]; why != "" {
		return " (" + why + ")"
	}
	return ""
}

// texts are the licences in full.
func texts(list []module) []byte {
	var b bytes.Buffer
	b.WriteString("scimhub contains the work of others, under the licences below.\n")
	for _, m := range list {
		fmt.Fprintf(&b, "\n%s\n%s %s\n\n%s", strings.Repeat("=", 78), m.Path, m.Version, m.Text)
	}
	return b.Bytes()
}
