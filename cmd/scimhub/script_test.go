package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestScripts runs testdata/script/*.txtar, each on a fresh SQLite file and on a
// fresh PostgreSQL schema: command lines as a person types them, against the built
// program. The words of a script are those of testscript where it has them; see
// script_words_test.go for all of them.
//
// At the end of each script no secret may have been in anything that was written.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		for _, dialect := range storetest.Dialects() {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+dialect, func(t *testing.T) {
				t.Parallel()
				newScript(t, file, storetest.URL(t, dialect)).run()
			})
		}
	}
}

// script is one script on its way.
type script struct {
	t    *testing.T
	file string
	text string // commands
	line int
	dir  string
	vars map[string]string
	apps map[string]*application
	hub  *process

	out, err string // of the last command
	written  strings.Builder
}

// Secrets of a script. A word of each must never be seen again.
var scriptSecrets = map[string]string{
	"SCIMHUB_ADMIN_TOKEN": "kept-admin-8e1f", "HR_TOKEN": "kept-hr-51bb", "APP_TOKEN": "kept-app-07aa",
}

func newScript(t *testing.T, file, database string) *script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s := &script{t: t, file: filepath.Base(file), dir: t.TempDir(), apps: map[string]*application{}, vars: map[string]string{
		"DATABASE": database, "PORT": fmt.Sprint(port), "HUB": fmt.Sprintf("http://127.0.0.1:%d", port)}}
	parts := regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatchIndex(string(text), -1)
	s.text = string(text)
	for i, p := range slices.Backward(parts) {
		end := len(text)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		s.write(string(text[p[2]:p[3]]), string(text[p[1]:end]))
		s.text = string(text[:p[0]])
	}
	return s
}

func (s *script) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.fatalf("%v", err)
	}
	return string(text)
}

func (s *script) fatalf(format string, args ...any) {
	s.t.Helper()
	log := ""
	if s.hub != nil {
		log = "\nhub:\n" + s.hub.err.tail(20)
	}
	s.t.Fatalf("%s:%d: %s\nstdout:\n%s\nstderr:\n%s%s", s.file, s.line, fmt.Sprintf(format, args...), s.out, s.err, log)
}

func (s *script) run() {
	s.t.Helper()
	for line := range strings.Lines(s.text) {
		s.line++
		words := s.words(strings.TrimSpace(line))
		if len(words) == 0 {
			continue
		}
		negative := words[0] == "!"
		if negative {
			words = words[1:]
		}
		do, known := scriptWords()[words[0]]
		if !known {
			s.fatalf("there is no command %q", words[0])
		}
		if complaint := do(s, negative, words[1:]); complaint != "" {
			s.fatalf("%s", complaint)
		}
	}
	if s.hub != nil {
		s.written.WriteString(s.hub.err.String() + s.hub.out.String())
	}
	for name, secret := range scriptSecrets {
		if strings.Contains(s.written.String(), secret) {
			s.fatalf("the secret %s was written out", name)
		}
	}
}

var scriptWord = regexp.MustCompile(`'((?:[^']|'')*)'|(\S+)`)

// words splits a line; '…' quotes, with ” for a quote inside. $NAME is replaced
// where a value of that name is known; # begins a comment.
func (s *script) words(line string) []string {
	var out []string
	if strings.HasPrefix(line, "#") {
		return nil
	}
	for _, m := range scriptWord.FindAllStringSubmatch(line, -1) {
		if m[2] == "" {
			out = append(out, s.expand(strings.ReplaceAll(m[1], "''", "'")))
			continue
		}
		out = append(out, s.expand(m[2]))
	}
	return out
}

var scriptVar = regexp.MustCompile(`\$([A-Z_]+)`)

func (s *script) expand(text string) string {
	return scriptVar.ReplaceAllStringFunc(text, func(v string) string {
		if value, ok := s.vars[v[1:]]; ok {
			return value
		}
		return v
	})
}

// env is what commands and hub see: no settings of the machine, secrets by name.
func (s *script) env() []string {
	env := []string{"SCIMHUB_RUNTIME_DIR=" + filepath.Join(s.dir, "run"), "SCIMHUB_SERVER=", "SCIMHUB_TOKEN=",
		"DATABASE=" + s.vars["DATABASE"]}
	for name, secret := range scriptSecrets {
		env = append(env, name+"="+secret)
	}
	return env
}
