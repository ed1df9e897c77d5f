package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// RunOptions says where an application listens and what it simulates.
type RunOptions struct {
	Options
	Listen string // host:port; "" means a free port on 127.0.0.1
}

// How long requests in progress may take after the end was asked for, and how long
// a client may take to send its header.
const (
	shutdownGrace = 5 * time.Second
	headerTimeout = 10 * time.Second
)

// Run serves an application until ctx ends, and then returns nil. The first line
// it writes to out says where, as "listening on URL".
func Run(ctx context.Context, o RunOptions, out io.Writer) error {
	a, err := New(o.Options)
	if err != nil {
		return err
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.Listen, err)
	}
	if _, err := fmt.Fprintf(out, "listening on http://%s%s\n", ln.Addr(), Prefix); err != nil {
		_ = ln.Close() // the error that counts is the other one
		return fmt.Errorf("announce the address: %w", err)
	}
	return a.Serve(ctx, ln)
}

// Serve serves the application on ln until ctx ends, and then returns nil.
// Requests in progress are finished.
func (a *App) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop: %w", err)
	}
	return srv.Close()
}
