package store

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

// portions cuts a list for statements of several rows, in a few sizes only: a database
// keeps a plan for each.
func portions[T any](rows []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for _, size := range []int{64, 16, 4, 1} {
			for len(rows) >= size {
				if !yield(rows[:size]) {
					return
				}
				rows = rows[size:]
			}
		}
	}
}

// tuples are the placeholders of n rows.
func tuples(row string, n int) string { return strings.TrimSuffix(strings.Repeat(row+",", n), ",") }

// SetDesiredAll is SetDesired of many, with few statements. No two are of the same
// person at the same target.
func (t *Tx) SetDesiredAll(accounts []model.AccountRow) error {
	sorted := slices.SortedFunc(slices.Values(accounts), func(a, b model.AccountRow) int { // rows are locked in one order by all
		return cmp.Or(strings.Compare(a.Identity, b.Identity), strings.Compare(a.Target, b.Target))
	})
	now := micros(t.Now)
	rows := newRowset("target text", "identity_id text", "user_name text", "desired text", "because text", "leaver boolean", "leaver_at bigint", "leaver_held boolean", "drill boolean", "state text", "due boolean", "next_at bigint", "trace text")
	for _, a := range sorted {
		r, err := toRow(a)
		if err != nil {
			return err
		}
		due := now
		if a.Desired != nil && (!a.Desired.Active || a.Drill) {
			due = 0
		}
		rows.add(r.Target, r.IdentityID, r.UserName, r.Desired, r.Because, r.Leaver, r.LeaverAt, r.LeaverHeld, r.Drill, r.State, r.Due, due, a.Trace)
	}
	_, err := t.inRows(rows, `INSERT INTO accounts (target, identity_id, user_name, remote_id, owned, desired, because, leaver, leaver_at, leaver_held, drill, state, drift, due, enabled, generation, attempts, next_at, last_error, error_class, updated_at, trace)
SELECT target, identity_id, user_name, '', '', desired, because, leaver, leaver_at, leaver_held, drill, state, '', due, FALSE, 1, 0, next_at, '', '', CAST(? AS bigint), trace FROM v WHERE TRUE
ON CONFLICT (target, identity_id) DO UPDATE SET user_name = CASE WHEN excluded.user_name = '' THEN accounts.user_name ELSE excluded.user_name END, desired = excluded.desired, because = excluded.because, leaver = excluded.leaver, leaver_at = excluded.leaver_at, leaver_held = excluded.leaver_held, drill = excluded.drill,
state = CASE WHEN excluded.due OR accounts.owned = '' THEN excluded.state ELSE 'pending' END, due = (excluded.due OR accounts.owned <> ''), generation = accounts.generation + 1, attempts = 0, next_at = excluded.next_at, last_error = '', error_class = '', updated_at = excluded.updated_at, trace = excluded.trace`, now) // whatever was carried belongs to an earlier wish
	if err != nil {
		return err
	}
	if err := t.noteLeavers(sorted); err != nil {
		return err
	}
	return t.noteByTarget(sorted)
}

func (t *Tx) noteByTarget(accounts []model.AccountRow) error {
	rows := newRowset("target text", "identity_id text")
	for _, a := range accounts {
		rows.add(a.Target, a.Identity)
	}
	return t.noteRows(rows)
}

func sortedNames(m map[string][]string) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// AddGrants is AddGrant of many, with few statements.
func (t *Tx) AddGrants(grants []model.Grant, version int64) error {
	rows := newRowset("id text", "identity_id text", "role text", "because text", "approved_by text", "from_at bigint", "until_at bigint")
	for _, g := range grants {
		because, err := json.Marshal(g.Because)
		if err != nil {
			return err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		rows.add(id.String(), g.Identity, g.Role, string(because), g.ApprovedBy, micros(g.From), microsPtr(g.Until))
	}
	_, err := t.inRows(rows, `INSERT INTO grants (id, identity_id, role, because, approved_by, version, from_at, until_at)
SELECT id, identity_id, role, because, approved_by, CAST(? AS bigint), from_at, until_at FROM v`, version)
	return err
}

// UnmarkAll is Unmark of many, with few statements.
func (t *Tx) UnmarkAll(marks []Mark) error {
	sorted := slices.SortedFunc(slices.Values(marks), func(a, b Mark) int { return strings.Compare(a.Identity, b.Identity) })
	rows, ids := newRowset("identity_id text", "generation bigint"), make([]string, len(sorted))
	for i, m := range sorted {
		rows.add(m.Identity, m.Generation)
		ids[i] = m.Identity
	}
	if len(ids) == 0 {
		return nil
	}
	where, args := t.among("identity_id", ids)
	if t.pg { // in one order, for others lock several as well
		if _, err := t.exec(`SELECT 1 FROM marks WHERE `+where+` ORDER BY identity_id FOR UPDATE`, t.planned(args)...); err != nil {
			return err
		}
	}
	n, err := t.inRows(rows, `DELETE FROM marks WHERE (identity_id, generation) IN (SELECT identity_id, generation FROM v)`)
	if err != nil || n == int64(len(ids)) {
		return err
	}
	_, err = t.exec(`UPDATE marks SET leased_until = 0 WHERE `+where, t.planned(args)...)
	return err
}
