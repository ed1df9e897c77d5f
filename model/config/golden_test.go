package config_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func lines(faults []config.Fault) string {
	var b strings.Builder
	for _, f := range faults {
		b.WriteString(f.Error() + "\n")
	}
	return b.String()
}

// TestFaults holds, for each text in testdata/faults, every fault and warning with its place.
func TestFaults(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %d texts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, faults := config.Parse("hub.yaml", src)
			if len(faults) == 0 {
				t.Error("no faults")
			}
			got := lines(faults)
			if len(d.Warnings) > 0 {
				got += "warnings:\n" + lines(d.Warnings)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".want", got)
		})
	}
}

// TestFull reads a text with every key and compares the whole document.
func TestFull(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	src = config.Bundle(src, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", file)) })
	d, faults := config.Parse("hub.yaml", src)
	if len(faults) > 0 {
		t.Fatalf("faults:\n%s", lines(faults))
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.json", string(b)+"\n")
	if diff := cmp.Diff(string(src), string(d.Redacted())); diff != "" {
		t.Errorf("a text without literal secrets is redacted:\n%s", diff)
	}
	if got := d.Sources[0].Tokens[0].Secret.Reference(); got != "${env:HR_TOKEN}" {
		t.Errorf("reference %q", got)
	}
}
