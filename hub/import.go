package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Limits of an import.
const (
	maxImportRows  = 1_000_000
	maxImportShown = 50  // differences of a kind
	maxRowFaults   = 100 // that are listed; all are counted
	importTries    = 3   // where the source writes meanwhile
	importChunk    = 200 // users that are read and written together
)

// Import is rows that describe people of a source, and what is to be done with them.
type Import struct {
	Source string
	Name   string // of the file, in messages
	Format rows.Format
	// Open gives the text from its beginning. It is called several times, so that an
	// import need not fit into memory.
	Open    func() (io.ReadCloser, error)
	Map     []byte // see config.ParseRowMap; nil: columns are SCIM paths
	MapName string
	Partial bool   // who is not in it is left alone; else they are disabled
	DryRun  bool   // say what would be done
	Digest  string // of the difference that was shown; empty: whatever it is
	Release string // of the difference that may pass beyond the source's guard
}

// ImportAction is what an import does with a user.
type ImportAction string

// The actions. Who is disabled is a leaver, whether by a row or by its absence.
const (
	ImportCreate  ImportAction = "create"
	ImportUpdate  ImportAction = "update"
	ImportDisable ImportAction = "disable"
	ImportEnable  ImportAction = "enable"
)

// ImportItem is the difference of one user.
type ImportItem struct {
	Action   ImportAction   `json:"action"`
	Key      string         `json:"key"` // what identifies the row
	UserName string         `json:"user_name"`
	ID       string         `json:"id,omitempty"`   // of the resource; empty: to be created
	Line     int            `json:"line,omitempty"` // of the row; 0: there is none
	Fields   map[string]any `json:"fields"`         // by attribute, with its values before and after
}

// ImportResult is the difference between the rows of an import and the users that the
// source has, and whether it was carried out.
type ImportResult struct {
	ID       string       `json:"id,omitempty"` // of an import that changed something
	Source   string       `json:"source"`
	Rows     int          `json:"rows"`
	Skipped  int          `json:"skipped"`
	Creates  int          `json:"creates"`
	Updates  int          `json:"updates"`
	Disables int          `json:"disables"`
	Enables  int          `json:"enables"`
	Digest   string       `json:"digest"` // of the difference
	Held     string       `json:"held,omitempty"`
	Applied  bool         `json:"applied"`
	Items    []ImportItem `json:"items"` // the first of each kind
	Warnings []string     `json:"warnings,omitempty"`
}

// Differs reports whether there is anything to do.
func (r ImportResult) Differs() bool { return r.Creates+r.Updates+r.Disables+r.Enables > 0 }

// RowsError is an import that was refused for its rows: what is wrong with the first
// hundred, and how many faults there are.
type RowsError struct {
	Faults []config.Fault
	Total  int
}

// Error lists the faults, one a line, each beginning with file:line:column.
func (e *RowsError) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are the faults, and how many more there are.
func (e *RowsError) Lines() []string {
	out := make([]string, 0, len(e.Faults)+1)
	for _, f := range e.Faults {
		out = append(out, f.Error())
	}
	if more := e.Total - len(e.Faults); more > 0 {
		out = append(out, fmt.Sprintf("… and %d more faults", more))
	}
	return out
}

// Unwrap makes it a model.Invalid for every front.
func (e *RowsError) Unwrap() error {
	return model.Fail(model.Invalid, fmt.Sprintf("the import has %d faults; nothing was changed", e.Total), nil)
}

// Import brings the users of a source in line with rows: it compares, and creates,
// updates, disables and enables whom that takes, all or nobody. Rows are the full set
// unless they are partial. Errors: *RowsError for rows that cannot be used;
// model.Refused for what the source's guard holds, and for texts that were cut off;
// model.Conflict where the difference is not the one that was shown.
func (h *Hub) Import(ctx context.Context, by Actor, in Import) (ImportResult, error) {
	snap := h.Snapshot()
	if snap == nil {
		return ImportResult{}, model.Fail(model.Unavailable, "no configuration is in force yet", nil)
	}
	source, ok := snap.Doc.Source(in.Source)
	if !ok {
		return ImportResult{}, model.Fail(model.NotFound, fmt.Sprintf("there is no source %q%s; configured are: %s", in.Source,
			config.Suggest(in.Source, snap.Doc.SourceNames()), strings.Join(snap.Doc.SourceNames(), ", ")), nil)
	}
	user, ok := snap.Doc.Registry.Type("User")
	if !ok {
		return ImportResult{}, errors.New("import: the registry has no User")
	}
	shape, err := newRowShape(snap, user, source, in)
	if err != nil {
		return ImportResult{}, err
	}
	for range importTries {
		p := newImportPlan(snap, source, user, shape, in)
		if err := h.Store.View(ctx, func(tx *store.Tx) error { return p.make(tx) }); err != nil {
			return ImportResult{}, err
		}
		out, err := h.carryOut(ctx, by, p)
		_, taken := errors.AsType[*store.TakenError](err)
		if !errors.Is(err, store.ErrStale) && !taken {
			return out, err
		}
		h.Log.InfoContext(ctx, "the source wrote during an import, which is worked out again", "source", in.Source)
	}
	return ImportResult{}, model.Fail(model.Conflict, "source "+in.Source+" writes users at the same time; nothing was changed, try again", nil)
}

// carryOut does what was planned, if it may be done.
func (h *Hub) carryOut(ctx context.Context, by Actor, p *importPlan) (ImportResult, error) {
	out := p.out
	if p.in.DryRun {
		return out, nil
	}
	if err := p.allowed(); err != nil {
		if model.CodeOf(err) == model.Refused {
			h.importRefused(ctx, by, p.source.Name, err)
		}
		return out, err
	}
	if err := h.SourceSeen(ctx, p.source.Name, h.Store.Now()); err != nil {
		return out, err
	}
	if !out.Differs() {
		return out, nil
	}
	id, err := newID()
	if err != nil {
		return out, err
	}
	if err := h.Store.Update(ctx, func(tx *store.Tx) error { return h.applyImport(tx, by, p, id) }); err != nil {
		return ImportResult{}, err
	}
	h.Wake()
	out.ID, out.Applied, out.Held = id, true, ""
	return out, nil
}

// allowed says why a plan must not be carried out.
func (p *importPlan) allowed() error {
	d := p.out.Digest
	switch {
	case p.in.Release != "" && p.in.Release != d:
		return model.Fail(model.Refused, fmt.Sprintf("the digest %q is not that of the difference as it is now (%s): look at it again, it may have changed", p.in.Release, d), nil)
	case p.in.Digest != "" && p.in.Digest != d:
		return model.Fail(model.Conflict, fmt.Sprintf("the difference is no longer the one that was shown (%s, now %s): nothing was changed; look at it again", p.in.Digest, d), nil)
	case p.out.Held != "" && p.in.Release == "":
		return model.Fail(model.Refused, p.out.Held, nil)
	}
	return nil
}

// hold works out whether the guard of the source lets the plan pass; empty: it does.
func (p *importPlan) hold(tx *store.Tx) (string, error) {
	g := p.source.Guard
	left, people, err := tx.Left(p.source.Name, tx.Now.Add(-g.Window))
	if err != nil {
		return "", err
	}
	release := "if that is right, let it pass with --release " + p.out.Digest
	switch limit := g.Limit(people); {
	case p.out.Rows == 0 && !p.in.Partial && p.out.Disables == 0:
		return "the file has no rows: nothing was changed; rows that are not the full set are imported with --partial", nil
	case p.out.Rows == 0 && !p.in.Partial:
		return fmt.Sprintf("the file has no rows, which would disable all %d people of source %s: nothing was changed; %s", p.out.Disables, p.source.Name, release), nil
	case p.out.Disables > 0 && left+p.out.Disables > limit:
		before := ""
		if left > 0 {
			before = fmt.Sprintf(", and %d left in the last %s", left, g.Window)
		}
		return fmt.Sprintf("this would disable %d of %d people of source %s%s, and its guard allows %d: nothing was changed; %s",
			p.out.Disables, people, p.source.Name, before, limit, release), nil
	}
	return "", nil
}

// strict is the actor of an import: what a source may not write over SCIM it may not
// import either.
func (p *importPlan) actor(by Actor) Actor {
	return Actor{Source: p.source.Name, Name: "import by " + by.Name, StrictReferences: !p.shape.dialect.UnresolvedReferences}
}

// modifiedUser is the write of an import that changes a user.
func modifiedUser(t *scim.ResourceType, by Actor, held store.Held, next map[string]any, now time.Time) store.ResourceWrite {
	out := held.Resource
	out.Attrs = next
	out.Meta.Version, out.Meta.LastModified = out.Meta.Version+1, now
	return store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "modify", Resource: out, Before: held.Resource.Attrs,
		Identity: held.Identity, Marks: []string{held.Identity}, Urgent: turnedOff(held.Resource.Attrs, next),
		Data: changedAttributes(t, held.Resource.Attrs, next, "")}
}
