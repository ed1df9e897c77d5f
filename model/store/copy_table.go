package store

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// columnKind is what a column holds, in words that both databases share.
type columnKind string

const (
	colInt   columnKind = "integer"
	colText  columnKind = "text" // JSON, too
	colBytes columnKind = "bytes"
	colBool  columnKind = "boolean"
	colFloat columnKind = "float"
)

func (k columnKind) takes(v any) bool {
	switch v.(type) {
	case int64:
		return k == colInt
	case string:
		return k == colText
	case []byte:
		return k == colBytes
	case bool:
		return k == colBool
	case float64:
		return k == colFloat
	}
	return false
}

// columnKindOf reads a declared type.
func columnKindOf(declared string) (columnKind, error) {
	switch t, _, _ := strings.Cut(strings.ToLower(declared), " "); t {
	case "integer", "int", "bigint", "smallint":
		return colInt, nil
	case "text", "json", "jsonb":
		return colText, nil
	case "blob", "bytea":
		return colBytes, nil
	case "boolean", "bool":
		return colBool, nil
	case "double", "real", "float":
		return colFloat, nil
	}
	return "", fmt.Errorf("no column of a backup has type %s", declared)
}

// leftOut lists the tables that no backup holds: the list of migrations is in its head,
// and who is signed in, what was answered to whom, and how far a sweep has come end
// with the database.
func leftOut() []string {
	return []string{"schema_migrations", "sessions", "sign_in_links", "sign_in_states", "idempotency", "drift_progress", "drift_members"}
}

// tableNames finds the tables that a migration makes.
var tableNames = regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)

// ownTables lists the tables of the hub that are there, parents of foreign keys first,
// else by name. Others may share a schema of PostgreSQL with it.
func (t *Tx) ownTables() ([]string, error) {
	steps, err := loadMigrations(t.pg)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{"schema_migrations": true}
	for _, m := range steps {
		for _, found := range tableNames.FindAllStringSubmatch(m.text, -1) {
			own[found[1]] = true
		}
	}
	there, err := t.tablesThere()
	if err != nil {
		return nil, err
	}
	there = slices.DeleteFunc(there, func(name string) bool { return !own[name] })
	parents, err := t.foreignKeys(there)
	if err != nil {
		return nil, err
	}
	var out []string
	var add func(name string, depth int)
	add = func(name string, depth int) {
		if depth > len(there) || slices.Contains(out, name) || !slices.Contains(there, name) {
			return
		}
		for _, p := range parents[name] {
			if p != name {
				add(p, depth+1)
			}
		}
		out = append(out, name)
	}
	for _, name := range there {
		add(name, 0)
	}
	return out, nil
}

func (t *Tx) tablesThere() ([]string, error) {
	if t.pg {
		return t.texts(`SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename COLLATE "C"`)
	}
	return t.texts(`SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name`)
}

// foreignKeys gives the tables that each refers to.
func (t *Tx) foreignKeys(tables []string) (map[string][]string, error) {
	out := map[string][]string{}
	if !t.pg {
		for _, name := range tables {
			parents, err := t.texts(`SELECT DISTINCT "table" FROM pragma_foreign_key_list(?) ORDER BY 1`, name)
			if err != nil {
				return nil, err
			}
			out[name] = parents
		}
		return out, nil
	}
	pairs, err := t.pairs(`SELECT CAST(c.relname AS text), CAST(p.relname AS text) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND n.nspname = current_schema() ORDER BY 1, 2`)
	for _, p := range pairs {
		out[p[0]] = append(out[p[0]], p[1])
	}
	return out, err
}

// columnsOf gives the columns of a table in their order, and their kinds.
func (t *Tx) columnsOf(table string) (names []string, kinds []columnKind, err error) {
	query := `SELECT name, type FROM pragma_table_info(?) ORDER BY cid`
	if t.pg {
		query = `SELECT CAST(column_name AS text), CAST(data_type AS text) FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position`
	}
	pairs, err := t.pairs(query, table)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pairs {
		kind, err := columnKindOf(p[1])
		if err != nil {
			return nil, nil, fmt.Errorf("table %s, column %s: %w", table, p[0], err)
		}
		names, kinds = append(names, p[0]), append(kinds, kind)
	}
	return names, kinds, nil
}

func quoted(names []string) string {
	return `"` + strings.Join(names, `", "`) + `"`
}
