package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// TestSlowClients: clients that send a header or a body byte by byte, or nothing at
// all, are let go when their time is over, and hold up nobody meanwhile. The time is
// the server's own setting, made short here.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "token")
	if err := os.WriteFile(secret, []byte("token-of-slow"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := "listen: 127.0.0.1:0\ndatabase: sqlite:" + filepath.Join(dir, "hub.db") +
		"\nsources: {slow: {tokens: [{name: main, secret: \"${file:" + secret + "}\"}]}}\n"
	i, err := start(t.Context(), instanceOptions{Name: "slow", Config: []byte(config), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const patience = 700 * time.Millisecond
	impatient(i, patience)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	})
	const head = "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-slow\r\nContent-Type: application/scim+json\r\n"
	var all sync.WaitGroup
	for n := range 20 {
		for name, text := range map[string]string{
			"silent":             "",
			"header by header":   head + strings.Repeat("X-Slow: y\r\n", 1000),
			"a body of a minute": head + "Content-Length: 100000\r\n\r\n" + strings.Repeat(" ", 1000),
			"chunks of one byte": head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\n \r\n", 1000),
		} {
			all.Go(func() {
				if err := drip(t.Context(), i.listener.Addr().String(), text); err != nil {
					t.Errorf("%s, %d: %v", name, n, err)
				}
			})
		}
	}
	others := &http.Client{Timeout: 10 * time.Second}
	defer others.CloseIdleConnections()
	for range 20 { // between them everybody else is served
		if err := healthy(t.Context(), others, i.URL); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	if err := healthy(t.Context(), others, i.URL); err != nil {
		t.Error(err)
	}
}

// impatient makes every limit on a client's slowness short.
func impatient(i *instance, patience time.Duration) {
	i.server.ReadHeaderTimeout, i.server.ReadTimeout, i.server.IdleTimeout = patience, patience, patience
	h := &scimserver.Handler{Backend: backend{i}, Registry: scim.DefaultRegistry(), Auth: i.sources.Authenticate, BaseURL: i.scimBase,
		BodyTimeout: patience}
	service := mux.NewRouter()
	h.Mount(service.PathPrefix(scimPath).Subrouter())
	rest := i.server.Handler
	i.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, scimPath) {
			service.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// drip sends the first kilobyte at once where there are headers to be had, the rest
// byte by byte, and wants the connection to end long before everything is sent.
func drip(ctx context.Context, address, text string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	closed := make(chan error, 1)
	go func() {
		_ = conn.SetReadDeadline(deadline(ctx))
		_, err := io.Copy(io.Discard, conn) // until the server ends it
		closed <- err
	}()
	at, _, _ := bytes.Cut([]byte(text), []byte("\r\n\r\n"))
	if len(at) > 512 { // the header is what drips
		at = at[:100]
	}
	if _, err := conn.Write(at); err != nil {
		return err
	}
	rest := []byte(text[len(at):])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-closed:
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				return fmt.Errorf("the server keeps the connection: %w", err)
			}
			return nil
		case <-tick.C:
			if len(rest) > 0 {
				_, _ = conn.Write(rest[:1]) // an error is seen by the reader too
				rest = rest[1:]
			}
		}
	}
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

func healthy(ctx context.Context, client *http.Client, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("healthz: %s", res.Status)
	}
	return nil
}
