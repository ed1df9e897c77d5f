package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// maxCaseFile is the largest file of cases, in bytes.
const maxCaseFile = 4 << 20

// caseFile is a file of policy test: people, and what access they should have.
type caseFile struct {
	Config string       `yaml:"config"` // relative to the file
	At     string       `yaml:"at"`     // moment of all cases: a date or an RFC 3339 time; default now
	Cases  []policyCase `yaml:"cases"`
}

// policyCase is one person in one situation.
type policyCase struct {
	Name     string                    `yaml:"name"`
	At       string                    `yaml:"at"`
	Person   map[string]any            `yaml:"person"`   // SCIM attributes; enterprise for the enterprise extension
	Sources  map[string]map[string]any `yaml:"sources"`  // instead of person: what each source says
	Groups   []string                  `yaml:"groups"`   // display names of the sources' groups
	Requests []string                  `yaml:"requests"` // roles with an approved request
	Held     []string                  `yaml:"held"`     // roles held until now
	Before   string                    `yaml:"before"`   // stage until now; default active where roles are held
	Expect   policyExpect              `yaml:"expect"`
}

// policyExpect is what should follow. What is left out may be anything.
type policyExpect struct {
	Stage   string                    `yaml:"stage"`
	Roles   *[]string                 `yaml:"roles"` // exactly
	Has     []string                  `yaml:"has"`
	Lacks   []string                  `yaml:"lacks"`
	Denied  []string                  `yaml:"denied"`  // roles that a deny rule or a conflict takes
	Asks    *[]string                 `yaml:"asks"`    // exactly: roles that a rule asks approval for
	Access  *accessList               `yaml:"access"`  // exactly: TARGET or TARGET:GROUP
	Targets map[string]map[string]any `yaml:"targets"` // null: no account; else groups, active, userName, attributes
}

// accessList is TARGET or TARGET:GROUP. Inside a mapping in braces the parser takes
// git:engineers for a mapping, which nobody means.
type accessList []string

// UnmarshalYAML is part of yaml.InterfaceUnmarshaler.
func (l *accessList) UnmarshalYAML(unmarshal func(any) error) error {
	var items []any
	if err := unmarshal(&items); err != nil {
		return err
	}
	*l = accessList{}
	for _, item := range items {
		switch item := item.(type) {
		case string:
			*l = append(*l, item)
			continue
		case map[string]any:
			for target, group := range item {
				if name, ok := group.(string); ok && len(item) == 1 {
					*l = append(*l, target+":"+name)
				}
			}
			if len(item) == 1 {
				continue
			}
		}
		return errors.New("access must list TARGET or TARGET:GROUP")
	}
	return nil
}

// caseFaults is what is wrong with a file of cases.
type caseFaults struct {
	file   string
	tree   *ast.File
	faults []config.Fault
}

// add notes a fault at a YAML path; at $ it stands at the first line.
func (f *caseFaults) add(path, message string, args ...any) {
	line, column := f.place(path)
	f.faults = append(f.faults, config.Fault{File: f.file, Line: line, Column: column, Message: fmt.Sprintf(message, args...)})
}

func (f *caseFaults) place(path string) (line, column int) {
	if f.tree == nil {
		return 1, 1
	}
	var node ast.Node
	p, err := yaml.PathString(path)
	if err == nil {
		node, err = p.FilterFile(f.tree)
	}
	if err != nil || node == nil {
		if cut := strings.LastIndexAny(path, ".["); cut > 0 {
			return f.place(path[:cut])
		}
		return 1, 1
	}
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	at := node.GetToken().Position
	return at.Line, at.Column
}

func (f *caseFaults) err() error {
	if len(f.faults) == 0 {
		return nil
	}
	return &hub.FaultsError{Faults: config.SortFaults(f.faults)}
}

// readCases reads a file of cases; the error lists its faults.
func readCases(path string) (caseFile, *caseFaults, error) {
	faults := &caseFaults{file: path}
	var out caseFile
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxCaseFile {
		faults.add("$", "larger than %d MiB", maxCaseFile>>20)
		return out, faults, faults.err()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return out, faults, model.Fail(model.Invalid, "the cases cannot be read", err)
	}
	if faults.faults = config.CheckYAML(path, text); len(faults.faults) > 0 {
		return out, faults, faults.err()
	}
	faults.tree, err = parser.ParseBytes(text, 0)
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, &out, yaml.Strict())
	}
	if problem, ok := errors.AsType[yaml.Error](err); ok && problem.GetToken() != nil {
		at := problem.GetToken().Position
		faults.faults = append(faults.faults, config.Fault{File: path, Line: at.Line, Column: at.Column, Message: plainYAML(problem.GetMessage())})
	} else if err != nil {
		faults.add("$", "%v", err)
	} else if len(out.Cases) == 0 {
		faults.add("$", "has no cases")
	}
	return out, faults, faults.err()
}

var mismatch = regexp.MustCompile(`^cannot unmarshal (\S+).* of type (\S+)`)

// plainYAML says in words what the decoder says in Go's types.
func plainYAML(message string) string {
	if m := mismatch.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s where %s is wanted", yamlKind(m[1]), yamlKind(m[2]))
	}
	return message
}

func yamlKind(goType string) string {
	switch goType = strings.TrimLeft(goType, "*"); {
	case strings.HasPrefix(goType, "map"), strings.HasSuffix(goType, "Case"), strings.HasSuffix(goType, "Expect"):
		return "a mapping"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	}
	return "a number"
}

// caseFiles finds the files of cases below a directory, or the file itself, sorted.
func caseFiles(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(path); !entry.IsDir() && (path == root || ext == ".yaml" || ext == ".yml") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, model.Fail(model.Invalid, "the cases cannot be read", err)
	}
	if len(files) == 0 {
		return nil, model.Fail(model.Invalid, root+" has no file of cases, *.yaml", nil)
	}
	slices.Sort(files)
	return files, nil
}

// moment reads when a case takes place: its own time, that of the file, or now.
func (f *caseFaults) moment(path string, zone *time.Location, now time.Time, texts ...string) time.Time {
	for _, text := range texts {
		if text == "" {
			continue
		}
		if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
			return t
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			f.add(path, "at must be a date or an RFC 3339 time, not %q", text)
		}
		return t
	}
	return now
}

// people turns what a case says of its person into resources of sources.
func (f *caseFaults) people(path string, doc *config.Document, c policyCase) []scimPerson {
	if (c.Person == nil) == (c.Sources == nil) {
		f.add(path, "needs either person or sources")
		return nil
	}
	if c.Person != nil {
		source := "test"
		if names := doc.SourceNames(); len(names) > 0 {
			source = names[0]
		}
		return []scimPerson{{source, f.person(path+".person", doc, c.Person)}}
	}
	var out []scimPerson
	for _, name := range doc.SourceNames() {
		if attrs, ok := c.Sources[name]; ok {
			out = append(out, scimPerson{name, f.person(path+".sources."+name, doc, attrs)})
		}
	}
	for name := range c.Sources {
		f.known(path+".sources."+name, "source", name, doc.SourceNames())
	}
	return out
}

// scimPerson is a User as a source would have written it.
type scimPerson struct {
	source string
	attrs  map[string]any
}

// person checks attributes against the schemas, as the hub does when a source writes.
func (f *caseFaults) person(path string, doc *config.Document, attrs map[string]any) map[string]any {
	if enterprise, ok := attrs["enterprise"]; ok {
		attrs[scim.URNEnterprise] = enterprise
		delete(attrs, "enterprise")
	}
	schemas := []string{scim.URNUser}
	for name := range attrs {
		if strings.HasPrefix(name, "urn:") && name != scim.URNUser {
			schemas = append(schemas, name)
		}
	}
	if attrs["schemas"] == nil {
		attrs["schemas"] = schemas
	}
	if attrs["userName"] == nil {
		attrs["userName"] = "somebody@example.com"
	}
	body, err := json.Marshal(attrs)
	user, ok := doc.Registry.Type("User")
	if err != nil || !ok {
		f.add(path, "cannot be read as a User: %v", err)
		return nil
	}
	out, err := user.Decode(body, scim.Dialect{}) // no tolerance: a misspelt attribute is a mistake here
	if err != nil {
		f.add(path, "%v", err)
	}
	return out
}

// known notes a name that is not configured.
func (f *caseFaults) known(path, what, name string, names []string) {
	if !slices.Contains(names, name) {
		f.add(path, "there is no %s %q%s", what, name, config.Suggest(name, names))
	}
}
