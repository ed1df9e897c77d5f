package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

// FuzzParse: no text panics; faults stand inside the text; what is accepted is
// accepted again after redaction, with the same shape and no literal secret left.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/full.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("admin: {tokens: [{name: a, secret: 'x''y', role: admin}, {name: b, secret: \"a\\\"b\", role: admin}]}\n"))
	f.Add([]byte("sources:\n  a:\n    tokens:\n    - secret: lit eral # c\n      name: n\ndatabase: postgres://a:b@c/d\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		d, faults := config.Parse("f", src)
		rows := strings.Count(string(src), "\n") + 2
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > rows || fault.Column < 1 || fault.Message == "" {
				t.Fatalf("fault out of place: %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		redacted := d.Redacted()
		again, faults := config.Parse("f", redacted)
		if len(faults) > 0 {
			t.Fatalf("redacted text has faults: %v\n%s", faults, redacted)
		}
		for _, w := range again.Warnings {
			if strings.Contains(w.Message, "stands in the file") {
				t.Fatalf("a secret is left: %v\n%s", w, redacted)
			}
		}
		if len(again.Roles) != len(d.Roles) || len(again.Targets) != len(d.Targets) || len(again.Sources) != len(d.Sources) || string(again.Redacted()) != string(redacted) {
			t.Fatalf("redaction changed more than secrets:\n%s", redacted)
		}
	})
}
