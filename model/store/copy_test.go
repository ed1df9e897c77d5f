package store_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// notCopied are the tables that do not come back.
var notCopied = []string{"schema_migrations", "sessions", "sign_in_links", "sign_in_states", "idempotency", "drift_progress", "drift_members"}

// notFilled are those that entries of the audit trail fill.
var notFilled = append([]string{"audit", "audit_heads"}, notCopied...)

type column struct{ table, name, kind string }

// columns lists every column of a database, by the database itself.
func columns(t *testing.T, db *storetest.DB) []column {
	t.Helper()
	query := `SELECT m.name, c.name, lower(c.type) FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`
	if db.Dialect == storetest.Postgres {
		query = `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name COLLATE "C", ordinal_position`
	}
	rows, err := db.SQL.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.name, &c.kind); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// literal is a value that a column takes, and that both databases show the same way.
func literal(c column) string {
	switch {
	case c.name == "search":
		return `'{"a":["ü",1.5]}'`
	case c.name == "leased_until":
		return "77"
	case c.table == "targets" && c.name == "state":
		return `'{"failures":3}'`
	case strings.HasPrefix(c.kind, "text"):
		return `'x'`
	case c.kind == "blob":
		return `x'00ff27'`
	case c.kind == "bytea":
		return `'\x00ff27'`
	case c.kind == "boolean":
		return "TRUE"
	case strings.HasPrefix(c.kind, "double"), c.kind == "real":
		return "2.5"
	}
	return "1"
}

// fillAll puts a row into every table, with a value in every column, and entries into
// the audit trail.
func fillAll(t *testing.T, db *storetest.DB) {
	t.Helper()
	names, values := map[string][]string{}, map[string][]string{}
	var tables []string
	for _, c := range columns(t, db) {
		if slices.Contains(notFilled, c.table) {
			continue
		}
		if names[c.table] == nil {
			tables = append(tables, c.table)
		}
		names[c.table] = append(names[c.table], `"`+c.name+`"`)
		values[c.table] = append(values[c.table], literal(c))
	}
	for _, name := range tables {
		exec(t, db.SQL, `DELETE FROM `+name)
	}
	for len(tables) > 0 { // parents before children, whatever their names are
		before := len(tables)
		tables = slices.DeleteFunc(tables, func(name string) bool {
			_, err := db.SQL.Exec(`INSERT INTO ` + name + ` (` + strings.Join(names[name], ",") + `) VALUES (` + strings.Join(values[name], ",") + `)`)
			return err == nil
		})
		if len(tables) == before {
			exec(t, db.SQL, `INSERT INTO `+tables[0]+` (`+strings.Join(names[tables[0]], ",")+`) VALUES (`+strings.Join(values[tables[0]], ",")+`)`)
		}
	}
	for i := range 40 {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Audit(store.AuditEntry{Actor: "test", Action: "test.fill", Object: fmt.Sprint("thing/", i), Data: []byte(`{"ü":"<&>"}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func exec(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.Exec(text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// dump shows every row of a database in one form for both.
func dump(t *testing.T, db *storetest.DB) map[string][]string {
	t.Helper()
	byTable := map[string][]column{}
	for _, c := range columns(t, db) {
		byTable[c.table] = append(byTable[c.table], c)
	}
	out := map[string][]string{}
	for table, list := range byTable {
		if slices.Contains(notCopied, table) {
			continue
		}
		slices.SortFunc(list, func(a, b column) int { return strings.Compare(a.name, b.name) })
		var names []string
		for _, c := range list {
			names = append(names, `"`+c.name+`"`)
		}
		rows, err := db.SQL.Query(`SELECT ` + strings.Join(names, ",") + ` FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		values, into := make([]any, len(list)), make([]any, len(list))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line := ""
			for i, v := range values {
				line += list[i].name + "=" + shown(v, list[i]) + " "
			}
			out[table] = append(out[table], line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil { //nolint:sqlclosecheck // one table after the other
			t.Fatal(err)
		}
		slices.Sort(out[table])
	}
	return out
}

func shown(v any, c column) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		if x {
			return "1"
		}
		return "0"
	case []byte:
		if c.kind == "bytea" || c.kind == "blob" {
			return fmt.Sprintf("%x", x)
		}
		v = string(x)
	}
	text := fmt.Sprint(v)
	if c.name == "search" {
		text = strings.ReplaceAll(text, " ", "")
	}
	return text
}

func backup(t *testing.T, db *storetest.DB) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := db.Backup(t.Context(), &out, "v9.9.9", nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opener(body []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}

func restore(ctx context.Context, url string, body []byte, o store.RestoreOptions) (store.RestoreReport, error) {
	return store.Restore(ctx, url, opener(body), o)
}

// Every column of every table comes back, on either database, whichever it was taken of;
// only leases and what waits for a full read of targets is new.
func TestRestoreAcross(t *testing.T) {
	t.Parallel()
	for _, from := range storetest.Dialects() {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			source := storetest.Open(t, from)
			fillAll(t, source)
			body := backup(t, source)
			want := dump(t, source)
			for _, to := range storetest.Dialects() {
				t.Run("to "+to, func(t *testing.T) {
					url := storetest.URL(t, to)
					report, err := restore(t.Context(), url, body, store.RestoreOptions{Moved: true})
					if err != nil {
						t.Fatal(err)
					}
					if report.Entries != 40 || report.From != from || report.Program != "v9.9.9" {
						t.Errorf("report: %+v", report)
					}
					db := storetest.OpenURL(t, to, url)
					checkRestored(t, db, want)
				})
			}
		})
	}
}

func checkRestored(t *testing.T, db *storetest.DB, want map[string][]string) {
	t.Helper()
	got := dump(t, db)
	for table, lines := range want {
		expected := slices.Clone(lines)
		switch table {
		case "audit": // one more entry, of the restore itself
			if len(got[table]) != len(lines)+1 {
				t.Errorf("%d audit entries, want %d and one of the restore", len(got[table]), len(lines))
			}
			for _, line := range lines {
				if !slices.Contains(got[table], line) {
					t.Errorf("audit entry lost: %s", line)
				}
			}
			continue
		case "audit_heads":
			continue
		}
		for i, line := range expected {
			line = strings.Replace(line, "leased_until=77", "leased_until=0", 1)
			expected[i] = strings.Replace(line, "holder=x ", "holder= ", 1)
		}
		if diff := cmp.Diff(expected, got[table]); diff != "" {
			t.Errorf("table %s (-want +got):\n%s", table, diff)
		}
	}
	if _, faults, err := db.VerifyAudit(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("audit: %v %v", faults, err)
	}
}

// A file that is not whole changes nothing, wherever it is cut or damaged.
func TestRestoreRefusesDamage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		fillAll(t, db)
		whole := backup(t, db)
		plain, err := gzip.NewReader(bytes.NewReader(whole))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		zipped := func(b []byte) []byte {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			_, _ = w.Write(b)
			_ = w.Close()
			return out.Bytes()
		}
		other := bytes.Clone(text)
		at := bytes.LastIndex(other, []byte("test.fill"))
		copy(other[at:], "test.FILL")
		cases := map[string][]byte{"empty": {}, "no gzip": []byte("hello"), "other gzip": zipped([]byte("hello")), "changed": zipped(other), "appended": append(bytes.Clone(whole), whole...)}
		for _, n := range []int{10, 100, len(whole) / 2, len(whole) - 20, len(whole) - 1} {
			cases[fmt.Sprint("cut at ", n)] = whole[:n]
		}
		for _, n := range []int{30, len(text) / 3, len(text) - 3} {
			cases[fmt.Sprint("text cut at ", n)] = zipped(text[:n])
		}
		url := storetest.URL(t, db.Dialect)
		for name, body := range cases {
			_, err := restore(t.Context(), url, body, store.RestoreOptions{})
			if model.CodeOf(err) != model.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("%s left a file: %v", name, err)
				}
			}
		}
		if _, err := restore(t.Context(), url, whole, store.RestoreOptions{}); err != nil {
			t.Errorf("the whole file after all that: %v", err)
		}
	})
}

// What is there is refused, a hub that runs is refused, and with replace it is replaced
// and says who was erased since.
func TestRestoreRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		fillAll(t, db)
		body := backup(t, db)
		url := storetest.URL(t, db.Dialect)
		old, err := store.Open(t.Context(), url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = old.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Audit(store.AuditEntry{Actor: "test", Action: "identity.erase", Identity: "gone", Object: "identity/gone"})
		})
		if err != nil {
			t.Fatal(err)
		}
		presence, err := old.Attend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := restore(t.Context(), url, body, store.RestoreOptions{Replace: true}); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "a hub runs") {
			t.Errorf("under a hub that runs: %v", err)
		}
		presence.End()
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(t.Context(), url, body, store.RestoreOptions{}); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "--replace") {
			t.Errorf("over what is there: %v", err)
		}
		report, err := restore(t.Context(), url, body, store.RestoreOptions{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Erased) != 1 || report.Erased[0].ID != "gone" {
			t.Errorf("erased since: %+v", report.Erased)
		}
		if diff := cmp.Diff([]string{"x"}, report.Targets); diff != "" {
			t.Errorf("targets to be read (-want +got):\n%s", diff)
		}
		again := storetest.OpenURL(t, db.Dialect, url)
		st, err := again.TargetState(t.Context(), "x")
		if err != nil || st.Recovery == nil || st.Recovery.Phase != store.RecoveryReading || !st.DriftWanted || st.Failures != 3 {
			t.Errorf("target: %+v %v", st, err)
		}
	})
}

// A backup whose audit trail was tampered with is refused though its digests fit.
func TestRestoreVerifiesAudit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		fillAll(t, db)
		exec(t, db.SQL, `UPDATE audit SET actor = 'somebody else' WHERE object = 'thing/7'`)
		url := storetest.URL(t, db.Dialect)
		if _, err := restore(t.Context(), url, backup(t, db), store.RestoreOptions{}); model.CodeOf(err) != model.Invalid || !strings.Contains(err.Error(), "audit") {
			t.Errorf("%v", err)
		}
		if _, err := store.OpenSource(t.Context(), url); err == nil {
			t.Error("a refused restore has left a database")
		}
	})
}

// A restore that ends in the middle leaves nothing, and the next one succeeds.
func TestRestoreCutShort(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		fillAll(t, db)
		body := backup(t, db)
		url := storetest.URL(t, db.Dialect)
		ctx, cancel := context.WithCancel(t.Context())
		o := store.RestoreOptions{Progress: func(table string, _, _ int64) {
			if table == "identities" {
				cancel()
			}
		}}
		if _, err := restore(ctx, url, body, o); err == nil {
			t.Fatal("it went on")
		}
		if _, err := restore(t.Context(), url, body, store.RestoreOptions{}); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}
