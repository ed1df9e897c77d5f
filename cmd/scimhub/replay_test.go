package main_test

import (
	"bufio"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

// TestReplay plays the recorded traffic of identity providers against the hub on
// every database: each recording with a source of its own for each dialect that it
// names. Afterwards exactly the tolerances have been counted that it says it needs.
//
//	go test ./cmd/scimhub -run 'TestReplay/sqlite/play/okta'
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
		t.Run("play", func(t *testing.T) {
			for _, c := range all {
				for _, dialect := range c.Dialects {
					t.Run(strings.TrimSuffix(c.Name, ".txt")+"/"+dialect, func(t *testing.T) {
						t.Parallel()
						play(t, p, c, sourceOf(c, dialect))
					})
				}
			}
		})
		counted := p.deviations(t)
		for _, c := range all {
			for _, dialect := range c.Dialects {
				if diff := cmp.Diff(slices.Sorted(slices.Values(c.Needs)), counted[sourceOf(c, dialect)]); diff != "" {
					t.Errorf("%s in %s: tolerances (-said +counted):\n%s", c.Name, dialect, diff)
				}
			}
		}
	})
}

func play(t *testing.T, p *provider, c *replay.Conversation, source string) {
	t.Helper()
	player := &replay.Player{Client: p.client, Base: p.base + "/scim/v2", Authorization: "Bearer " + sourceToken(source)}
	faults, err := player.Play(t.Context(), c)
	for _, f := range faults {
		t.Error(f)
	}
	if err != nil {
		t.Error(err)
	}
}

var deviationLine = regexp.MustCompile(`^scimhub_scim_deviations_total\{deviation="([^"]*)",source="([^"]*)"\} `)

// deviations are the tolerances that each source has needed, by the metrics, sorted.
func (p *provider) deviations(t *testing.T) map[string][]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string][]string{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if m := deviationLine.FindStringSubmatch(lines.Text()); m != nil {
			out[m[2]] = append(out[m[2]], m[1])
		}
	}
	for _, l := range slices.Collect(maps.Values(out)) {
		slices.Sort(l)
	}
	return out
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
