package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/config"
)

// documents are those that people read, by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range append(names, "../../README.md", "../../SECURITY.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	if len(out) < 10 {
		t.Fatalf("only %d documents are left", len(out))
	}
	return out
}

// TestDocumentedRoutes: every route that a document names with its method is there.
func TestDocumentedRoutes(t *testing.T) {
	t.Parallel()
	body, err := (&admin.API{}).Description()
	if err != nil {
		t.Fatal(err)
	}
	var api struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(body, &api); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(GET|POST|DELETE) (?:/api/v1)?(/[a-z][a-z/{}-]*)`)
	found := 0
	for name, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
			if strings.HasPrefix(m[2], "/scim") || strings.HasPrefix(m[2], "/_app") {
				continue
			}
			if found++; api.Paths[m[2]][strings.ToLower(m[1])] == nil {
				t.Errorf("%s: there is no %s %s", name, m[1], m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d routes are named", found)
	}
}

// TestDocumentedCommands: every command in a block of a document is there, with its flags.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	line := regexp.MustCompile(`(?m)^(?:bin/)?scimhub (.+)$`)
	flag := regexp.MustCompile(`--([a-z][a-z-]*)`)
	found := 0
	for name, text := range documents(t) {
		for _, b := range block.FindAllStringSubmatch(text, -1) {
			for _, m := range line.FindAllStringSubmatch(b[1], -1) {
				said, _, _ := strings.Cut(m[1], "#")
				for _, end := range []string{" | ", " > ", " && "} {
					said, _, _ = strings.Cut(said, end)
				}
				found++
				cmd := commandOf(strings.Fields(said))
				if cmd == nil {
					t.Errorf("%s: there is no command scimhub %s", name, said)
					continue
				}
				for _, f := range flag.FindAllStringSubmatch(said, -1) {
					if cmd.Flag(f[1]) == nil && cmd.InheritedFlags().Lookup(f[1]) == nil {
						t.Errorf("%s: scimhub %s has no --%s", name, strings.TrimSpace(said), f[1])
					}
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands are named", found)
	}
}

// commandOf is the command that words begin with; nil where there is none, or more is
// needed.
func commandOf(words []string) *cobra.Command {
	cmd, rest, err := newRoot().Find(words)
	if err != nil || !cmd.HasParent() || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(strings.TrimPrefix(rest[0], "["), "-") {
		return nil
	}
	return cmd
}

// TestDocumentedLinks: files and headings that documents lead to are there.
func TestDocumentedLinks(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for _, name := range []string{"../../CONTRIBUTING.md", "../../DESIGN.md", "../../CHANGELOG.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	for _, bad := range brokenLinks(all) {
		t.Error(bad)
	}
	made := map[string]string{"a.md": "# One `two`, three\n# Same\n## Same\n```\n# no heading\n```\n[](#one-two-three) [](#same-1) [](b.md) [](a.md#same) [](https://x.test/#y)\n" +
		"[](#no-heading) [](#same-2) [](a.md#onetwo) [](missing.md)", "b.md": "[](a.md#same-1)"}
	if got := brokenLinks(made); len(got) != 4 {
		t.Errorf("of four broken links these were found: %q", got)
	}
}

// brokenLinks lists the relative links of documents, by path, that lead to no file, or to
// no heading of one of the documents.
func brokenLinks(documents map[string]string) (out []string) {
	block := regexp.MustCompile("(?ms)^```.*?^```")
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]+))?\)`)
	headings := map[string]map[string]bool{}
	for name, text := range documents {
		headings[name] = anchorsOf(block.ReplaceAllString(text, ""))
	}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		for _, m := range link.FindAllStringSubmatch(block.ReplaceAllString(documents[name], ""), -1) {
			to := name
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(name), m[1])
			}
			known, ours := headings[to]
			if _, err := os.Stat(to); err != nil && !ours && !strings.HasSuffix(to, ".png") { // pictures are made anew when the pages change
				out = append(out, name+" leads to "+m[1]+", which is not there")
			} else if ours && m[2] != "" && !known[m[2]] {
				out = append(out, name+" leads to "+m[1]+"#"+m[2]+": there is no such heading")
			}
		}
	}
	return out
}

// anchorsOf are the names that headings of a document have in links, as GitHub makes them:
// in small letters, without punctuation, numbered where one comes again.
func anchorsOf(text string) map[string]bool {
	out, seen := map[string]bool{}, map[string]int{}
	drop := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, m := range regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`).FindAllStringSubmatch(text, -1) {
		words := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		anchor := strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(words), ""), " ", "-")
		if n := seen[anchor]; n > 0 {
			out[anchor+"-"+strconv.Itoa(n)] = true
		} else {
			out[anchor] = true
		}
		seen[anchor]++
	}
	return out
}

// TestDocumentedEvents: the document on messages has every event, and no other.
func TestDocumentedEvents(t *testing.T) {
	t.Parallel()
	text := documents(t)["../../docs/messages.md"]
	all := config.EventNames()
	for _, m := range regexp.MustCompile("(?m)^\\| (`[a-z]+\\.[a-z]+`[^|]*)\\|").FindAllStringSubmatch(text, -1) {
		prefix := ""
		for _, n := range regexp.MustCompile("`([a-z]*)\\.([a-z]+)`").FindAllStringSubmatch(m[1], -1) {
			if n[1] != "" {
				prefix = n[1]
			}
			event := prefix + "." + n[2]
			if !slices.Contains(config.EventNames(), event) {
				t.Errorf("there is no event %s", event)
			}
			all = slices.DeleteFunc(all, func(e string) bool { return e == event })
		}
	}
	if len(all) > 0 {
		t.Errorf("nothing is said of %v", all)
	}
}
