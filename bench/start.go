package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// start measures the program itself: how long from its call until it is ready, with a
// new database and with one that is there, and what it holds in memory then. The floor
// is the same program doing nothing: saying its version, simulating an application.
func (r *run) start(ctx context.Context, db *database) error {
	if r.Program == "" {
		return nil
	}
	dir, err := os.MkdirTemp(r.Folder, "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := program{run: r, folder: dir}
	config := filepath.Join(dir, "hub.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: %q\nadmin: {tokens: [{name: bench, secret: bench-bench-bench-bench-bench-bench, role: admin}]}\n", db.url)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	nothing, err := p.median(func() (float64, float64, error) { return p.version(ctx) })
	if err != nil {
		return err
	}
	first, _, err := p.serve(ctx, config)
	if err != nil {
		return err
	}
	again, err := p.median(func() (float64, float64, error) { return p.serve(ctx, config) })
	if err != nil {
		return err
	}
	idle, err := p.median(func() (float64, float64, error) {
		return p.until(ctx, "listening on ", "app", "--listen", "127.0.0.1:0")
	})
	if err != nil {
		return err
	}
	r.size(db, "start", "start to ready, new database", "ms", first, nothing[0], "the program saying its version")
	r.size(db, "start", "start to ready", "ms", again[0], nothing[0], "the program saying its version")
	if again[1] > 0 {
		r.size(db, "start", "resident memory, idle", "MiB", again[1], idle[1], "the program as a simulated application")
	}
	return nil
}

// program starts the program as a process of its own.
type program struct {
	*run
	folder string
}

// median of milliseconds and of MiB, of as many tries as there are rounds.
func (p program) median(try func() (ms, mib float64, err error)) (out [2]float64, err error) {
	var all [2][]float64
	for range p.Rounds {
		ms, mib, err := try()
		if err != nil {
			return out, err
		}
		all[0], all[1] = append(all[0], ms), append(all[1], mib)
	}
	for i, list := range all {
		slices.Sort(list)
		out[i] = list[len(list)/2]
	}
	return out, nil
}

func (p program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Program, args...) //nolint:gosec // the program that is measured: this one
	cmd.Env = append(os.Environ(), "SCIMHUB_RUNTIME_DIR="+filepath.Join(p.folder, "run"))
	cmd.Dir = p.folder
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

func (p program) version(ctx context.Context) (ms, mib float64, err error) {
	took, err := p.seconds(func() error { return p.command(ctx, "version").Run() })
	return took * 1000, 0, err
}

// serve starts a hub, asks until it is ready, looks at its memory and stops it.
func (p program) serve(ctx context.Context, config string) (ms, mib float64, err error) {
	return p.until(ctx, "scimhub serves ", "serve", "--config", config)
}

// until starts the program and waits for a line that says where it serves. A hub is asked
// whether it is ready, too.
func (p program) until(ctx context.Context, line string, args ...string) (ms, mib float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs bytes.Buffer
	cmd := p.command(ctx, args...)
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	began := p.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	lines, address := bufio.NewScanner(out), ""
	for address == "" && lines.Scan() {
		if rest, is := strings.CutPrefix(lines.Text(), line); is {
			address, _, _ = strings.Cut(rest, " ")
		}
	}
	if address == "" {
		return 0, 0, errors.Join(fmt.Errorf("%s did not start: %s", strings.Join(args, " "), errs.String()), cmd.Wait())
	}
	if args[0] == "serve" {
		if err := p.ready(ctx, address); err != nil {
			return 0, 0, errors.Join(err, cmd.Cancel(), cmd.Wait())
		}
	}
	ms = p.Now().Sub(began).Seconds() * 1000
	select { // it settles
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	mib = resident(cmd.Process.Pid)
	go func() {
		for lines.Scan() { // whatever else it says
			continue
		}
	}()
	_ = cmd.Cancel()
	_ = cmd.Wait() // the exit code of a simulated application that was told to end says nothing
	return ms, mib, nil
}

func (p program) ready(ctx context.Context, address string) error {
	var c http.Client
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := c.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the hub at %s is not ready: %w", address, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// resident is what a process holds in memory, MiB; 0 where the system does not say.
func resident(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
