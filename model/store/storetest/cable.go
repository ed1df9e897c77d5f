package storetest

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Cable is a way to a PostgreSQL server that a test can cut.
type Cable struct {
	URL string // of the database, through the cable

	network, to string
	listener    net.Listener
	refuse      atomic.Bool
	swallow     atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// NewCable lays a cable to the server of a database; it is gone when the test ends.
func NewCable(t testing.TB, databaseURL string) *Cable {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	c := &Cable{network: "tcp", to: u.Host, conns: map[net.Conn]struct{}{}}
	if u.Host == "" {
		c.network, c.to = "unix", q.Get("host")+"/.s.PGSQL.5432"
	}
	var lc net.ListenConfig
	if c.listener, err = lc.Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go c.serve()
	t.Cleanup(func() {
		_ = c.listener.Close()
		c.Cut(true)
	})
	q.Del("host")
	u.Host, u.RawQuery = c.listener.Addr().String(), q.Encode()
	c.URL = u.String()
	return c
}

// Cut ends all connections and refuses new ones, or takes them again.
func (c *Cable) Cut(cut bool) {
	c.refuse.Store(cut)
	if !cut {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
		delete(c.conns, conn)
	}
}

// Swallow has everything that is sent vanish, in both directions, while all connections
// stay open; or lets through what is sent from now on.
func (c *Cable) Swallow(swallow bool) { c.swallow.Store(swallow) }

func (c *Cable) serve() {
	for {
		in, err := c.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		out, err := d.DialContext(context.Background(), c.network, c.to) //nolint:forbidigo // a connection lasts until the cable is cut
		if err != nil || c.refuse.Load() {
			_ = in.Close()
			if err == nil {
				_ = out.Close()
			}
			continue
		}
		c.mu.Lock()
		c.conns[in], c.conns[out] = struct{}{}, struct{}{}
		c.mu.Unlock()
		go c.pass(in, out)
		go c.pass(out, in)
	}
}

func (c *Cable) pass(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.conns, from)
		delete(c.conns, to)
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if c.swallow.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
