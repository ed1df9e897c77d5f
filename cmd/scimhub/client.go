package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// client calls the hub's API for the commands.
type client struct {
	server, token string
	http          http.Client
}

// resolve finds the hub and the token to come in with: flags, then the environment,
// then the hub that runs on this machine.
func (c *client) resolve() error {
	if c.token == "" {
		c.token = os.Getenv("SCIMHUB_TOKEN")
	}
	if err := c.locate(); err != nil {
		return err
	}
	if c.token == "" {
		return model.Fail(model.Unauthorized, "an API token is needed: --token or SCIMHUB_TOKEN", nil)
	}
	c.http.Timeout = 10 * time.Minute // a plan over everybody takes its time
	return nil
}

// locate finds the hub. One on this machine, where a token is missing, lends its own.
func (c *client) locate() error {
	if c.server == "" {
		c.server = os.Getenv("SCIMHUB_SERVER")
	}
	if c.server == "" || c.token == "" {
		h, err := findLocal(c.server)
		switch {
		case err == nil:
			c.server = h.URL
			if h.Pin != "" {
				c.http.Transport = &http.Transport{TLSClientConfig: pinned(h.Pin), ForceAttemptHTTP2: true}
			}
			if c.token == "" {
				c.token = h.Token
			}
		case c.server == "":
			return err
		}
	}
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return usageError{fmt.Errorf("--server must be http://host:port, not %q", c.server)}
	}
	c.server = strings.TrimRight(c.server, "/")
	return nil
}

// call sends a request and decodes the answer into out, if there is one to take it.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	if err := c.resolve(); err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost { // a proxy on the way may send it twice
		req.Header.Set("Idempotency-Key", uuid.NewString())
	}
	res, err := c.http.Do(req)
	if err != nil {
		return model.Fail(model.Unavailable, "the hub at "+c.server+" does not answer", errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return problemOf(res)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("the hub's answer cannot be read: %w", err)
	}
	return nil
}

// problemOf rebuilds the hub's error; every fault of a configuration is a line.
func problemOf(res *http.Response) error {
	var p admin.Problem
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return model.Fail(model.Internal, fmt.Sprintf("the server answered %s; is it a scimhub?", res.Status), nil)
	}
	if len(p.Faults) > 0 {
		return model.Fail(p.Code, strings.Join(p.Faults, "\n"), nil)
	}
	return model.Fail(p.Code, p.Detail, nil)
}

// query builds a path with parameters; empty ones are left out.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
