package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// RowMap says how the records of an import become users.
type RowMap struct {
	// Key is the attribute that tells records apart: externalId or userName. Empty:
	// externalId where records have one, else userName.
	Key     string
	Columns []RowColumn // in the order of the text
	Skip    string      // CEL over row; records for which it holds are left out
	Manager RowManager
	Dates   []string // Go layouts of dates, tried in turn; empty: as SCIM has them

	doc *Document // for places alone
}

// RowColumn is one attribute of a user.
type RowColumn struct {
	Path  string // SCIM path
	Value string // CEL over row
}

// RowManager says which column names a person's manager. The zero value: none.
type RowManager struct {
	Column string
	By     string // externalId or userName: what of the manager the column holds
}

// ParseRowMap reads a map. All faults come at once, sorted by place; with faults the
// map is not for use. Expressions are not compiled here.
func ParseRowMap(name string, src []byte) (*RowMap, []Fault) {
	m := &RowMap{doc: &Document{Name: name}}
	root, faults := grow(name, src)
	if root == nil {
		return m, faults
	}
	m.doc.index(root, src)
	r := &reader{file: name, faults: faults}
	r.need(root, "columns")
	r.fields(root, map[string]func(*node){
		"key":     func(n *node) { m.Key = r.enum(n, "externalId", "userName") },
		"skip":    func(n *node) { m.Skip = r.expression(n) },
		"manager": func(n *node) { m.Manager = r.rowManager(n) },
		"columns": func(n *node) { m.Columns = r.rowColumns(n) },
		"date": func(n *node) {
			if n.kind == list {
				r.each(n, func(v *node) { m.Dates = append(m.Dates, r.checked(v, checkLayout)) })
				return
			}
			m.Dates = []string{r.checked(n, checkLayout)}
		},
	})
	return m, SortFaults(r.faults)
}

// Fault is a fault about a place of the map; see Document.Fault.
func (m *RowMap) Fault(path, message string) Fault { return m.doc.Fault(path, message) }

// FaultIn is a fault inside a text of the map; see Document.FaultIn.
func (m *RowMap) FaultIn(path string, line, column int, message string) Fault {
	return m.doc.FaultIn(path, line, column, message)
}

func (r *reader) rowManager(n *node) (m RowManager) {
	m.By = "externalId"
	r.need(n, "column")
	r.fields(n, map[string]func(*node){
		"column": func(n *node) { m.Column = r.text(n) },
		"by":     func(n *node) { m.By = r.enum(n, "externalId", "userName") },
	})
	return m
}

func (r *reader) rowColumns(n *node) (out []RowColumn) {
	if n.kind == null || n.kind == object && len(n.entries) == 0 {
		r.fault(n, "needs at least one attribute")
		return nil
	}
	if n.kind != object {
		r.fault(n, "must be a mapping of SCIM paths to expressions, not %s", n.kind)
		return nil
	}
	seen := map[string]bool{}
	for _, e := range n.entries {
		at := &node{line: e.line, col: e.col, path: e.value.path}
		if _, err := scim.ParsePath(e.key); err != nil {
			r.fault(at, "not a SCIM attribute path: %s", detail(err))
			continue
		}
		if folded := strings.ToLower(e.key); seen[folded] {
			r.fault(at, "%s is there twice", e.key)
		} else {
			seen[folded] = true
		}
		out = append(out, RowColumn{Path: e.key, Value: r.expression(e.value)})
	}
	return out
}

// checkLayout wants a Go layout that has a day, a month and a year: it must give back
// a date that is written by it.
func checkLayout(s string) error {
	day := time.Date(2023, 11, 22, 0, 0, 0, 0, time.UTC)
	back, err := time.Parse(s, day.Format(s))
	if err != nil || !back.Equal(day) {
		return fmt.Errorf("%q is not a layout of dates: write how 2 January 2006 looks, such as 02.01.2006 or 2006-01-02", s)
	}
	return nil
}
