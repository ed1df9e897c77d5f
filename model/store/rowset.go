package store

import (
	"database/sql"
	"fmt"
	"strings"
)

// rowset is rows that go into one statement together. On PostgreSQL each column is one
// array: the text and the plan are the same for any number of rows, and nothing is sent
// or parsed a placeholder at a time. SQLite has a placeholder for each value.
type rowset struct {
	columns []rowColumn
	n       int
}

// rowColumn is one column, with its type in SQL: text, bigint, boolean or bytea.
type rowColumn struct {
	name, kind string
	values     []any
}

// newRowset begins a set of rows; each column is "name type".
func newRowset(columns ...string) *rowset {
	r := &rowset{columns: make([]rowColumn, len(columns))}
	for i, c := range columns {
		r.columns[i].name, r.columns[i].kind, _ = strings.Cut(c, " ")
	}
	return r
}

func (r *rowset) add(values ...any) {
	for i, v := range values {
		r.columns[i].values = append(r.columns[i].values, v)
	}
	r.n++
}

// names are the columns, each with a prefix.
func (r *rowset) names(prefix string) string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = prefix + c.name
	}
	return strings.Join(out, ", ")
}

// maxRowArgs is how many placeholders one statement has at most on SQLite.
const maxRowArgs = 30_000

// inRows runs a statement that follows `WITH v(columns) AS (rows)`, with its own arguments
// behind those of the rows: once on PostgreSQL, in as many parts as SQLite needs. Texts
// that join v with a table are to be planned anew each time: see planned.
func (t *Tx) inRows(r *rowset, text string, args ...any) (affected int64, err error) {
	err = t.inParts(r, func(with string, values []any) error {
		n, err := t.exec(with+text, append(values, args...)...)
		affected += n
		return err
	})
	return affected, err
}

// eachRow is inRows of a statement that returns rows.
func (t *Tx) eachRow(r *rowset, scan func(*sql.Rows) error, text string, args ...any) error {
	return t.inParts(r, func(with string, values []any) error {
		rows, err := t.query(with+text, append(values, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (t *Tx) inParts(r *rowset, run func(with string, values []any) error) error {
	if r.n == 0 {
		return nil
	}
	if t.pg {
		with, values, err := r.arrays()
		if err != nil {
			return err
		}
		return run(with, t.planned(values))
	}
	size := maxRowArgs / len(r.columns)
	for from := 0; from < r.n; from += size {
		with, values := r.tuples(from, min(from+size, r.n))
		if err := run(with, values); err != nil {
			return err
		}
	}
	return nil
}

func (r *rowset) tuples(from, to int) (with string, args []any) {
	one := make([]string, len(r.columns))
	for i, c := range r.columns {
		one[i] = `CAST(? AS ` + c.kind + `)`
		if c.kind == "bytea" || c.kind == "boolean" { // SQLite would make numbers of them
			one[i] = "?"
		}
	}
	args = make([]any, 0, (to-from)*len(r.columns))
	for n := from; n < to; n++ {
		for _, c := range r.columns {
			args = append(args, c.values[n])
		}
	}
	return `WITH v(` + r.names("") + `) AS (VALUES ` + tuples(`(`+strings.Join(one, ",")+`)`, to-from) + `) `, args
}

func (r *rowset) arrays() (with string, args []any, err error) {
	parts := make([]string, len(r.columns))
	for i, c := range r.columns {
		parts[i] = `CAST(? AS ` + c.kind + `[])`
		array, err := c.array()
		if err != nil {
			return "", nil, err
		}
		args = append(args, array)
	}
	return `WITH v(` + r.names("") + `) AS (SELECT * FROM unnest(` + strings.Join(parts, ", ") + `)) `, args, nil
}

func (c rowColumn) array() (any, error) {
	switch c.kind {
	case "text":
		return arrayOf[string](c)
	case "bigint":
		for i, v := range c.values {
			if n, ok := v.(int); ok {
				c.values[i] = int64(n)
			}
		}
		return arrayOf[int64](c)
	case "boolean":
		return arrayOf[bool](c)
	case "bytea":
		out := make([][]byte, len(c.values))
		for i, v := range c.values {
			out[i], _ = v.([]byte)
		}
		return out, nil
	}
	return nil, fmt.Errorf("column %s has no known type: %s", c.name, c.kind)
}

// arrayOf takes values, pointers to values and nil.
func arrayOf[T any](c rowColumn) ([]*T, error) {
	out := make([]*T, len(c.values))
	for i, v := range c.values {
		switch v := v.(type) {
		case T:
			out[i] = &v
		case *T:
			out[i] = v
		case nil:
		default:
			return nil, fmt.Errorf("column %s is %s, not %T", c.name, c.kind, v)
		}
	}
	return out, nil
}

// among is the condition that a column is one of some values, and its arguments: one
// array on PostgreSQL. Callers cut what may be longer than SQLite's limit.
func (t *Tx) among(column string, values []string) (string, []any) {
	if t.pg {
		return column + ` = ANY(CAST(? AS text[]))`, []any{values}
	}
	return column + ` IN ` + list(len(values)), anys(values)
}
