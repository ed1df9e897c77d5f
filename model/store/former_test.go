package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// formerDumps are backups of databases that earlier releases filled, each by its own
// program through HTTP: people and groups of a source, leavers and movers, requests
// approved, denied and open, a review with decisions, a token.
func formerDumps(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/former/*.backup")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dumps of earlier releases: %v", err)
	}
	return files
}

// TestWriteFormer writes such a dump of a database whose hub is stopped:
//
//	SCIMHUB_FORMER=sqlite:/tmp/old.db SCIMHUB_FORMER_FILE=testdata/former/v0.1.0-sqlite.backup go test -run TestWriteFormer ./model/store
func TestWriteFormer(t *testing.T) {
	t.Parallel()
	url, file := os.Getenv("SCIMHUB_FORMER"), os.Getenv("SCIMHUB_FORMER_FILE")
	if url == "" {
		t.Skip("SCIMHUB_FORMER names no database")
	}
	source, err := store.OpenSource(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var out bytes.Buffer
	sum, err := source.Backup(t.Context(), &out, "v0.1.0", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %+v", out.Len(), sum)
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What earlier releases have stored is restored and brought up to date on both databases,
// whichever it was taken of, and all of it is there.
func TestFormer(t *testing.T) {
	t.Parallel()
	for _, file := range formerDumps(t) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, dialect := range storetest.Dialects() {
			t.Run(filepath.Base(file)+" to "+dialect, func(t *testing.T) {
				t.Parallel()
				url := storetest.URL(t, dialect)
				report, err := restore(t.Context(), url, body, store.RestoreOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if report.BackupSummary.Schema != 26 || report.Schema != store.SchemaVersion {
					t.Errorf("schema %d became %d", report.BackupSummary.Schema, report.Schema)
				}
				db := storetest.OpenURL(t, dialect, url)
				for table, n := range report.Tables {
					var have int64
					if err := db.SQL.QueryRow(`SELECT count(*) FROM ` + table).Scan(&have); err != nil || have < n {
						t.Errorf("table %s has %d rows of %d: %v", table, have, n, err)
					}
				}
				if checked, faults, err := db.VerifyAudit(t.Context()); err != nil || len(faults) > 0 || checked < 200 {
					t.Errorf("audit: %d %v %v", checked, faults, err)
				}
				var out bytes.Buffer
				if _, err := db.Backup(t.Context(), &out, "now", nil); err != nil {
					t.Errorf("a backup of it: %v", err)
				}
			})
		}
	}
}

// A database of a later release is left alone, and the message says what to do.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		exec(t, db.SQL, `INSERT INTO schema_migrations (version, at) VALUES (9999, 0)`)
		body := backup(t, db)
		for name, err := range map[string]error{
			"open": func() error { _, err := store.Open(t.Context(), db.URL, store.Options{}); return err }(),
			"restore": func() error {
				_, err := restore(t.Context(), storetest.URL(t, db.Dialect), body, store.RestoreOptions{})
				return err
			}(),
		} {
			if err == nil || !strings.Contains(err.Error(), "schema 9999") || !strings.Contains(err.Error(), "newer scimhub") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
