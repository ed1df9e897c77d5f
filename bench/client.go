package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections are how many a source has.
const connections = 8

// client is a source that pushes to a SCIM service provider.
type client struct {
	url, token string
	http       http.Client
	ids        []string
	names      []int64 // serial numbers in the user names
	off        []atomic.Bool
	cursor     string // of a deep page
}

func newClient(url, token string) *client {
	return &client{url: url, token: token, http: http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}}
}

// person is somebody as a source writes them.
func person(n int64) []byte {
	return fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"user%08d@example.com","externalId":"ext-%d","name":{"givenName":"Given","familyName":"Family%d"},"displayName":"Given Family%d","active":true,"emails":[{"value":"user%08d@example.com","type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Department %d","employeeNumber":"%d"}}`, n, n, n, n, n, n%10, n)
}

func (c *client) request(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/scim+json")
	return c.http.Do(req)
}

// do sends a request and gives the answer, which must have the status that is wanted.
func (c *client) do(ctx context.Context, method, path string, body []byte, want int) ([]byte, error) {
	res, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s %.300s", method, path, res.Status, out)
	}
	return out, err
}

// drain reads an answer and forgets it: a client's own work is no part of what is
// compared.
func (c *client) drain(ctx context.Context, path string) error {
	res, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// fill creates people, on all connections at once.
func (c *client) fill(ctx context.Context, serial *atomic.Int64, people int) error {
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(connections)
	for range people {
		work.Go(func() error {
			n := serial.Add(1)
			var user struct{ ID string }
			body, err := c.do(ctx, http.MethodPost, "/Users", person(n), http.StatusCreated)
			if err == nil {
				err = json.Unmarshal(body, &user)
			}
			mu.Lock()
			defer mu.Unlock()
			c.ids, c.names = append(c.ids, user.ID), append(c.names, n)
			return err
		})
	}
	err := work.Wait()
	c.off = make([]atomic.Bool, len(c.ids))
	return err
}

// rate has so many do something over and over for a while, and at least once each, and
// gives calls a second.
func (r *run) rate(ctx context.Context, workers int, fn func(ctx context.Context, n int64) error) (float64, error) {
	var done atomic.Int64
	began := r.Now()
	work, ctx := errgroup.WithContext(ctx)
	for range workers {
		work.Go(func() error {
			for {
				if err := fn(ctx, r.serial.Add(1)); err != nil {
					return err
				}
				done.Add(1)
				if r.Now().Sub(began) >= r.Each {
					return nil
				}
			}
		})
	}
	err := work.Wait()
	return float64(done.Load()) / r.Now().Sub(began).Seconds(), err
}

// canned is the floor of HTTP: a server that answers the same bytes to everything.
type canned struct {
	*client
	stop func() error
}

func newCanned(ctx context.Context, body []byte) (*canned, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(ln) }()
	return &canned{newClient("http://"+ln.Addr().String(), ""), s.Close}, nil
}

func (c *canned) get(ctx context.Context, _ int64) error { return c.drain(ctx, "/") }
