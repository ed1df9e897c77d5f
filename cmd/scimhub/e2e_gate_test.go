package main_test

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate stands before a PostgreSQL and passes connections on while it is open. Closing it cuts those there are
// and refuses new ones, as a failing network does.
type gate struct {
	database string // URL of the database through the gate
	network  string // where the server is
	address  string

	mu     sync.Mutex
	shut   bool
	active map[net.Conn]bool
}

func startGate(t *testing.T, database string) *gate {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the PostgreSQL URL cannot be parsed")
	}
	g := &gate{network: "tcp", address: u.Host, active: map[net.Conn]bool{}}
	q := u.Query()
	if dir := q.Get("host"); strings.HasPrefix(dir, "/") {
		g.network, g.address = "unix", dir+"/.s.PGSQL.5432"
		q.Del("host")
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = ln.Addr().String(), q.Encode()
	g.database = u.String()
	t.Cleanup(func() { ln.Close(); g.close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return // the test has ended
			}
			go g.pass(in)
		}
	}()
	return g
}

func (g *gate) pass(in net.Conn) {
	defer in.Close()
	if !g.enter(in) {
		return
	}
	defer g.leave(in)
	out, err := net.Dial(g.network, g.address)
	if err != nil {
		return
	}
	defer out.Close()
	if !g.enter(out) {
		return
	}
	defer g.leave(out)
	go func() {
		_, _ = io.Copy(out, in) // ends when either side is cut
		out.Close()
	}()
	_, _ = io.Copy(in, out)
}

func (g *gate) enter(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.active[c] = true
	}
	return !g.shut
}

func (g *gate) leave(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.active, c)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.active {
		c.Close()
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}
