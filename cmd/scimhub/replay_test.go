package main_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/conformance/replay"
)

// TestReplay plays the recorded traffic of identity providers against the hub on
// every database: each recording with a source of its own for each dialect that it
// names.
//
//	go test ./cmd/scimhub -run 'TestReplay/sqlite/okta'
func TestReplay(t *testing.T) {
	t.Parallel()
	all := recordings(t)
	sources := map[string]string{}
	for _, c := range all {
		for _, dialect := range c.Dialects {
			sources[sourceOf(c, dialect)] = dialect
		}
	}
	eachProvider(t, sources, func(t *testing.T, p *provider) {
		for _, c := range all {
			for _, dialect := range c.Dialects {
				t.Run(strings.TrimSuffix(c.Name, ".txt")+"/"+dialect, func(t *testing.T) {
					t.Parallel()
					player := &replay.Player{Client: p.client, Base: p.base + "/scim/v2", Authorization: "Bearer " + sourceToken(sourceOf(c, dialect))}
					faults, err := player.Play(t.Context(), c)
					for _, f := range faults {
						t.Error(f)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
}

func sourceOf(c *replay.Conversation, dialect string) string {
	return strings.NewReplacer("/", "-", ".txt", "", "_", "-").Replace(c.Name) + "-" + dialect
}

// recordings reads conformance/testdata.
func recordings(t *testing.T) []*replay.Conversation {
	t.Helper()
	var out []*replay.Conversation
	dir := os.DirFS("../../conformance/testdata")
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		c, err := replay.Parse(path, text)
		if err != nil {
			t.Error(err)
			return nil
		}
		out = append(out, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("there are no recordings")
	}
	return out
}
