package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestNewerSchemaIsRefused has this program find the database of a later release: each
// command that would use it ends with exit code 1, says which schema is there, which one it
// knows and what to do, and leaves the database as it is.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url, dir := storetest.Migrated(t, dialect), t.TempDir()
			config := filepath.Join(dir, "hub.yaml")
			text := fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: %q\n", url)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			db := storetest.OpenURL(t, dialect, url)
			db.Exec(t, fmt.Sprintf(`INSERT INTO schema_migrations (version, at) VALUES (%d, 1)`, store.SchemaVersion+7))
			tables := db.Int(t, `SELECT count(*) FROM schema_migrations`)
			for _, args := range [][]string{{"serve"}, {"migrate"}, {"migrate", "--check"}} {
				cmd := exec.CommandContext(t.Context(), programPath(t), append(args, "--config", config)...)
				cmd.Env = append(os.Environ(), "SCIMHUB_RUNTIME_DIR="+dir)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 1 {
					t.Errorf("scimhub %s: %v, want exit code 1: %s", strings.Join(args, " "), err, out)
				}
				for _, want := range []string{fmt.Sprint(store.SchemaVersion + 7), fmt.Sprint(store.SchemaVersion), "newer scimhub"} {
					if !strings.Contains(string(out), want) {
						t.Errorf("scimhub %s does not say %q: %s", strings.Join(args, " "), want, out)
					}
				}
			}
			if n := db.Int(t, `SELECT count(*) FROM schema_migrations`); n != tables {
				t.Errorf("%d migrations are noted, there were %d", n, tables)
			}
		})
	}
}
