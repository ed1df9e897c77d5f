package scimhub

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/scimhub/scimhub"

// layer says what the packages below one folder may import of this module. A
// folder belongs to the layer with the longest path that contains it. Packages of
// one layer may import each other; an entry "x" stands for package x alone, "x/..."
// for x and everything below it.
type layer struct {
	may     []string
	inTests []string // additionally in _test.go files
}

// layers is the one-way rule. A folder that is not in it has no place in the
// design yet: give it one here and say in DESIGN.md why.
func layers() map[string]layer {
	models := []string{"model", "model/scim", "model/config"}
	return map[string]layer{
		".":            {},
		"model/scim":   {},
		"telemetry":    {}, // ids, log lines and traces: it knows none of the nouns
		"model/rows":   {}, // what systems export that know no SCIM: records, no meaning
		"model":        {may: []string{"model/scim"}},
		"model/config": {may: []string{"model", "model/scim"}},
		"model/store": {
			// The configuration is stored as text: the store never reads it.
			may:     []string{"model", "model/scim", "telemetry"},
			inTests: []string{"model/store/storetest/..."},
		},
		"model/store/storetest": {may: []string{"model", "model/scim", "model/store"}},
		"scimserver": {
			// Anybody's Backend: it must not know this hub's nouns.
			may: []string{"model/scim"},
		},
		"conformance": {may: []string{"model/scim", "scimserver/..."}},
		"policy":      {may: models},
		// It measures a hub that it is handed, and knows none.
		"bench": {may: []string{"model", "conformance/..."}},
		// Where connections to what somebody else has named may lead.
		"outbound": {may: []string{"model"}},
		"notify": {
			// It tells what others have written, and decides nothing about people.
			may:     append([]string{"telemetry", "model/store", "outbound"}, models...),
			inTests: []string{"model/store/..."},
		},
		"fanout": {
			may:     append([]string{"telemetry", "policy", "model/store"}, models...),
			inTests: []string{"conformance/...", "model/store/...", "scimserver/..."},
		},
		"proxy": {
			// A service provider whose resources are those of one target.
			may:     append([]string{"telemetry", "scimserver", "fanout", "model/store"}, models...),
			inTests: []string{"conformance/...", "model/store/...", "scimserver/..."},
		},
		"hub": {
			may:     append([]string{"telemetry", "scimserver", "policy", "model/store", "model/rows"}, models...),
			inTests: []string{"conformance/...", "model/store/...", "scimserver/..."},
		},
		"admin": {
			may:     append([]string{"telemetry", "hub", "fanout", "policy", "notify", "outbound", "model/store", "model/rows"}, models...),
			inTests: []string{"conformance/...", "model/store/...", "scimserver/..."},
		},
		"cmd": {may: []string{"..."}},
	}
}

// homes are libraries with one place in the program: who looks for SQL, for the
// rule engine or for the command line finds all of it there.
func homes() map[string][]string {
	return map[string][]string{
		"gorm.io/":                        {"model/store"},
		"github.com/glebarez/":            {"model/store", "bench", "cmd"},
		"github.com/casbin/":              {"policy", "admin"},
		"cel.dev/":                        {"policy"},
		"github.com/elimity-com/scim":     {"model/scim"},
		"github.com/go-jose/":             {"scimserver"},
		"github.com/spf13/cobra":          {"cmd"},
		"github.com/wneessen/go-mail":     {"notify"},
		"go.opentelemetry.io/":            {"telemetry"},
		"github.com/emersion/":            {}, // tests only
		"net/http/httptest":               {}, // tests only
		"github.com/google/go-cmp":        {}, // tests only
		"pgregory.net/rapid":              {"model/store/storetest"},
		"github.com/rogpeppe/go-internal": {}, // tests only
	}
}

// pure lists packages whose product code does no network and no SQL. (model/config
// does neither, but checks names of HTTP headers.)
func pure() []string { return []string{"model", "model/scim", "policy"} }

// TestArchitecture holds the whole tree to the one-way rule.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	files, findings := check(os.DirFS("."))
	if files < 2 {
		t.Fatalf("only %d Go files seen: the check reads the wrong folder", files)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// check reads every Go file of a tree and returns how many it saw and what breaks
// the rules, sorted.
func check(tree fs.FS) (files int, findings []string) {
	c := checker{fset: token.NewFileSet(), commented: map[string]bool{}}
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skip(tree, p, d.Name())
		case strings.HasSuffix(p, ".go"):
			files++
			return c.file(tree, p)
		}
		return nil
	})
	if err != nil {
		c.add("%v", err)
	}
	for dir, ok := range c.commented {
		if !ok {
			c.add("%s: no file has a package comment; say what the package decides and what it refuses to know", dir)
		}
	}
	slices.Sort(c.findings)
	return files, slices.Compact(c.findings)
}

// skip leaves out what the go command leaves out too: hidden folders, testdata and
// modules of their own; and scratch folders, which git ignores.
func skip(tree fs.FS, p, name string) error {
	if p == "." {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasPrefix(name, "zz_") ||
		name == "testdata" || name == "vendor" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(p, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

type checker struct {
	fset      *token.FileSet
	commented map[string]bool // folder with product code -> some file has the package comment
	findings  []string
}

func (c *checker) add(format string, args ...any) {
	c.findings = append(c.findings, fmt.Sprintf(format, args...))
}

func (c *checker) file(tree fs.FS, p string) error {
	text, err := fs.ReadFile(tree, p)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(c.fset, p, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		c.add("%v", err)
		return nil
	}
	dir, test := path.Dir(p), strings.HasSuffix(p, "_test.go")
	c.name(dir, p, f)
	if !test {
		c.commented[dir] = c.commented[dir] || packageComment(f)
	}
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		c.imports(dir, target, c.fset.Position(spec.Pos()).String(), test)
	}
	return nil
}

// name refuses folders and packages named for what they are not.
func (c *checker) name(dir, p string, f *ast.File) {
	vague := []string{
		"base", "common", "helper", "helpers", "manager", "managers",
		"misc", "shared", "type", "types", "util", "utils",
	}
	pkg := strings.TrimSuffix(f.Name.Name, "_test")
	for _, n := range []string{pkg, path.Base(dir)} {
		if slices.Contains(vague, n) {
			c.add("%s: package %s: the name %q says nothing; name it for the noun it holds", p, dir, n)
		}
	}
}

// packageComment reports whether the file carries a real one: "Package x …", or
// "Command …" and the like for a program.
func packageComment(f *ast.File) bool {
	text := strings.TrimSpace(f.Doc.Text())
	if f.Name.Name == "main" {
		return text != ""
	}
	return strings.HasPrefix(text, "Package "+f.Name.Name+" ")
}

// imports judges one import of a file in folder dir.
func (c *checker) imports(dir, target, where string, test bool) {
	if target == "C" {
		c.add("%s: cgo: the binary is static and pure Go", where)
		return
	}
	own, ours := strings.CutPrefix(target+"/", module+"/")
	if !ours {
		c.library(dir, target, where, test)
		return
	}
	own = path.Clean(own)
	from, ok := layerOf(dir)
	if !ok {
		c.add("%s: folder %s has no layer; give it one in architecture_test.go and say why in DESIGN.md", where, dir)
		return
	}
	to, _ := layerOf(own)
	rule := layers()[from]
	may := rule.may
	if test {
		may = slices.Concat(may, rule.inTests)
	}
	if from == to && own != "." || slices.ContainsFunc(may, func(entry string) bool { return covers(entry, own) }) {
		return
	}
	c.add("%s: %s must not import %s", where, dir, own)
}

// library judges an import from outside the module.
func (c *checker) library(dir, target, where string, test bool) {
	if test {
		return
	}
	if slices.Contains(pure(), dir) && (target == "net/http" || target == "database/sql") {
		c.add("%s: %s does no I/O and must not import %s", where, dir, target)
	}
	if target == "testing" && !strings.HasSuffix(dir, "test") {
		c.add("%s: %s must not import testing outside tests", where, dir)
	}
	for prefix, at := range homes() {
		if !strings.HasPrefix(target, prefix) {
			continue
		}
		if !slices.ContainsFunc(at, func(home string) bool { return covers(home+"/...", dir) }) {
			c.add("%s: %s must not import %s; its place is %v", where, dir, target, at)
		}
	}
}

// layerOf finds the layer with the longest path that contains dir.
func layerOf(dir string) (string, bool) {
	for d := dir; ; d = path.Dir(d) {
		if _, ok := layers()[d]; ok && (d != "." || dir == ".") {
			return d, true
		}
		if d == "." {
			return "", false
		}
	}
}

// covers reports whether an entry of the table names the package.
func covers(entry, pkg string) bool {
	if entry == "..." {
		return true
	}
	if base, tree := strings.CutSuffix(entry, "/..."); tree {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == entry
}

// TestCheckFinds shows that each rule can fail, and names what it says then.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	const ok = "// Package x is here.\npackage x\n"
	imp := func(p string) string { return ok + "import _ \"" + p + "\"\n" }
	tests := map[string]struct {
		file, text string
		want       string // empty: nothing is found
	}{
		"down is fine":               {"hub/x.go", imp(module + "/model/store"), ""},
		"within a layer is fine":     {"scimserver/memory/x.go", imp(module + "/scimserver"), ""},
		"the program wires all":      {"cmd/scimhub/x.go", imp(module + "/admin"), ""},
		"tests of fanout may":        {"fanout/x_test.go", imp(module + "/conformance/app"), ""},
		"fanout itself may not":      {"fanout/x.go", imp(module + "/conformance/app"), "fanout must not import conformance/app"},
		"up":                         {"model/x.go", imp(module + "/policy"), "model must not import policy"},
		"up into a subfolder":        {"model/x.go", imp(module + "/model/store"), "model must not import model/store"},
		"model/scim stands alone":    {"model/scim/x.go", imp(module + "/model"), "model/scim must not import model"},
		"store knows no config":      {"model/store/x.go", imp(module + "/model/config"), "model/store must not import model/config"},
		"hub knows no fanout":        {"hub/x.go", imp(module + "/fanout"), "hub must not import fanout"},
		"nor do its tests":           {"hub/x_test.go", imp(module + "/fanout"), "hub must not import fanout"},
		"fanout knows no hub":        {"fanout/x.go", imp(module + "/hub"), "fanout must not import hub"},
		"scimserver knows no model":  {"scimserver/x.go", imp(module + "/model"), "scimserver must not import model"},
		"nobody imports the program": {"admin/x.go", imp(module + "/cmd/scimhub"), "admin must not import cmd/scimhub"},
		"nobody imports the root":    {"admin/x.go", imp(module), "admin must not import ."},
		"a folder without a layer":   {"extra/x.go", imp(module + "/model"), "folder extra has no layer"},
		"a library out of its home":  {"hub/x.go", imp("gorm.io/gorm"), "hub must not import gorm.io/gorm"},
		"a library for tests":        {"hub/x.go", imp("net/http/httptest"), "its place is []"},
		"the network in the model":   {"model/x.go", imp("net/http"), "model does no I/O"},
		"testing in the product":     {"hub/x.go", imp("testing"), "must not import testing"},
		"testing in a test package":  {"model/store/storetest/x.go", imp("testing"), ""},
		"cgo":                        {"hub/x.go", imp("C"), "cgo"},
		"no package comment":         {"hub/x.go", "package x\n", "no file has a package comment"},
		"a comment about else":       {"hub/x.go", "// TODO write.\npackage x\n", "no file has a package comment"},
		"a licence is no comment":    {"hub/x.go", "// Package x is here.\n\npackage x\n", "no file has a package comment"},
		"a folder named for nothing": {"hub/utils/x.go", ok, `the name "utils" says nothing`},
		"a package named likewise":   {"hub/y/x.go", "// Package types is here.\npackage types\n", `the name "types" says nothing`},
		"not Go":                     {"hub/x.go", "packag x\n", "expected 'package'"},
		"another module":             {"tool/x.go", imp(module + "/hub"), ""},
		"test data":                  {"hub/testdata/x.go", "package common\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := check(fstest.MapFS{
				tt.file:       {Data: []byte(tt.text)},
				"tool/go.mod": {Data: []byte("module tool\n")},
			})
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %q in correct code", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one finding with %q", got, tt.want)
			}
		})
	}
}

// TestLayersPointOneWay looks at the table itself: no folder may reach itself
// through the product imports that the table allows.
func TestLayersPointOneWay(t *testing.T) {
	t.Parallel()
	all := layers()
	names := slices.Sorted(maps.Keys(all))
	var visit func(at string, trail []string)
	visit = func(at string, trail []string) {
		if slices.Contains(trail, at) {
			t.Errorf("the table allows a circle: %s", strings.Join(append(trail, at), " → "))
			return
		}
		for _, next := range names {
			if next != at && next != "." && slices.ContainsFunc(all[at].may, func(e string) bool { return covers(e, next) }) {
				visit(next, append(slices.Clone(trail), at))
			}
		}
	}
	for _, n := range names {
		visit(n, nil)
	}
}
