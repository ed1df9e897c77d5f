package telemetry_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logLine is one call of a logger: what the source says about it.
type logLine struct {
	where   string
	message string
	keys    []string
	faults  []string
}

// logMethods are those of slog.Logger that write a line, with how many arguments come
// before the message.
func logMethods() map[string]int {
	return map[string]int{
		"Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
		"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1,
		"Log": 2, "LogAttrs": 2,
	}
}

// TestLogLines holds every log line of the program to a constant message and to the keys
// that docs/logs.md explains, and the list to the keys that are used.
func TestLogLines(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "logs.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	used := map[string]bool{"time": true, "route": true, "level": true, "msg": true, "request": true, "change": true, "trace_id": true, "span_id": true} // of slog, of the handler
	lines := logLines(t, "..")
	if len(lines) < 80 {
		t.Fatalf("only %d log lines found: the check reads the wrong folder", len(lines))
	}
	for _, l := range lines {
		for _, f := range l.faults {
			t.Errorf("%s: %s", l.where, f)
		}
		for _, k := range l.keys {
			used[k] = true
			if !documented[k] {
				t.Errorf("%s: key %q is not in docs/logs.md: use one that is, or explain it there", l.where, k)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(documented)) {
		if !used[k] {
			t.Errorf("docs/logs.md explains key %q, which no line has", k)
		}
	}
}

// logLines reads every log line of the product code below a folder.
func logLines(t *testing.T, root string) (out []logLine) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && p != root && (name == "testdata" || name == "lint" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "zz_")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		found, err := logLinesOf(p, text)
		out = append(out, found...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func logLinesOf(name string, text []byte) (out []logLine, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, 0)
	if err != nil {
		return nil, err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !isLogger(method.X) {
			return true
		}
		skip, writes := logMethods()[method.Sel.Name]
		if method.Sel.Name == "With" {
			l := logLine{where: fset.Position(call.Pos()).String()}
			l.attributes(call.Args)
			out = append(out, l)
			return true
		}
		if !writes || len(call.Args) <= skip {
			return true
		}
		l := logLine{where: fset.Position(call.Pos()).String()}
		if l.message, ok = literal(call.Args[skip]); !ok {
			l.faults = append(l.faults, "the message is no constant: what differs goes into an attribute")
		}
		l.attributes(call.Args[skip+1:])
		out = append(out, l)
		return true
	})
	return out, nil
}

// attributes reads keys and values as slog does.
func (l *logLine) attributes(args []ast.Expr) {
	for i := 0; i < len(args); i++ {
		if call, ok := args[i].(*ast.CallExpr); ok && len(call.Args) > 0 { // slog.String("key", …)
			if at, ok := call.Fun.(*ast.SelectorExpr); ok {
				if pkg, ok := at.X.(*ast.Ident); ok && pkg.Name == "slog" {
					l.key(call.Args[0])
					continue
				}
			}
		}
		l.key(args[i])
		i++ // its value
	}
}

func (l *logLine) key(e ast.Expr) {
	k, ok := literal(e)
	if !ok {
		l.faults = append(l.faults, "a key is no constant")
		return
	}
	l.keys = append(l.keys, k)
}

func literal(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(b.Value)
	return s, err == nil
}

// isLogger reports whether an expression is a logger, by its name: log, x.log, x.Log,
// slog itself.
func isLogger(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "log" || e.Name == "Log" || e.Name == "slog" || e.Name == "logger"
	case *ast.SelectorExpr:
		return e.Sel.Name == "log" || e.Sel.Name == "Log"
	}
	return false
}

// TestLogLinesFinds shows that each rule can fail.
func TestLogLinesFinds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line string
		keys string
		bad  bool
	}{
		"fine":                 {`r.log.Warn("a", "target", t, "error", err)`, "target,error", false},
		"with context":         {`h.Log.ErrorContext(ctx, "a", "error", err)`, "error", false},
		"a level":              {`a.Log.Log(ctx, level, "a", "actor", x)`, "actor", false},
		"attributes":           {`x.Log.LogAttrs(ctx, level, "a", slog.Int("status", 1))`, "status", false},
		"keys of a part":       {`w.Log.With("target", t)`, "target", false},
		"a made-up message":    {`log.Info("a " + name)`, "", true},
		"a formatted message":  {`log.Info(fmt.Sprintf("%s", x))`, "", true},
		"a made-up key":        {`log.Info("a", key, 1)`, "", true},
		"no logger":            {`t.Error("a " + name)`, "", false},
		"a message in a value": {`x.log.Info(m)`, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := logLinesOf("x.go", fmt.Appendf(nil, "package x\nfunc f() { %s }\n", tt.line))
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			bad := false
			for _, l := range lines {
				keys, bad = append(keys, l.keys...), bad || len(l.faults) > 0
			}
			if got := strings.Join(keys, ","); got != tt.keys || bad != tt.bad {
				t.Errorf("keys %q, faulty %t; want %q, %t", got, bad, tt.keys, tt.bad)
			}
		})
	}
}
