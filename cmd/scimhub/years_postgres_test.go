package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// ownPostgres is a PostgreSQL that a test may restart and crash. It keeps what it has
// acknowledged, as in earnest.
type ownPostgres struct {
	t        *testing.T
	bin, dir string
	port     int
	cmd      *exec.Cmd
	ended    chan struct{}
	URL      string
	attr     *syscall.SysProcAttr
}

// startPostgres makes a cluster and starts it; without the binaries the test is skipped,
// or fails where PostgreSQL is required.
func startPostgres(t *testing.T) *ownPostgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if path, err := exec.LookPath("initdb"); err == nil && len(found) == 0 {
		found = []string{path}
	}
	if len(found) == 0 {
		if os.Getenv("SCIMHUB_REQUIRE_POSTGRES") == "1" || os.Getenv("CI") == "true" {
			t.Fatal("initdb was not found: this test restarts a PostgreSQL of its own")
		}
		t.Skip("initdb was not found: this test restarts a PostgreSQL of its own")
	}
	p := &ownPostgres{t: t, bin: filepath.Dir(found[len(found)-1]), port: storetest.Port(t), attr: &syscall.SysProcAttr{Setpgid: true}}
	var err error
	if p.dir, err = os.MkdirTemp("/tmp", "scimhub-years-"); err != nil { //nolint:usetesting // another user must reach it, and a socket's path is short
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("root may not run PostgreSQL, and there is no user postgres")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(p.dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		p.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // as the system says
	}
	init := exec.CommandContext(t.Context(), filepath.Join(p.bin, "initdb"), "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.SysProcAttr, init.Dir = p.attr, p.dir
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.port)
	p.start()
	t.Cleanup(func() { p.stop(syscall.SIGQUIT) })
	return p
}

func (p *ownPostgres) data() string { return filepath.Join(p.dir, "data") }

// start starts the server and waits until it answers.
func (p *ownPostgres) start() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-k", p.dir,
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on", "-c", "max_connections=120", "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB", "-c", "jit=off")
	p.cmd.SysProcAttr, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.attr, p.dir, log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	cmd := p.cmd
	go func() { _ = cmd.Wait(); close(ended) }()
	p.ended = ended
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	await(p.t, time.Minute, "PostgreSQL answers", func() error {
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
		defer cancel()
		return db.PingContext(ctx)
	})
}

// stop ends the server: by SIGINT in order, by SIGQUIT as a crash would.
func (p *ownPostgres) stop(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
