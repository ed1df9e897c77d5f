package hub

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/policy"
)

// rowShape says how the rows of one import become users.
type rowShape struct {
	name    string // of the file
	user    *scim.ResourceType
	dialect scim.Dialect // what its source may leave out
	mapped  bool
	rules   *config.RowMap // never nil; empty where there is no map
	skip    *policy.RowExpression
	columns []*rowColumn          // of the map, or of the header
	byName  map[string]*rowColumn // in JSON lines without a map, as they come up
	dates   map[string]bool       // paths of dates by their configuration
	ident   config.Identity
}

// rowColumn is one attribute that rows give.
type rowColumn struct {
	name string // of the column, or the path in the map
	path scim.Path
	attr *scim.Attribute // what the path names; nil: a whole extension
	root *scim.Attribute // the attribute of the resource that it is, or is in
	seed map[string]any  // of the element that brackets select
	many bool            // in a multi-valued attribute, without brackets
	expr *policy.RowExpression
	// manager: the value names a user, by its externalId, userName or id, or by one
	// of them alone.
	manager bool
	by      string
}

// ignored are the attributes that exported users have and nobody can set.
var ignored = []string{"schemas", "id", "meta", "groups", "password"}

func newRowShape(snap *Snapshot, user *scim.ResourceType, source config.Source, in Import) (*rowShape, error) {
	s := &rowShape{name: in.Name, user: user, rules: &config.RowMap{}, byName: map[string]*rowColumn{}, ident: snap.Doc.Identity, dates: map[string]bool{}}
	s.dialect, _ = scim.DialectNamed(source.Dialect)
	for _, path := range []string{s.ident.Start, s.ident.End, s.ident.Last, s.ident.Leave.From, s.ident.Leave.Until} {
		if path != "" {
			s.dates[strings.ToLower(path)] = true
		}
	}
	if in.Map == nil {
		return s, nil
	}
	s.mapped = true
	var faults []config.Fault
	if s.rules, faults = config.ParseRowMap(in.MapName, in.Map); len(faults) > 0 {
		return nil, &RowsError{faults, len(faults)}
	}
	more, err := s.compile()
	if err == nil && len(more) > 0 {
		err = &RowsError{config.SortFaults(more), len(more)}
	}
	return s, err
}

// compile makes the columns and conditions of the map.
func (s *rowShape) compile() (faults []config.Fault, err error) {
	language, err := policy.NewRowLanguage()
	if err != nil {
		return nil, err
	}
	compile := func(place, text string, condition bool) *policy.RowExpression {
		x, problems := language.Compile(text, condition)
		for _, p := range problems {
			faults = append(faults, s.rules.FaultIn(place, p.Line, p.Column, p.Message))
		}
		return x
	}
	if s.rules.Skip != "" {
		s.skip = compile("skip", s.rules.Skip, true)
	}
	for _, c := range s.rules.Columns {
		place := config.Join("columns", c.Path)
		column, message := s.column(c.Path)
		if message != "" {
			faults = append(faults, s.rules.Fault(place, message))
			continue
		}
		if column == nil {
			faults = append(faults, s.rules.Fault(place, "is not imported"))
			continue
		}
		column.expr = compile(place, c.Value, false)
		s.columns = append(s.columns, column)
	}
	if m := s.rules.Manager; m.Column != "" {
		column, message := s.column(scim.URNEnterprise + ":manager")
		if message != "" {
			return append(faults, s.rules.Fault("manager", message)), nil
		}
		column.name, column.by = m.Column, m.By
		if slices.ContainsFunc(s.columns, func(c *rowColumn) bool { return c.manager }) {
			faults = append(faults, s.rules.Fault("manager", "the manager is among the columns already"))
		}
		s.columns = append(s.columns, column)
	}
	if s.keyAttribute() == "" {
		faults = append(faults, s.rules.Fault("columns", "needs externalId or userName, so that rows can be told apart"))
	}
	return faults, nil
}

// column finds the attribute that a path names. The message says why it cannot be
// imported; nil without one: it is passed over.
func (s *rowShape) column(text string) (*rowColumn, string) {
	p, err := scim.ParsePath(text)
	if err != nil {
		return nil, "is not a SCIM attribute path: " + errorText(err)
	}
	if p.URI == "" && p.Sub == "" && slices.ContainsFunc(ignored, func(name string) bool { return strings.EqualFold(name, p.Attr) }) {
		return nil, ""
	}
	c := &rowColumn{name: text}
	if c.path, c.attr, err = s.user.Resolve(p); err != nil {
		if full, ok := s.inExtension(p); ok {
			c.path, c.attr, err = s.user.Resolve(full)
		}
	}
	if err != nil {
		return nil, errorText(err) + config.Suggest(p.Attr, s.attributes())
	}
	if c.attr == nil {
		return c, ""
	}
	root := c.path
	root.Sub, root.Filter = "", nil
	if _, c.root, err = s.user.Resolve(root); err != nil || c.root == nil {
		return nil, errorText(err)
	}
	if c.attr.Mutability == scim.ReadOnly || c.root.Mutability == scim.ReadOnly {
		return nil, "is readOnly: it cannot be imported"
	}
	c.many = c.root.MultiValued && p.Filter == nil
	c.manager = c.path.URI == scim.URNEnterprise && c.path.Attr == "manager" && (c.path.Sub == "" || c.path.Sub == "value")
	if p.Filter != nil {
		if c.seed = seedOf(p.Filter); c.seed == nil || c.path.Sub == "" {
			return nil, `must select one value and a part of it, as emails[type eq "work"].value does`
		}
	}
	return c, ""
}

// inExtension finds a bare name in the one extension that has it.
func (s *rowShape) inExtension(p scim.Path) (scim.Path, bool) {
	found := 0
	full := p
	for _, e := range s.user.Extensions {
		if _, ok := e.Schema.Attribute(p.Attr); ok && p.URI == "" {
			found++
			full.URI = e.Schema.ID
		}
	}
	return full, found == 1
}

func (s *rowShape) attributes() (out []string) {
	for _, a := range s.user.Schema.Attributes {
		out = append(out, a.Name)
	}
	for _, e := range s.user.Extensions {
		for _, a := range e.Schema.Attributes {
			out = append(out, a.Name)
		}
	}
	return out
}

// seedOf is the element that a filter of equalities describes; nil for any other.
func seedOf(f scim.Filter) map[string]any {
	switch f := f.(type) {
	case scim.Compare:
		if f.Op == scim.Eq && f.Path.Sub == "" && f.Path.URI == "" && f.Value != nil {
			return map[string]any{f.Path.Attr: f.Value}
		}
	case scim.And:
		out := map[string]any{}
		for _, term := range f.Terms {
			part := seedOf(term)
			if part == nil {
				return nil
			}
			maps.Copy(out, part)
		}
		return out
	}
	return nil
}

func errorText(err error) string {
	if e, ok := scim.AsError(err); ok {
		return e.Detail
	}
	if err == nil {
		return "names no attribute"
	}
	return err.Error()
}

// keyAttribute is what tells rows apart; empty where they have nothing that does.
func (s *rowShape) keyAttribute() string {
	has := func(name string) bool {
		at := func(c *rowColumn) bool { return c.path.URI == "" && c.path.Attr == name }
		if slices.ContainsFunc(s.columns, at) {
			return true
		}
		for _, c := range s.byName {
			if c != nil && at(c) {
				return true
			}
		}
		return false
	}
	if s.rules.Key != "" {
		if has(s.rules.Key) {
			return s.rules.Key
		}
		return ""
	}
	for _, name := range []string{"externalId", "userName"} {
		if has(name) {
			return name
		}
	}
	return ""
}

// fault is a fault in the file.
func (s *rowShape) fault(line, column int, format string, args ...any) config.Fault {
	return config.Fault{File: s.name, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// header looks at the columns that a file has.
func (s *rowShape) header(header []rows.Cell) (faults []config.Fault) {
	if s.mapped {
		return s.missingColumns(header)
	}
	s.columns = nil
	taken := map[string]string{}
	for _, cell := range header {
		c, message := s.column(cell.Name)
		if message != "" {
			faults = append(faults, s.fault(cell.Line, cell.Column, "column %q: %s", cell.Name, message))
			continue
		}
		if c == nil {
			continue
		}
		if other, again := taken[c.path.String()]; again {
			faults = append(faults, s.fault(cell.Line, cell.Column, "columns %q and %q are the same attribute", other, cell.Name))
		}
		taken[c.path.String()] = cell.Name
		s.columns = append(s.columns, c)
	}
	if len(faults) == 0 && s.keyAttribute() == "" {
		faults = append(faults, s.fault(1, 1, "the header has neither externalId nor userName, so that rows cannot be told apart; columns are SCIM paths unless there is a map"))
	}
	return faults
}

// missingColumns finds what the map names and the file does not have.
func (s *rowShape) missingColumns(header []rows.Cell) (faults []config.Fault) {
	names := make([]string, len(header))
	for i, c := range header {
		names[i] = c.Name
	}
	check := func(place string, wanted []string) {
		for _, w := range wanted {
			if !slices.Contains(names, w) {
				faults = append(faults, s.rules.Fault(place, fmt.Sprintf("%s has no column %q%s", s.name, w, config.Suggest(w, names))))
			}
		}
	}
	if s.skip != nil {
		check("skip", s.skip.Columns())
	}
	for _, c := range s.columns {
		if c.expr != nil {
			check(config.Join("columns", c.name), c.expr.Columns())
		} else {
			check("manager.column", []string{c.name})
		}
	}
	return config.SortFaults(faults)
}

// open begins to read the file; nil without an error: it is empty.
func (s *rowShape) open(in Import) (*rows.Reader, io.Closer, error) {
	text, err := in.Open()
	if err != nil {
		return nil, nil, err
	}
	r, err := rows.NewReader(text, in.Format)
	if errors.Is(err, io.EOF) {
		return nil, text, nil
	}
	if f, ok := errors.AsType[*rows.Fault](err); ok {
		err = &RowsError{[]config.Fault{s.fault(f.Line, f.Column, "%s", f.Message)}, 1}
	} else if err != nil {
		err = unreadable(s.name, err)
	}
	if err != nil {
		return nil, nil, errors.Join(err, text.Close())
	}
	return r, text, nil
}

func unreadable(name string, err error) error {
	return model.Fail(model.Invalid, fmt.Sprintf("%s cannot be read: %v; nothing was changed", name, err), err)
}
