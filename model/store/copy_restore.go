package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// RestoreOptions adjust Restore. The zero value is ready for use.
type RestoreOptions struct {
	Replace  bool   // whatever the database holds goes
	Actor    string // who restores, for the audit trail
	Why      string // restored or moved; restored where it is empty
	Now      func() time.Time
	Progress func(table string, rows, of int64) // may be nil
	// Moved says that the database copied is the one that ran last: nothing has happened
	// since, so that its targets need not be read before they are written to.
	Moved bool
}

// RestoreReport says what a restore brought back.
type RestoreReport struct {
	BackupSummary
	Schema  int            `json:"schema_now"`
	Entries int64          `json:"audit_entries"` // whose chain was verified
	Targets []string       `json:"targets"`       // that are read in full before anything is written there
	Erased  []ErasedPerson `json:"erased_since"`  // of the database that was replaced: people who are back
}

// ErasedPerson is somebody who was erased after the backup was taken.
type ErasedPerson struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// Restore puts a backup into a database: SQLite or PostgreSQL, whichever it was taken
// of. It is checked from end to end first, counts, digests and the chain of the audit
// trail; then everything appears at once, or, where it is interrupted, nothing. open
// gives the backup from its beginning, and is called twice. A database that holds
// anything is refused unless it is to be replaced, and so is one that a hub runs on.
func Restore(ctx context.Context, databaseURL string, open func() (io.ReadCloser, error), o RestoreOptions) (RestoreReport, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Actor == "" {
		o.Actor = "restore"
	}
	file, err := open()
	if err != nil {
		return RestoreReport{}, err
	}
	sum, err := CheckBackup(file)
	file.Close()
	if err != nil {
		return RestoreReport{}, err
	}
	if sum.Schema > SchemaVersion {
		return RestoreReport{}, newerSchema("the backup", sum.Schema)
	}
	if file, err = open(); err != nil {
		return RestoreReport{}, err
	}
	defer file.Close()
	r := &restorer{from: file, o: o, out: RestoreReport{BackupSummary: sum, Schema: SchemaVersion, Targets: []string{}, Erased: []ErasedPerson{}}}
	switch {
	case strings.HasPrefix(databaseURL, "sqlite:"):
		err = r.sqlite(ctx, strings.TrimPrefix(databaseURL, "sqlite:"))
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		err = r.postgres(ctx, databaseURL)
	default:
		err = model.Fail(model.Invalid, "database must be sqlite:PATH or postgres://…", nil)
	}
	return r.out, err
}

// restorer is one restore under way.
type restorer struct {
	from io.Reader
	o    RestoreOptions
	out  RestoreReport
}

// rowSink takes the rows of one table into a database. Close ends the table, abort
// gives it up: the transaction is rolled back.
type rowSink interface {
	add(values []any) error
	close() error
	abort()
}

// fill makes the schema of the backup in an empty database, loads it, brings it up to
// date and checks it: all in the transaction of the caller. sink opens a table.
func (r *restorer) fill(s *Store, tx *Tx, sink func(table string, columns []string) (rowSink, error)) error {
	steps, err := loadMigrations(tx.pg)
	if err != nil {
		return err
	}
	migrate := func(after, to int) error {
		for _, m := range steps {
			if m.version <= after || m.version > to {
				continue
			}
			if err := s.step(tx, m.whole()); err != nil {
				return model.Fail(model.Unavailable, fmt.Sprintf("migration %04d failed, nothing changed", m.version), err)
			}
		}
		return nil
	}
	if err := migrate(0, r.out.BackupSummary.Schema); err != nil {
		return err
	}
	if err := r.load(tx, sink); err != nil {
		return err
	}
	if err := migrate(r.out.BackupSummary.Schema, SchemaVersion); err != nil {
		return err
	}
	return r.finish(tx)
}

// load takes the rows in place of those that migrations have made.
func (r *restorer) load(tx *Tx, sink func(string, []string) (rowSink, error)) error {
	tables, err := tx.ownTables()
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(tables) { // children first
		if name != "schema_migrations" {
			if _, err := tx.exec(`DELETE FROM ` + name); err != nil {
				return fmt.Errorf("empty table %s: %w", name, err)
			}
		}
	}
	c, err := newCopyReader(r.from)
	if err != nil {
		return err
	}
	l := &loader{tx: tx, sink: sink, progress: r.o.Progress, expected: r.out.Tables}
	_, err = c.read(l)
	if err != nil && l.open != nil {
		l.open.abort()
	}
	return err
}

// loader is the visitor that puts rows into tables.
type loader struct {
	tx       *Tx
	sink     func(table string, columns []string) (rowSink, error)
	progress func(table string, rows, of int64)
	expected map[string]int64

	name   string
	kinds  []columnKind
	values []any
	open   rowSink
	n      int64
}

func (l *loader) begin(t copyTable) error {
	columns, kinds, err := l.tx.columnsOf(t.Name)
	if err != nil {
		return err
	}
	if len(columns) == 0 || isLeftOut(t.Name) {
		return unusable("there is no table "+t.Name+" in this schema", nil)
	}
	have := map[string]columnKind{}
	for i, name := range columns {
		have[name] = kinds[i]
	}
	l.name, l.kinds, l.n, l.values = t.Name, nil, 0, make([]any, len(t.Columns))
	for _, name := range t.Columns {
		kind, ok := have[name]
		if !ok {
			return unusable("table "+t.Name+" has no column "+name+" in this schema", nil)
		}
		l.kinds = append(l.kinds, kind)
	}
	open, err := l.sink(t.Name, t.Columns)
	if err == nil {
		l.open = open
	}
	return err
}

func (l *loader) row(content []byte) error {
	l.n++
	if err := readValues(content, l.kinds, l.values); err != nil {
		return unusable(fmt.Sprintf("table %s, row %d", l.name, l.n), err)
	}
	if err := l.open.add(l.values); err != nil {
		return fmt.Errorf("table %s, row %d: %w", l.name, l.n, err)
	}
	if l.progress != nil && l.n%copyTick == 0 {
		l.progress(l.name, l.n, l.expected[l.name])
	}
	return nil
}

func (l *loader) end() error {
	open := l.open
	l.open = nil
	if err := open.close(); err != nil {
		return fmt.Errorf("table %s: %w", l.name, err)
	}
	if l.progress != nil && l.n > 0 {
		l.progress(l.name, l.n, l.expected[l.name])
	}
	return nil
}

// finish ends what belongs to processes that are gone, has targets read before they are
// written to, and verifies the audit trail.
func (r *restorer) finish(tx *Tx) error {
	if err := tx.endLeases(); err != nil {
		return err
	}
	checked, faults, err := tx.verifyAudit()
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return unusable(fmt.Sprintf("the chain of its audit trail does not hold at %d places; the first: lane %d, entry %d: %s", len(faults), faults[0].Lane, faults[0].Seq, faults[0].Message), nil)
	}
	r.out.Entries = checked
	action := "hub.move"
	if !r.o.Moved {
		action = "hub.restore"
		if r.out.Targets, err = tx.beginRecovery(RecoveryRestored, r.o.Actor, nil); err != nil {
			return err
		}
	}
	data, err := json.Marshal(map[string]any{"backup_at": r.out.At, "digest": r.out.Digest, "rows": r.out.Rows, "schema": r.out.BackupSummary.Schema, "from": r.out.From, "targets": r.out.Targets})
	if err != nil {
		return err
	}
	return tx.Audit(AuditEntry{Actor: r.o.Actor, Action: action, Object: "hub", Data: data})
}

// endLeases gives back what processes of the database copied had taken.
func (t *Tx) endLeases() error {
	tables, err := t.ownTables()
	if err != nil {
		return err
	}
	for _, name := range tables {
		columns, _, err := t.columnsOf(name)
		if err != nil {
			return err
		}
		for _, c := range columns {
			var set string
			switch c {
			case "leased_until":
				set = `leased_until = 0 WHERE leased_until <> 0`
			case "holder":
				set = `holder = '' WHERE holder <> ''`
			default:
				continue
			}
			if _, err := t.exec(`UPDATE ` + name + ` SET ` + set); err != nil {
				return fmt.Errorf("leases in table %s: %w", name, err)
			}
		}
	}
	return nil
}

// holdsAnything reports whether somebody has used the database.
func (t *Tx) holdsAnything(tables []string) (string, error) {
	for _, name := range []string{"identities", "resources", "accounts", "config_versions", "audit", "tokens"} {
		if !slices.Contains(tables, name) {
			continue
		}
		var used bool
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM ` + name + `)`).Scan(&used); err != nil {
			return "", err
		}
		if used {
			return name, nil
		}
	}
	return "", nil
}

// erasedSince lists the people that were erased after a moment, of a database that is
// about to be replaced.
func (t *Tx) erasedSince(at time.Time) (out []ErasedPerson, err error) {
	rows, err := t.query(`SELECT identity_id, at FROM audit WHERE action = ? AND at > ? ORDER BY at, identity_id`, actionErase, micros(at))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p ErasedPerson
		var us int64
		if err := rows.Scan(&p.ID, &us); err != nil {
			return nil, err
		}
		p.At = fromMicros(us)
		out = append(out, p)
	}
	return out, rows.Err()
}

// used is the refusal to write into a database that holds something.
func used(what string) error {
	return model.Fail(model.Refused, "the database holds something already (table "+what+"): name an empty one, or replace it with --replace", nil)
}

// inUse is the refusal to write under a hub that runs.
func inUse(cause error) error {
	return model.Fail(model.Refused, "a hub runs on this database: stop it (all replicas of it) first", cause)
}
