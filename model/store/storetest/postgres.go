package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// errNone says that there is no PostgreSQL on this machine.
var errNone = errors.New("PostgreSQL was not found: install it, or set SCIMHUB_TEST_POSTGRES=postgres://…")

// postgresURL is the server's URL; without one the test is skipped, or fails where
// PostgreSQL is required.
func postgresURL(t testing.TB) string {
	t.Helper()
	if u := os.Getenv("SCIMHUB_TEST_POSTGRES"); u != "" {
		return u
	}
	u, err := ownServer()
	switch {
	case err == nil:
		return u
	case errors.Is(err, errNone) && !required():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return ""
}

func required() bool {
	return os.Getenv("SCIMHUB_REQUIRE_POSTGRES") == "1" || os.Getenv("CI") == "true"
}

// ownServer is the server of this process: started with the first test that needs
// it, ended by its watchdog when the process ends, however it does.
var ownServer = sync.OnceValues(func() (string, error) {
	bin, err := findBinaries()
	if err != nil {
		return "", err
	}
	dir, err := serverDir()
	if err != nil {
		return "", fmt.Errorf("PostgreSQL for tests: %w", err)
	}
	if err := startServer(bin, dir); err != nil {
		return "", errors.Join(fmt.Errorf("PostgreSQL for tests: %w", err), os.RemoveAll(dir))
	}
	return "postgres://postgres@/postgres?host=" + dir + "&sslmode=disable", nil
})

// findBinaries is the folder that holds initdb and postgres: the newest of a
// distribution's, or the one on PATH.
func findBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(found) {
		dir := filepath.Dir(f)
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	onPath, err := exec.LookPath("initdb")
	if err != nil {
		return "", errNone
	}
	return filepath.Dir(onPath), nil
}

// watchdog makes the cluster, serves it on a socket in its folder, says "ready" on
// standard output, and waits for the end of its standard input, which comes when
// the test process ends. An ICU locale, where there is one, sorts text unlike its
// bytes and so shows where an order was left to the database.
const watchdog = `
bin=$1 dir=$2
trap '' INT TERM
exec 2>"$dir/log"
init() { "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-sync "$@" >&2; }
init --locale=C --locale-provider=icu --icu-locale=en-US || { rm -rf "$dir/data"; init --locale=C; } || { cat "$dir/log"; exit 1; }
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off >&2 </dev/null &
pid=$!
tries=0
until [ -S "$dir/.s.PGSQL.5432" ] && "$bin/psql" -h "$dir" -U postgres -qc 'select 1' postgres >/dev/null 2>&1; do
  tries=$((tries+1))
  if [ $tries -gt 300 ] || ! kill -0 $pid; then cat "$dir/log"; kill -QUIT $pid; exit 1; fi
  sleep 0.1
done
echo ready
exec >/dev/null
cat >/dev/null
kill -QUIT $pid
wait $pid
rm -rf "$dir"
`

// startServer runs the watchdog and returns when the server answers. The pipe to
// the watchdog's standard input stays open as long as this process lives.
func startServer(bin, dir string) error {
	cmd := exec.Command("/bin/sh", "-c", watchdog, "sh", bin, dir) //nolint:noctx // it outlives the test that starts it
	cmd.Dir = dir
	if err := asOwner(cmd, dir); err != nil {
		return err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	text, err := io.ReadAll(out)
	if err != nil || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("ready")) {
		return errors.Join(fmt.Errorf("the server did not start: %s", text), err, stdin.Close(), cmd.Wait())
	}
	go func() { _ = cmd.Wait() }() // ends with the process; the pipe is what ends it
	return nil
}

// serverDir is a folder with a name short enough for a socket's path.
func serverDir() (string, error) {
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "scimhub-pg-")
}
