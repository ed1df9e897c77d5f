package hub

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// importPlan is what an import would do. It is worked out in two passes over the
// rows: the first finds out who is in them, the second what differs. Of each row it
// keeps only who it is and what is to be done.
type importPlan struct {
	source config.Source
	user   *scim.ResourceType
	shape  *rowShape
	in     Import

	there     []store.UserKey // users that the source has
	byExt     map[string]int  // into there
	byName    map[string]int
	byID      map[string]int
	rows      []plannedRow
	rowExt    map[string]int // into rows
	rowName   map[string]int
	claimed   map[int]int // there -> rows
	disabled  []plannedUser
	renamed   []string // ids of those who take another name
	swapped   bool     // somebody takes a name that somebody else gives up
	hashes    [][]byte // of each difference
	shown     map[ImportAction]int
	faults    []config.Fault
	faultsAll int
	out       ImportResult
}

// plannedRow is a row that is not left out.
type plannedRow struct {
	key     string
	at      int          // into there; -1: a new user
	action  ImportAction // empty: nothing
	version int64        // of the user that was compared
	line    int
}

// plannedUser is somebody who is not in the rows.
type plannedUser struct {
	id      string
	version int64
}

func newImportPlan(_ *Snapshot, source config.Source, user *scim.ResourceType, shape *rowShape, in Import) *importPlan {
	return &importPlan{source: source, user: user, shape: shape, in: in, byExt: map[string]int{}, byName: map[string]int{}, byID: map[string]int{},
		rowExt: map[string]int{}, rowName: map[string]int{}, claimed: map[int]int{}, shown: map[ImportAction]int{},
		out: ImportResult{Source: source.Name, Items: []ImportItem{}}}
}

// make works the plan out; what is wrong with the rows is the error.
func (p *importPlan) make(tx *store.Tx) error {
	var err error
	if p.there, err = tx.UserKeys(p.source.Name); err != nil {
		return err
	}
	for i, k := range p.there {
		p.byName[k.UserName], p.byID[k.ID] = i, i
		if _, again := p.byExt[k.ExternalID]; k.ExternalID != "" && !again {
			p.byExt[k.ExternalID] = i
		}
	}
	truncated, err := p.identify()
	if err != nil {
		return err
	}
	if truncated && p.faultsAll == 1 {
		f := p.faults[0]
		return model.Fail(model.Refused, fmt.Sprintf("%s:%d:%d: the file ends in the middle of a row, so it seems to have been cut off: nothing was changed", f.File, f.Line, f.Column), nil)
	}
	p.claim()
	if err := p.compare(tx); err != nil {
		return err
	}
	if p.faultsAll > 0 {
		return &RowsError{config.SortFaults(p.faults), p.faultsAll}
	}
	if !p.in.Partial {
		if err := p.absent(tx); err != nil {
			return err
		}
	}
	p.out.Digest = p.digest()
	p.out.Held, err = p.hold(tx)
	return err
}

func (p *importPlan) fault(list ...config.Fault) {
	p.faultsAll += len(list)
	p.faults = append(p.faults, list[:min(len(list), max(0, maxRowFaults-len(p.faults)))]...)
}

// each reads all rows that are not left out. Faults of records are noted by the first
// pass only.
func (p *importPlan) each(first bool, do func(v *rowValues) error) (truncated bool, err error) {
	r, text, err := p.shape.open(p.in)
	if err != nil {
		return false, err
	}
	defer text.Close()
	if r == nil {
		return false, nil
	}
	if faults := p.shape.header(r.Columns()); p.in.Format == rows.CSV && first && len(faults) > 0 {
		return false, &RowsError{faults, len(faults)}
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Truncated(), nil
		}
		if f, ok := errors.AsType[*rows.Fault](err); ok {
			if first {
				p.fault(p.shape.fault(f.Line, f.Column, "%s", f.Message))
			}
			continue
		}
		if err != nil {
			return false, unreadable(p.in.Name, err)
		}
		v := p.shape.values(row)
		skip := p.shape.left(v)
		if first {
			p.out.Rows++
			if skip {
				p.out.Skipped++
			}
			p.fault(v.faults...)
		}
		v.faults = nil
		if skip {
			continue
		}
		if err := do(v); err != nil {
			return false, err
		}
	}
}

// identify is the first pass: who is in the rows.
func (p *importPlan) identify() (truncated bool, err error) {
	return p.each(true, func(v *rowValues) error {
		if len(p.rows) == maxImportRows {
			return model.Fail(model.Invalid, fmt.Sprintf("%s has more than %d rows", p.in.Name, maxImportRows), nil)
		}
		attrs := map[string]any{}
		columns := p.shape.of(v)
		p.fault(v.faults...)
		v.faults = nil
		for _, c := range columns {
			if c.path.URI == "" && (c.path.Attr == "externalId" || c.path.Attr == "userName") {
				attrs[c.path.Attr] = p.shape.value(v, c)
			}
		}
		p.rows = append(p.rows, plannedRow{at: -1, line: v.row.Line})
		n := len(p.rows) - 1
		if len(v.faults) > 0 { // told by the second pass
			return nil
		}
		keys := store.KeysOf(p.user, attrs)
		name := p.shape.keyAttribute()
		p.rows[n].key, _ = attrs[name].(string)
		if p.rows[n].key == "" {
			p.fault(p.shape.at(v, nil, "the row has no "+orKey(name)))
		}
		p.once(v, "externalId", p.rowExt, keys.ExternalID, n, name == "externalId")
		p.once(v, "userName", p.rowName, keys.UserName, n, true)
		return nil
	})
}

func orKey(name string) string {
	if name == "" {
		return "externalId or userName, which tells it from others"
	}
	return name + ", which tells it from others"
}

// once notes who has a value that only one row may have.
func (p *importPlan) once(v *rowValues, what string, seen map[string]int, key string, n int, must bool) {
	if key == "" {
		return
	}
	other, again := seen[key]
	if !again {
		seen[key] = n
		return
	}
	if must {
		for _, c := range p.shape.of(v) {
			if c.path.URI == "" && c.path.Attr == what {
				p.fault(p.shape.at(v, c, fmt.Sprintf("%s is that of line %d already", what, p.rows[other].line)))
				return
			}
		}
	}
}

// claim finds the users that the rows are about: by their key or, where that is the
// externalId and a user has none yet, by userName.
func (p *importPlan) claim() {
	byKey, there := p.rowExt, p.byExt
	if p.shape.keyAttribute() == "userName" {
		byKey, there = p.rowName, p.byName
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		if at, ok := there[key]; ok {
			p.rows[byKey[key]].at, p.claimed[at] = at, byKey[key]
		}
	}
	if p.shape.keyAttribute() == "userName" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.rowName)) {
		n := p.rowName[name]
		at, ok := p.byName[name]
		if _, taken := p.claimed[at]; ok && !taken && p.rows[n].at < 0 && p.there[at].ExternalID == "" {
			p.rows[n].at, p.claimed[at] = at, n
		}
	}
}

// compare is the second pass: what differs.
func (p *importPlan) compare(tx *store.Tx) error {
	n := 0
	var batch []*rowValues
	flush := func() error {
		err := p.compareBatch(tx, batch, n-len(batch))
		batch = batch[:0]
		return err
	}
	_, err := p.each(false, func(v *rowValues) error {
		batch = append(batch, v)
		if n++; len(batch) < importChunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	if n != len(p.rows) {
		return model.Fail(model.Conflict, p.in.Name+" changed while it was read: nothing was changed", nil)
	}
	return flush()
}

func (p *importPlan) compareBatch(tx *store.Tx, batch []*rowValues, from int) error {
	held, err := p.held(tx, from, len(batch))
	if err != nil {
		return err
	}
	for i, v := range batch {
		row := &p.rows[from+i]
		var before map[string]any
		var h store.Held
		if row.at >= 0 {
			h = held[p.there[row.at].ID]
			before, row.version = h.Resource.Attrs, h.Resource.Meta.Version
		}
		after, ok := p.next(v, h, p.placeholder)
		if ok {
			p.nameFree(v, from+i, after)
		}
		p.fault(v.faults...)
		if ok && p.faultsAll == 0 {
			p.differ(row, h.Resource.ID, before, after)
		}
	}
	return nil
}

// held reads the users that some rows are about.
func (p *importPlan) held(tx *store.Tx, from, n int) (map[string]store.Held, error) {
	var ids []string
	for _, row := range p.rows[from : from+n] {
		if row.at >= 0 {
			ids = append(ids, p.there[row.at].ID)
		}
	}
	return tx.UsersHeld(p.source.Name, p.user, ids)
}

// columns are those that an import has a say in. In a full set of JSON lines that is
// every one that any line has: a name that is left out stands for nothing.
func (p *importPlan) columns(v *rowValues) []*rowColumn {
	if p.shape.mapped || p.in.Format == rows.CSV || p.in.Partial {
		return p.shape.of(v)
	}
	var out []*rowColumn
	for _, name := range slices.Sorted(maps.Keys(p.shape.byName)) {
		if c := p.shape.byName[name]; c != nil {
			out = append(out, c)
		}
	}
	return out
}

// next works out what a row makes of a user; the same attributes where nothing
// differs.
func (p *importPlan) next(v *rowValues, h store.Held, idOf func(row int) string) (map[string]any, bool) {
	attrs, ok := p.shape.person(v, p.columns(v), h.Resource.Attrs, !p.in.Partial, func(c *rowColumn, text string) (string, error) {
		return p.manager(c, text, idOf)
	})
	if !ok || h.Resource.ID == "" {
		return attrs, ok
	}
	out, differs, err := scim.Change{Replace: attrs, Dialect: p.shape.dialect}.Apply(p.user, h.Resource)
	if err != nil {
		v.faults = append(v.faults, p.shape.at(v, p.shape.meant(p.columns(v), errorText(err)), errorText(err)))
		return nil, false
	}
	if !differs {
		return h.Resource.Attrs, true
	}
	return out.Attrs, true
}

// placeholder stands for the id of a row's user until there is one.
func (p *importPlan) placeholder(row int) string {
	if at := p.rows[row].at; at >= 0 {
		return p.there[at].ID
	}
	return "import:" + p.rows[row].key
}

// manager finds the id of whom a text names: in the rows first, then among the users
// that the source has.
func (p *importPlan) manager(c *rowColumn, text string, idOf func(row int) string) (string, error) {
	keys := store.KeysOf(p.user, map[string]any{"externalId": text, "userName": text})
	if c.by == "" || c.by == "externalId" {
		if row, ok := p.rowExt[keys.ExternalID]; ok {
			return idOf(row), nil
		}
		if at, ok := p.byExt[keys.ExternalID]; ok {
			return p.there[at].ID, nil
		}
	}
	if c.by == "" || c.by == "userName" {
		if row, ok := p.rowName[keys.UserName]; ok {
			return idOf(row), nil
		}
		if at, ok := p.byName[keys.UserName]; ok {
			return p.there[at].ID, nil
		}
	}
	if _, ok := p.byID[text]; ok && c.by == "" {
		return text, nil
	}
	if p.shape.dialect.UnresolvedReferences { // kept as it is written; who has no manager that way is found later
		return text, nil
	}
	by := c.by
	if by == "" {
		by = "externalId, userName or id"
	}
	return "", fmt.Errorf("manager %q is nobody's %s, in the file or at the source", text, by)
}
